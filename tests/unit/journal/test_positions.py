"""Positions, topic queues that are behind, and what counts as pending."""

import asyncio

import pytest

from bridge.journal import Journal
from bridge.model import Positions
from tests.unit.journal.conftest import Opens
from tests.unit.journal.making import NOON_MS, Clock, submission

TOPIC = "treble.message.read"


async def filled(opened: Opens, count: int = 10) -> Journal:
    journal = opened()
    await asyncio.gather(*(journal.append(submission(f"{n}", at_ms=NOON_MS + n)) for n in range(1, count + 1)))
    return journal


async def test_positions_and_kafkas_offset_are_there_after_a_restart(opened: Opens) -> None:
    journal = await filled(opened)
    assert (journal.positions, journal.positions_offset) == (Positions(1), None)
    await journal.defer([(3, TOPIC, "message.read")])
    await journal.advance(Positions(8, {TOPIC: 3}), [], positions_offset=41)
    await journal.advance(Positions(9, {TOPIC: 3}), [])
    await journal.close()
    again = opened()
    assert (again.positions, again.positions_offset) == (Positions(9, {TOPIC: 3}), 41)
    assert again.id == journal.id


@pytest.mark.parametrize("back", [Positions(7, {TOPIC: 3}), Positions(8, {TOPIC: 2}), Positions(8, {"other": 7})])
async def test_a_position_that_goes_back_is_refused(opened: Opens, back: Positions) -> None:
    journal = await filled(opened)
    await journal.advance(Positions(8, {TOPIC: 3}), [])
    with pytest.raises(ValueError, match="goes back"):
        await journal.advance(back, [])
    assert journal.positions == Positions(8, {TOPIC: 3})


async def test_deferred_entries_are_read_in_order_and_leave_as_their_topic_queue_moves(opened: Opens) -> None:
    journal = await filled(opened)
    await journal.defer([(4, TOPIC, "message.read"), (2, TOPIC, "message.read"), (5, "other", "unknown")])
    await journal.defer([(4, TOPIC, "message.read")])
    await journal.advance(Positions(7, {TOPIC: 2, "other": 5}), [])
    assert [e.id for e in await journal.read_deferred(TOPIC, 1, 10, 1000)] == [2, 4]
    assert [e.id for e in await journal.read_deferred(TOPIC, 3, 10, 1000)] == [4]
    assert [e.id for e in await journal.read_deferred(TOPIC, 1, 1, 1000)] == [2]
    assert journal.usage().deferred == {TOPIC: 2, "other": 1}
    assert journal.usage().pending == 4 + 3

    await journal.advance(Positions(7, {TOPIC: 3, "other": 5}), [])
    assert [e.id for e in await journal.read_deferred(TOPIC, 1, 10, 1000)] == [4]
    await journal.advance(Positions(7, {"other": 5}), [])
    assert await journal.read_deferred(TOPIC, 1, 10, 1000) == []
    assert journal.usage().deferred == {"other": 1}


async def test_the_oldest_pending_entry_is_told_wherever_it_waits(opened: Opens) -> None:
    journal = await filled(opened)
    assert journal.usage().oldest_pending_ms == NOON_MS + 1
    await journal.defer([(2, TOPIC, "message.read")])
    await journal.advance(Positions(9, {TOPIC: 2}), [])
    assert journal.usage().oldest_pending_ms == NOON_MS + 2
    await journal.advance(Positions(9), [])
    assert journal.usage().oldest_pending_ms == NOON_MS + 9
    await journal.advance(Positions(11), [])
    assert journal.usage().oldest_pending_ms is None
    await journal.append(submission(at_ms=NOON_MS + 77))
    assert journal.usage().oldest_pending_ms == NOON_MS + 77


async def test_usage_is_the_same_after_a_restart(opened: Opens) -> None:
    journal = await filled(opened)
    await journal.defer([(2, TOPIC, "message.read")])
    await journal.advance(Positions(9, {TOPIC: 2}), [])
    before = journal.usage()
    await journal.close()
    after = opened().usage()
    assert (after.entries, after.pending, after.deferred, after.oldest_pending_ms) == (
        before.entries,
        before.pending,
        before.deferred,
        before.oldest_pending_ms,
    )
    assert (before.entries, before.pending) == (10, 3)


async def test_positions_beyond_the_last_entry_use_up_the_ids_in_between(opened: Opens) -> None:
    """The database is older than what Kafka knows: a copy was restored."""
    journal = await filled(opened, 3)
    await journal.advance(Positions(100), [])
    assert (journal.last_id, journal.usage().pending, journal.usage().entries) == (99, 0, 3)
    assert await journal.append(submission()) == 100
    await journal.close()
    again = opened()
    assert (again.last_id, again.usage().entries) == (100, 4)


async def test_what_was_taken_since_kafkas_positions_were_compared_is_known_after_any_number_of_restarts(
    opened: Opens,
) -> None:
    journal = await filled(opened, 3)
    seen = [journal.unconfirmed_from]
    await journal.confirm()
    seen.append(journal.unconfirmed_from)
    await journal.append(submission())
    for _ in range(3):
        await journal.close()
        journal = opened()
        seen.append(journal.unconfirmed_from)
        await journal.append(submission())
    assert seen == [1, None, 5, 5, 5]


async def test_an_advance_counts_even_when_its_caller_is_cancelled(opened: Opens) -> None:
    journal = await filled(opened)
    task = asyncio.create_task(journal.advance(Positions(5), [(bytes(16), NOON_MS)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await journal.advance(Positions(6), [])
    assert journal.positions == Positions(6)
    assert set(await journal.seen([bytes(16)], 0)) == {bytes(16)}


async def test_a_clock_that_jumps_disturbs_nothing(opened: Opens) -> None:
    clock = Clock()
    journal = opened(clock_ms=clock)
    for ms in (NOON_MS, NOON_MS - 10**9, NOON_MS + 10**9, 0):
        clock.ms = ms
        await journal.append(submission(at_ms=ms))
    await journal.advance(Positions(3), [(bytes(16), 0)])
    assert [entry.id for entry in await journal.read(1, 10, 1000)] == [1, 2, 3, 4]
