"""After each new producer: bring the journal up to what Kafka has.

If the process died (or a commit's outcome was unclear) between Kafka's commit and the journal's own note, Kafka's
positions are ahead. The ids of the entries in between are entered into the window of duplicates first: otherwise the
second copy of a webhook that Kafka already has would go out again.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from bridge.duplicates import split
from bridge.forward.batch import prepare
from bridge.forward.merge import merge
from bridge.forward.repeats import find_repeats
from bridge.journal import Journal
from bridge.model import Entry, Positions, Prepared
from bridge.prepare import Preparer

READ_ENTRIES: Final = 500
READ_BYTES: Final = 4 << 20


async def recover(
    journal: Journal, preparer: Preparer, kafkas: Positions | None, positions_offset: int | None
) -> Positions:
    """Where to go on. `kafkas` is what the positions topic says, None when it says nothing of this journal."""
    truth = merge(journal.positions, kafkas)
    if truth != journal.positions:
        await _remember_forwarded(journal, preparer, truth)
        await journal.advance(truth, [], positions_offset=positions_offset)
    return truth


def is_older(journal: Journal, kafkas: Positions | None) -> bool:
    """Whether Kafka counts entries that this journal did not hold when it was opened after the last comparison."""
    first = journal.unconfirmed_from
    return kafkas is not None and first is not None and kafkas.next_id > first


async def begin_anew(journal: Journal, preparer: Preparer, kafkas: Positions) -> None:
    """Let a journal that `is_older` go on under a new id, from the first entry taken since the last comparison."""
    first = journal.unconfirmed_from
    assert first is not None
    capped = Positions(first, {topic: position for topic, position in kafkas.behind.items() if position < first})
    truth = merge(journal.positions, capped)
    await _remember_forwarded(journal, preparer, truth)
    await journal.renew(truth)


async def _remember_forwarded(journal: Journal, preparer: Preparer, truth: Positions) -> None:
    """Enter the ids of the entries that Kafka has and the journal doesn't count."""
    ours = journal.positions
    still_parked = await _parked_ids(journal, truth)
    async for entries in _forwarded_since(journal, ours, truth):
        gone = [entry for entry in entries if entry.id not in still_parked]
        prepared = await prepare(gone, preparer, lambda _, item: item)
        identities = [(p.identity, p.received_at_ms) for p in prepared if p.identity is not None]
        if preparer.semantic_ms:
            identities += await _said(prepared, journal, preparer)
        await journal.advance(ours, identities)


async def _said(prepared: Sequence[Prepared], journal: Journal, preparer: Preparer) -> list[tuple[bytes, int]]:
    """What the window of repeats remembers of entries that went out: not of duplicates, and not of repeats."""
    known = [item for item in prepared if item.identity is not None]
    since_ms = min((item.received_at_ms for item in known), default=0) - preparer.window_ms
    seen = await journal.seen([item.identity for item in known if item.identity is not None], since_ms)
    out, _ = split(known, seen)
    repeats = await find_repeats(out, journal, preparer.semantic_ms)
    return [(p.semantic, p.received_at_ms) for p in out if p.semantic is not None and p.entry_id not in repeats]


async def _parked_ids(journal: Journal, truth: Positions) -> set[int]:
    """Entries that the lanes behind still have to forward."""
    parked: set[int] = set()
    for topic, position in truth.behind.items():
        async for entries in _pages(journal, topic, position, truth.next_id):
            parked.update(entry.id for entry in entries)
    return parked


async def _forwarded_since(journal: Journal, ours: Positions, truth: Positions) -> AsyncIterator[list[Entry]]:
    """Entries that Kafka counts and the journal doesn't: of each lane that was behind, and at the front.

    In this order those of a topic come as they went out: a lane's queue is done before its new entries go.
    """
    for topic, position in ours.behind.items():
        async for entries in _pages(journal, topic, position, truth.of(topic)):
            yield entries
    async for entries in _pages(journal, None, ours.next_id, truth.next_id):
        yield entries


async def _pages(journal: Journal, topic: str | None, from_id: int, end_id: int) -> AsyncIterator[list[Entry]]:
    while from_id < end_id:
        if topic is None:
            entries = await journal.read(from_id, READ_ENTRIES, READ_BYTES)
        else:
            entries = await journal.read_parked(topic, from_id, READ_ENTRIES, READ_BYTES)
        page = [entry for entry in entries if entry.id < end_id]
        if page:
            yield page
        if len(page) < len(entries) or not entries:
            return
        from_id = entries[-1].id + 1
