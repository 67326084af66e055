"""Bounded: warns at 80 %, refuses at 100 %, takes again below 95 %; what is only retained makes room."""

import asyncio
import random
from pathlib import Path

import pytest

from bridge.errors import JournalFullError
from bridge.journal import Journal
from bridge.journal.capacity import ENTRY_OVERHEAD_BYTES, QUEUED_BYTES_MAX, Capacity
from bridge.journal.maintenance import LOG_TOO_LONG
from bridge.journal.offline.replay import unpin
from bridge.model import PinnedEntries, Positions
from bridge.telemetry import Telemetry
from tests.unit.journal.conftest import Opens
from tests.unit.journal.making import NOON_MS, Clock, Heard, submission, until

MIB = 1 << 20


def states(measurements: list[int]) -> list[str]:
    """The states that a capacity of 1000 bytes goes through."""
    capacity, seen = Capacity(1000), []
    for used in measurements:
        capacity.measured(used)
        capacity.settle()
        seen.append(capacity.state)
    return seen


def test_the_marks_are_80_100_and_95_percent() -> None:
    levels = [0, 799, 800, 999, 1000, 960, 950, 949, 790, 789]
    assert states(levels) == [
        "ok",
        "ok",
        "nearly_full",
        "nearly_full",
        "full",
        "full",
        "full",
        "nearly_full",
        "nearly_full",
        "ok",
    ]


def test_an_entry_larger_than_the_bound_of_the_queue_is_taken_when_nothing_is_queued() -> None:
    capacity = Capacity(1 << 30)
    large = QUEUED_BYTES_MAX + MIB
    capacity.admit(large)
    with pytest.raises(JournalFullError):
        capacity.admit(1)
    capacity.committed(1, large)
    capacity.admit(large)


def test_what_was_admitted_since_the_last_measurement_counts() -> None:
    capacity = Capacity(10_000)
    size = 1000 - ENTRY_OVERHEAD_BYTES
    for _ in range(10):
        capacity.admit(size)
    with pytest.raises(JournalFullError):
        capacity.admit(size)
    assert capacity.state == "full"
    capacity.committed(10, 10 * size)
    assert capacity.fill == 1.0
    capacity.measured(5000)
    capacity.settle()
    assert capacity.state == "ok"
    capacity.admit(size)


def test_one_entry_that_is_too_large_does_not_make_the_journal_full() -> None:
    capacity = Capacity(10_000)
    with pytest.raises(JournalFullError, match="does not fit"):
        capacity.admit(20_000)
    assert capacity.state == "ok"
    capacity.admit(100)


