"""Entries in, entries out: ids, order, batches, waiting."""

import asyncio

import pytest

from bridge.errors import JournalFailedError
from bridge.journal.writer import COMMIT_ITEMS_MAX
from bridge.model import Entry, Positions
from tests.unit.journal.conftest import Opens
from tests.unit.journal.making import NOON_MS, submission, until


async def test_an_entry_comes_back_as_it_was_handed_over(opened: Opens) -> None:
    journal = opened()
    body = bytes(range(256)) * 40
    assert await journal.append(Entry(0, NOON_MS, "tréble", "ünknown/…", b'{"a":"b"}', body)) == 1
    assert await journal.read(1, 10, 1) == [Entry(1, NOON_MS, "tréble", "ünknown/…", b'{"a":"b"}', body)]


async def test_ids_grow_by_one_in_the_order_of_the_calls_however_commits_are_cut(opened: Opens) -> None:
    journal = opened()
    count = 3 * COMMIT_ITEMS_MAX + 5
    ids = await asyncio.gather(*(journal.append(submission(str(number))) for number in range(count)))
    assert ids == list(range(1, count + 1))
    assert journal.last_id == count
    bodies = [entry.body for entry in await journal.read(1, count, 1 << 30)]
    assert bodies == [str(number).encode() for number in range(count)]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 129, 1000])
async def test_a_commit_of_any_size_holds_all_its_entries(opened: Opens, count: int) -> None:
    journal = opened()
    await asyncio.gather(*(journal.append(submission(str(number))) for number in range(count)))
    assert [entry.id for entry in await journal.read(1, 2000, 1 << 30)] == list(range(1, count + 1))


async def test_many_large_entries_are_committed_in_parts_and_all_of_them(opened: Opens) -> None:
    journal = opened()
    body = b"x" * (1 << 20)
    assert await asyncio.gather(*(journal.append(submission(body)) for _ in range(20))) == list(range(1, 21))


async def test_a_slice_ends_by_count_or_by_bytes_but_has_one_entry_at_least(opened: Opens) -> None:
    journal = opened()
    await asyncio.gather(*(journal.append(submission(b"x" * 100)) for _ in range(10)))
    assert [entry.id for entry in await journal.read(4, 3, 1 << 20)] == [4, 5, 6]
    assert [entry.id for entry in await journal.read(4, 10, 250)] == [4, 5]
    assert [entry.id for entry in await journal.read(4, 10, 1)] == [4]
    assert await journal.read(11, 10, 1000) == []


async def test_waiting_ends_with_the_entry_that_was_waited_for(opened: Opens) -> None:
    journal = opened()
    waiting = asyncio.create_task(journal.wait_for(2))
    await journal.append(submission())
    await asyncio.sleep(0)
    assert not waiting.done()
    await journal.append(submission())
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(journal.wait_for(1), 5)


async def test_a_waiter_that_gave_up_is_forgotten(opened: Opens) -> None:
    journal = opened()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(journal.wait_for(1), 0.01)
    assert len(journal._appended._waiters) == 0
    await journal.append(submission())


async def test_an_append_that_nobody_waits_for_any_more_is_stored_all_the_same(opened: Opens) -> None:
    journal = opened()
    journal.append(submission("given up")).cancel()
    assert await journal.append(submission("next")) == 2
    assert [entry.body for entry in await journal.read(1, 10, 1000)] == [b"given up", b"next"]


async def test_text_that_cannot_be_stored_fails_its_own_append_only(opened: Opens) -> None:
    journal = opened()
    others = [journal.append(submission()), journal.append(submission())]
    with pytest.raises(UnicodeEncodeError):
        journal.append(submission(hint="\ud83d"))
    assert await asyncio.gather(*others) == [1, 2]
    assert not journal.failed.done()


async def test_closing_commits_what_is_queued_and_takes_nothing_more(opened: Opens) -> None:
    journal = opened()
    queued = [journal.append(submission()) for _ in range(200)]
    waiting = asyncio.create_task(journal.wait_for(1000))
    await asyncio.sleep(0)
    await journal.close()
    assert [future.result() for future in queued] == list(range(1, 201))
    for later in (lambda: journal.append(submission()), lambda: journal.read(1, 1, 1), lambda: journal.wait_for(1000)):
        with pytest.raises(JournalFailedError, match="closed"):
            await later()
    with pytest.raises(JournalFailedError, match="closed"):
        await waiting


async def test_ids_are_never_used_twice_even_when_every_entry_was_deleted(opened: Opens) -> None:
    journal = opened(retain_s=0, retain_bytes=0)
    await asyncio.gather(*(journal.append(submission()) for _ in range(5)))
    await journal.advance(Positions(6), [])
    await until(lambda: journal.usage().entries == 0, "retention")
    await journal.close()
    again = opened()
    assert again.last_id == 5
    assert await again.append(submission()) == 6
