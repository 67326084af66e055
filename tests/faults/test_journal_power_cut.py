"""Power cuts at every operation: what was committed is there, what wasn't is there wholly or not at all."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from bridge.errors import JournalError
from bridge.journal.database import transaction
from bridge.journal.dedupe_window import pack
from bridge.journal.offline.inspect import verify
from bridge.journal.storage import Storage
from bridge.model import Positions
from tests.fakes.disk import Disk
from tests.unit.journal.making import NOON_MS, storage_in, submission

TOPIC = "treble.message.read"
SEEDS = range(5)
CUTS_PER_SEED = 50


def live(storage: Storage, chance: random.Random, committed: Callable[[], None]) -> None:
    """A journal's life in small: every kind of step, and checkpoints. `committed` is called after each commit."""
    for turn in range(25):
        with transaction(storage.connection):
            sizes = [chance.choice([10, 300, 3000, 20_000]) for _ in range(chance.randrange(1, 12))]
            storage.append([submission(chance.randbytes(size)) for size in sizes])
        committed()
        if turn % 2:
            front = storage.positions.next_id
            next_id = chance.randrange(front, storage.last_id + 2)
            behind = storage.positions.behind
            with transaction(storage.connection):
                if turn % 3 == 0 and next_id > front:
                    storage.defer([(front, TOPIC, "message.read")])
                    behind = behind or {TOPIC: front}
                elif turn % 5 == 0:
                    behind = {}
                remembered = [(chance.randbytes(16), NOON_MS + turn) for _ in range(20)]
                storage.advance(Positions(next_id, behind), turn)
                storage.dedupe_keys.log(pack(remembered))
                bucket = {bytes([turn]) + one[1:]: at_ms for one, at_ms in remembered}
                storage.dedupe_keys.merge(turn, bucket, max(0, turn - 10))
                storage.retire(received_before_ms=0, keep_bytes=20_000, rows_max=10)
            committed()
        if chance.random() < 0.3:
            storage.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def content(storage: Storage) -> list[list[Any]]:
    """Everything that is in the tables, but what differs from one journal to another."""
    queries = (
        "SELECT next_id, behind, kafka_offset, deleted FROM state",
        "SELECT id, stream_end, body FROM entries ORDER BY id",
        "SELECT * FROM parked ORDER BY 1, 2",
        "SELECT * FROM identities_log ORDER BY 1",
        "SELECT * FROM identities ORDER BY 1",
    )
    return [storage.connection.execute(sql).fetchall() for sql in queries]


def uncut(folder: Path, seed: int, disk: Disk) -> tuple[list[list[list[Any]]], int]:
    """What the journal holds after each commit when nothing fails, and how many operations that takes."""
    disk.operations = 0
    with storage_in(folder, disk.name) as storage:
        snapshots = [content(storage)]
        live(storage, random.Random(seed), lambda: snapshots.append(content(storage)))
    return snapshots, disk.operations


def commits_before_cut(folder: Path, seed: int, disk: Disk, cut_at: int) -> int:
    """Live until the power goes; how many commits were acknowledged."""
    commits: list[int] = []
    disk.operations, disk.cut_at = 0, cut_at
    try:
        with storage_in(folder, disk.name) as storage:
            live(storage, random.Random(seed), lambda: commits.append(1))
    except (apsw.Error, JournalError):
        pass
    assert disk.dark
    return len(commits)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_power_cut_every_commit_is_there_and_no_half_one(tmp_path: Path, disk: Disk, seed: int) -> None:
    snapshots, operations = uncut(tmp_path / "uncut", seed, disk)
    chance = random.Random(f"cuts of {seed}")
    for cut_at in sorted(chance.sample(range(1, operations), CUTS_PER_SEED)):
        folder = tmp_path / f"cut-{cut_at}"
        acknowledged = commits_before_cut(folder, seed, disk, cut_at)
        disk.restore_power(random.Random(f"{seed} {cut_at}"))
        with storage_in(folder, disk.name) as storage:
            found = content(storage)
        assert found in snapshots[acknowledged : acknowledged + 2], f"cut at {cut_at} of {operations}"
        report = verify(folder)
        assert (report.damage, report.findings) == ((), ())


@pytest.mark.parametrize("seed", range(10))
def test_after_several_power_cuts_in_a_row_nothing_committed_is_missing(tmp_path: Path, disk: Disk, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: list[bytes] = []
    for _ in range(6):
        disk.operations, disk.cut_at = 0, chance.randrange(5, 120)
        try:
            with storage_in(tmp_path / "journal", disk.name) as storage:
                while True:
                    bodies = [chance.randbytes(chance.choice([20, 5000])) for _ in range(chance.randrange(1, 9))]
                    with transaction(storage.connection):
                        storage.append([submission(body) for body in bodies])
                    acknowledged += bodies
                    storage.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.Error, JournalError):
            pass
        disk.restore_power(chance)
    with storage_in(tmp_path / "journal", disk.name) as storage:
        rows = storage.connection.execute("SELECT id, body FROM entries ORDER BY id").fetchall()
    stored = iter(rows)
    assert all(any(body == row[1] for row in stored) for body in acknowledged)  # in this order, others in between
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))


def test_without_its_syncs_the_journal_would_lose_commits(tmp_path: Path, disk: Disk) -> None:
    """That the fake cuts deep enough: with syncs turned off, the same test finds losses."""
    lost = 0
    for seed in range(10):
        disk.operations, disk.cut_at = 0, 60
        count = 0
        try:
            with storage_in(tmp_path / str(seed), disk.name) as storage:
                storage.connection.pragma("synchronous", "OFF")
                while True:
                    storage.append([submission(b"x" * 3000)])
                    count += 1
        except (apsw.Error, JournalError):
            pass
        disk.restore_power(random.Random(seed))
        with storage_in(tmp_path / str(seed), disk.name) as storage:
            lost += count - storage.entries
    assert lost > 0