def test_a_disk_that_stalls_does_not_fill_the_memory() -> None:
    capacity = Capacity(1 << 40)
    for _ in range(QUEUED_BYTES_MAX // MIB - 1):
        capacity.admit(MIB)
    with pytest.raises(JournalFullError, match="wait for the disk"):
        capacity.admit(MIB)
    assert capacity.state == "ok"


async def fill(journal: Journal, body_bytes: int = 10_000) -> int:
    """Append until the journal is full; returns how many it took."""
    for count in range(10_000):
        try:
            await journal.append(submission(b"x" * body_bytes))
        except JournalFullError:
            return count
    raise AssertionError("never full")


async def test_it_warns_refuses_and_takes_again_when_forwarding_has_made_room(opened: Opens) -> None:
    heard = Heard()
    journal = opened(max_bytes=2 * MIB, telemetry=heard)
    taken = await fill(journal)
    assert 2 * MIB * 0.8 < taken * 10_000 < 2 * MIB
    assert journal.usage().state == "full"
    assert heard.states == ["nearly_full", "full"]
    assert journal.usage().bytes <= journal.usage().bytes_max == 2 * MIB

    # Advancing and reading go on. Each step frees some; it is taken again only below 95 %.
    for next_id in range(2, taken + 2):
        await journal.advance(Positions(next_id), [(next_id.to_bytes(16, "big"), NOON_MS)])
        if journal.usage().state != "full":
            break
    await until(lambda: journal.usage().state != "full", "room")
    assert journal.usage().fill < 0.95
    assert await journal.append(submission()) == taken + 1
    assert [entry.id for entry in await journal.read(journal.positions.next_id, 10**6, 1 << 30)][-1] == taken + 1


async def test_appends_that_race_cannot_overshoot(opened: Opens) -> None:
    journal = opened(max_bytes=2 * MIB)
    results = await asyncio.gather(
        *(journal.append(submission(b"x" * 10_000)) for _ in range(150)),
        *(full_or_id(journal) for _ in range(150)),
    )
    assert None in results
    taken = [result for result in results if result is not None]
    assert len(taken) * (10_000 + ENTRY_OVERHEAD_BYTES) <= 2 * MIB
    # Beside the entries, the log: a sixteenth of such a small journal, or a few times that while others keep it busy.
    assert journal.usage().bytes <= 2 * MIB * (1 + LOG_TOO_LONG / 16)


async def full_or_id(journal: Journal, size: int = 10_000) -> int | None:
    try:
        return await journal.append(submission(b"x" * size))
    except JournalFullError:
        return None


async def test_what_is_only_retained_yields_before_anything_is_refused_or_warned(opened: Opens) -> None:
    heard = Heard()
    journal = opened(max_bytes=2 * MIB, telemetry=heard)
    for start in range(1, 1000, 5):  # five times what fits, each forwarded soon
        await asyncio.gather(*(journal.append(submission(b"x" * 10_000)) for _ in range(5)))
        await journal.advance(Positions(start + 5), [])
    await until(lambda: journal.usage().bytes < 0.75 * 2 * MIB, "room")
    assert heard.states == []
    assert journal.usage().entries > 50  # and what fits is still retained


async def test_the_file_stays_bounded_over_many_fills(opened: Opens) -> None:
    journal = opened(max_bytes=2 * MIB)
    next_id = 1
    for _ in range(5):
        next_id += await fill(journal)
        await journal.advance(Positions(next_id), [])
        await until(lambda: journal.usage().state == "ok", "room")
    size = sum(file.stat().st_size for file in journal.path.iterdir() if file.name != "journal.db-shm")
    assert size < 2 * 2 * MIB


async def test_a_restart_knows_that_it_is_full(opened: Opens) -> None:
    journal = opened(max_bytes=2 * MIB)
    await fill(journal)
    await journal.close()
    again = opened(max_bytes=MIB)
    assert again.usage().state == "full"
    with pytest.raises(JournalFullError):
        again.append(submission())


async def test_dedupe_keys_take_a_quarter_of_the_journal_at_the_most(opened: Opens) -> None:
    """A burst of far more events than fit into the window's share: the oldest are forgotten early, and it is said."""
    heard, clock, chance = Heard(), Clock(), random.Random(1)
    journal = opened(max_bytes=4 * MIB, window_s=3600, telemetry=heard, clock_ms=clock)
    newest: list[bytes] = []
    for _ in range(600):
        newest = [chance.randbytes(16) for _ in range(200)]
        await journal.advance(Positions(1), [(one, clock.ms) for one in newest])
        clock.ms += 6000
    assert heard.remembered_s
    assert 500 < heard.remembered_s[-1] < 3600
    assert heard.states == []
    assert journal.usage().bytes < 0.5 * 4 * MIB
    assert set(await journal.seen(newest, 0)) == set(newest)


@pytest.mark.parametrize(("max_bytes", "state"), [(8 * MIB, "nearly_full"), (6 * MIB, "full")])
async def test_a_journal_that_is_full_or_nearly_full_at_its_start_is_said(
    opened: Opens, max_bytes: int, state: str
) -> None:
    before = opened(max_bytes=8 * MIB)
    while before.usage().fill < 0.9:
        await before.append(submission(b"x" * 20_000))
    await before.close()
    heard = Heard()
    journal = opened(max_bytes=max_bytes, telemetry=heard)
    assert journal.usage().state == state
    await until(lambda: heard.states, "a word about it")
    assert heard.states == [state]


async def test_a_bridge_that_starts_with_a_full_journal_shows_that_it_takes_nothing(opened: Opens) -> None:
    before = opened(max_bytes=8 * MIB)
    while before.usage().fill < 0.9:
        await before.append(submission(b"x" * 20_000))
    await before.close()
    telemetry = Telemetry()
    opened(max_bytes=6 * MIB, telemetry=telemetry)
    telemetry.accepting_changed(accepting=True)
    await until(lambda: b"\ntreble_bridge_accepting 0.0" in telemetry.metrics.exposition("")[0], "the metric to be 0")


async def test_what_fills_a_journal_in_which_nothing_waits_is_shown_as_pinned(opened: Opens, folder: Path) -> None:
    journal = opened(max_bytes=4 * MIB, retain_s=0, retain_bytes=0)
    taken = 0
    while (entry_id := await full_or_id(journal, 100_000)) is not None:
        taken = entry_id
        await journal.pin([taken, taken])
        await journal.advance(Positions(taken + 1), [])
    everything = PinnedEntries(taken, taken * 100_000)
    assert (journal.usage().pending, journal.usage().pinned) == (0, everything)
    await journal.close()
    again = opened(max_bytes=4 * MIB)
    assert again.usage().pinned == everything
    await again.close()
    await asyncio.to_thread(unpin, folder, range(1, taken), Clock())
    last = opened(max_bytes=4 * MIB)
    assert last.usage().pinned == PinnedEntries(1, 100_000)
