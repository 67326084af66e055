"""Forwarded entries stay for a while, pending ones for ever; both by age and by bytes."""

import asyncio
from pathlib import Path

from bridge.journal import storage as storing
from bridge.journal.database import transaction
from bridge.journal.storage import Storage
from bridge.model import Positions
from tests.unit.journal.conftest import Opens
from tests.unit.journal.making import HOUR_MS, NOON_MS, Clock, storage_in, submission, until

EVERYTHING = 1 << 60
TOPIC = "treble.message.read"


def ids(storage: Storage) -> list[int]:
    return [int(str(row[0])) for row in storage.connection.execute("SELECT id FROM entries ORDER BY id")]


def retire(storage: Storage, before_ms: int, keep_bytes: int = EVERYTHING, rows_max: int = 1000) -> bool:
    with transaction(storage.connection):
        return storage.retire(received_before_ms=before_ms, keep_bytes=keep_bytes, rows_max=rows_max)


def filled(storage: Storage, count: int = 10, size: int = 100) -> None:
    """Entries received a second apart."""
    storage.append([submission(b"x" * size, at_ms=NOON_MS + 1000 * number) for number in range(1, count + 1)])


def test_only_forwarded_entries_grow_old(folder: Path) -> None:
    with storage_in(folder) as storage:
        filled(storage)
        assert not retire(storage, EVERYTHING)
        storage.advance(Positions(8), None)
        assert retire(storage, NOON_MS + 4000)
        assert ids(storage) == [4, 5, 6, 7, 8, 9, 10]
        assert not retire(storage, NOON_MS + 4000)
        assert retire(storage, EVERYTHING)
        assert ids(storage) == [8, 9, 10]
        assert (storage.entries, storage.pending) == (3, 3)


def test_bytes_count_back_from_the_next_entry_to_forward(folder: Path) -> None:
    with storage_in(folder) as storage:
        filled(storage)
        storage.advance(Positions(8), None)
        assert retire(storage, 0, keep_bytes=250)
        assert ids(storage) == [5, 6, 7, 8, 9, 10]  # 250 bytes reach into the third from the end
        assert retire(storage, 0, keep_bytes=0)
        assert ids(storage) == [8, 9, 10]


def test_deferred_and_pinned_entries_stay_and_go_when_they_are_free(folder: Path) -> None:
    with storage_in(folder) as storage:
        filled(storage)
        storage.defer([(2, TOPIC, "message.read"), (5, TOPIC, "message.read")])
        storage.pin([3])
        storage.advance(Positions(11, {TOPIC: 2}), None)
        while retire(storage, EVERYTHING):
            pass
        assert ids(storage) == [2, 3, 5]
        storage.advance(Positions(11, {TOPIC: 5}), None)
        while retire(storage, EVERYTHING):
            pass
        assert ids(storage) == [3, 5]
        storage.advance(Positions(11), None)
        storage.unpin([3])
        while retire(storage, EVERYTHING):
            pass
        assert (ids(storage), storage.entries, storage.last_id) == ([], 0, 10)


