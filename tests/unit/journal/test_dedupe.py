"""The window of duplicates: remembered across merges, restarts and crashes; forgotten in time."""

import random
import threading
from pathlib import Path

import pytest

from bridge.journal import Journal, dedupe_window
from bridge.journal.capacity import YIELD
from bridge.journal.database import transaction
from bridge.journal.dedupe_window import DedupeWindow, Merge, look_up, pack, unpack
from bridge.journal.maintenance import Limits, Maintenance
from bridge.journal.offline.inspect import reading
from bridge.journal.storage import Storage
from bridge.model import Positions
from tests.unit.journal.conftest import Opens
from tests.unit.journal.making import HOUR_MS, NOON_MS, Clock, dedupe_key, storage_in, submission, until


@pytest.fixture
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Merging begins after 300 dedupe keys instead of 65536."""
    monkeypatch.setattr(dedupe_window, "BUFFERED_MAX", 300)


def random_keys(seed: int, count: int) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(16) for _ in range(count)]


def merged_rows(journal: Journal) -> int:
    """How many dedupe keys are in the table, counted by a connection of its own."""
    with reading(journal.path) as connection:
        return int(str(connection.execute("SELECT count(*) FROM identities").fetchall()[0][0]))


async def test_what_was_remembered_is_seen_from_its_time_on(opened: Opens) -> None:
    journal = opened()
    await journal.advance(Positions(1), [(dedupe_key(1), 1000), (dedupe_key(2), 2000)])
    wanted = [dedupe_key(1), dedupe_key(2), dedupe_key(3)]
    assert set(await journal.seen(wanted, 0)) == {dedupe_key(1), dedupe_key(2)}
    assert set(await journal.seen(wanted, 1000)) == {dedupe_key(1), dedupe_key(2)}
    assert set(await journal.seen(wanted, 1001)) == {dedupe_key(2)}
    assert set(await journal.seen(wanted, 2001)) == set()
    assert set(await journal.seen([], 0)) == set()


async def test_the_latest_time_counts_when_a_dedupe_key_comes_again(opened: Opens) -> None:
    journal = opened()
    for at_ms in (1000, 3000, 2000):
        await journal.advance(Positions(1), [(dedupe_key(1), at_ms)])
    assert set(await journal.seen([dedupe_key(1)], 3000)) == {dedupe_key(1)}
    assert set(await journal.seen([dedupe_key(1)], 3001)) == set()


@pytest.mark.usefixtures("small_buffer")
async def test_nothing_is_forgotten_while_it_moves_from_memory_to_the_table(opened: Opens) -> None:
    journal = opened()
    everything: list[bytes] = []
    for seed in range(40):
        batch = random_keys(seed, 100)
        everything += batch
        await journal.advance(Positions(1), [(one, NOON_MS + seed) for one in batch])
        assert set(await journal.seen(batch, 0)) == set(batch)
    assert set(await journal.seen(everything, 0)) == set(everything)
    assert set(await journal.seen(everything, NOON_MS + 20)) == set(everything[2000:])
    assert set(await journal.seen(random_keys(99, 500), 0)) == set()
    await until(lambda: merged_rows(journal) > 3000, "merging")
    assert journal._window._count <= 2 * 300
    await journal.close()
    again = opened()
    assert set(await again.seen(everything, 0)) == set(everything)


@pytest.mark.usefixtures("small_buffer")
async def test_the_log_does_not_grow_with_what_is_merged(opened: Opens, folder: Path) -> None:
    journal = opened()
    for seed in range(300):
        await journal.advance(Positions(1), [(one, NOON_MS) for one in random_keys(seed, 10)])
    await journal.close()
    with storage_in(folder) as storage:
        rows = storage.dedupe_keys.logged()
        assert len(rows) < 150
        assert rows[-1][0] == 300  # numbers go on: none is used twice


@pytest.mark.usefixtures("small_buffer")
async def test_merging_twice_is_merging_once(folder: Path) -> None:
    """The process dies after a merge and before the log is shortened: the next one merges the same again."""
    batch = [bytes([7]) + one[1:] for one in random_keys(1, 400)]
    with storage_in(folder) as storage:
        connection = storage.connection
        for at_ms in (2000, 1000):
            with transaction(connection):
                storage.dedupe_keys.merge(7, dict.fromkeys(batch, at_ms), 0)
        assert set(look_up(connection, batch, 2000)) == set(batch)
        assert look_up(connection, batch, 2001) == {}


def test_a_dedupe_key_that_comes_again_while_it_is_merged_stays_in_memory() -> None:
    buffer = DedupeWindow([], 16 * 44 * 10)
    buffer.add(1, [(bytes([number]) + bytes(15), 1000) for number in range(256)])
    merge = buffer.to_merge()
    assert merge == Merge(0, {bytes(16): 1000}, None)
    buffer.add(2, [(bytes(16), 5000)])
    buffer.merged(merge)
    assert buffer.find([bytes(16)], 5000) == {bytes(16): 5000}


def test_packing_and_unpacking_are_reverse() -> None:
    remembered = [(dedupe_key(number), NOON_MS + number) for number in range(100)]
    assert unpack(pack(remembered)) == remembered
    assert unpack(b"") == []


@pytest.mark.usefixtures("small_buffer")
async def test_dedupe_keys_are_forgotten_after_the_window_but_not_while_a_copy_may_still_wait(opened: Opens) -> None:
    clock = Clock()
    journal = opened(clock_ms=clock, window_s=60)
    await journal.append(submission(at_ms=NOON_MS))
    for seed in range(20):
        await journal.advance(Positions(1), [(one, NOON_MS) for one in random_keys(seed, 100)])
    await until(lambda: journal._window._merging == 0, "merging")
    rows = merged_rows(journal)

    async def sweep() -> None:
        """An hour later, every bucket has its turn."""
        for _ in range(260):
            clock.ms += HOUR_MS // 3600
            await journal.append(submission(at_ms=clock.ms))

    clock.ms += HOUR_MS
    await sweep()
    assert merged_rows(journal) == rows  # entry 1 is of their time, and not forwarded yet
    await journal.advance(Positions(2), [])
    await sweep()
    await until(lambda: merged_rows(journal) < rows / 10, "forgetting")


async def test_another_window_is_taken_over_while_running(opened: Opens) -> None:
    journal = opened(window_s=60)
    journal.remember_for(7200)
    assert journal._maintenance._limits.window_ms == 2 * HOUR_MS


def test_a_journal_that_was_given_less_room_is_rid_of_dedupe_keys_within_minutes(folder: Path) -> None:
    chance, clock, seconds = random.Random(1), Clock(), [0.0]
    with storage_in(folder) as storage, transaction(storage.connection):
        rows = sorted((chance.randbytes(16), (NOON_MS - n).to_bytes(6, "big")) for n in range(66_000))
        storage.connection.executemany("INSERT INTO identities VALUES (?, ?)", rows)
    with storage_in(folder) as storage:
        smaller = Storage(storage.connection, 2 << 20)
        limits = Limits(2 << 20, HOUR_MS, 1 << 30, 30 * 24 * HOUR_MS)
        maintenance = Maintenance(smaller, limits, clock, threading.Lock(), lambda: seconds[0])
        assert maintenance.used > limits.bytes_max
        while maintenance.used > YIELD * limits.bytes_max and seconds[0] < 300:
            seconds[0] += max(0.001, maintenance.wait_s())
            clock.ms = NOON_MS + int(seconds[0] * 1000)
            if maintenance.due():
                with transaction(storage.connection):
                    maintenance.work()
            maintenance.checkpoint(idle=True)
            maintenance.measure()
        assert maintenance.used <= YIELD * limits.bytes_max