def test_a_step_is_small_by_rows_and_by_bytes(folder: Path) -> None:
    with storage_in(folder) as storage:
        filled(storage, 100)
        storage.advance(Positions(101), None)
        assert retire(storage, EVERYTHING, rows_max=30)
        assert ids(storage)[0] == 31
        storage.append([submission(b"x" * (storing.RETIRE_BYTES // 4)) for _ in range(12)])
        storage.advance(Positions(113), None)
        steps = 0
        while retire(storage, EVERYTHING):
            steps += 1
        assert steps >= 3
        assert ids(storage) == []


def test_a_long_line_of_deferred_entries_is_passed_over_step_by_step(folder: Path) -> None:
    with storage_in(folder) as storage:
        filled(storage, 1000)
        storage.defer([(number, TOPIC, "x") for number in range(1, 901)])
        storage.advance(Positions(1001, {TOPIC: 1}), None)
        steps = 0
        while retire(storage, EVERYTHING, rows_max=100):
            steps += 1
        assert steps <= 11
        assert ids(storage) == list(range(1, 901))


def retired(storage: Storage, before_ms: int) -> list[int]:
    """What is left after a minute of retention: a step a second, more where there is more to do."""
    for _ in range(60):
        while retire(storage, before_ms):
            pass
    return ids(storage)


def stamped(storage: Storage, at_ms: int, count: int) -> None:
    storage.append([submission(at_ms=at_ms)] * count)


def test_one_entry_of_a_clock_that_was_behind_takes_no_others_along(folder: Path) -> None:
    with storage_in(folder) as storage:
        stamped(storage, NOON_MS - HOUR_MS, 500)
        stamped(storage, NOON_MS - 9600 * HOUR_MS, 1)
        stamped(storage, NOON_MS, 1)
        storage.advance(Positions(503), None)
        assert retired(storage, NOON_MS - 72 * HOUR_MS) == [*range(1, 501), 502]
        assert storage.entries == 501


def test_entries_of_a_clock_that_was_ahead_keep_no_others_back(folder: Path) -> None:
    with storage_in(folder) as storage:
        stamped(storage, NOON_MS + 8760 * HOUR_MS, 4500)
        stamped(storage, NOON_MS - 200 * HOUR_MS, 3000)
        stamped(storage, NOON_MS - HOUR_MS, 10)
        storage.advance(Positions(7506), None)
        assert retired(storage, NOON_MS - 72 * HOUR_MS) == [*range(1, 4501), *range(7501, 7511)]
        while retire(storage, 0, keep_bytes=0):  # by bytes they go, whatever their time is
            pass
        assert ids(storage) == [*range(7506, 7511)]


def test_what_is_deferred_pinned_or_pending_stays_after_a_jump_of_the_clock_too(folder: Path) -> None:
    with storage_in(folder) as storage:
        for turn in range(10):
            stamped(storage, NOON_MS - (200 * HOUR_MS if turn % 2 else 0), 1)
        storage.defer([(2, TOPIC, "message.read")])
        storage.pin([4])
        storage.advance(Positions(9, {TOPIC: 2}), None)
        assert retired(storage, NOON_MS - 72 * HOUR_MS) == [1, 2, 3, 4, 5, 7, 9, 10]
        storage.advance(Positions(9), None)
        storage.unpin([4])
        assert retired(storage, NOON_MS - 72 * HOUR_MS) == [1, 3, 5, 7, 9, 10]


def test_a_step_looks_at_a_part_of_the_table_only(folder: Path) -> None:
    with storage_in(folder) as storage:
        stamped(storage, NOON_MS, 20_000)
        storage.advance(Positions(20_001), None)
        looked: list[int] = []

        def count() -> bool:
            looked.append(1)
            return False

        storage.connection.set_progress_handler(count, 1000)
        for _ in range(5):
            looked.clear()
            assert not retire(storage, NOON_MS - 1, rows_max=100)
            assert len(looked) <= 10


async def test_the_writer_retires_by_itself_while_nobody_writes(opened: Opens) -> None:
    clock = Clock()
    journal = opened(clock_ms=clock, retain_s=3600)
    await asyncio.gather(*(journal.append(submission()) for _ in range(2500)))
    await journal.advance(Positions(2401), [])
    clock.ms += 2 * HOUR_MS
    await until(lambda: journal.usage().entries == 100, "retention")
    assert journal.usage().pending == 100
    assert [entry.id for entry in await journal.read(1, 1, 1000)] == [2401]


async def test_the_writer_retires_while_it_is_busy_too(opened: Opens) -> None:
    journal = opened(retain_bytes=0)
    next_id = 1
    for _ in range(60):
        await asyncio.gather(*(journal.append(submission()) for _ in range(100)))
        next_id += 100
        await journal.advance(Positions(next_id), [])
        await asyncio.sleep(0.02)
    assert journal.usage().entries < 3000
