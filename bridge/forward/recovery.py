"""After each new producer: bring the journal up to what Kafka has.

If the process died (or a commit's outcome was unclear) between Kafka's commit and the journal's own note, Kafka's
positions are ahead. The ids of the entries in between are entered into the window of duplicates first: otherwise the
second copy of a webhook that Kafka already has would go out again. And where the journal is a restored copy, what Kafka
says is waiting for a lane may not be parked in it yet.
"""

from collections.abc import AsyncIterator, Collection, Sequence

from bridge.forward.batch import parking, part, prepare
from bridge.forward.merge import merge
from bridge.forward.pages import pages
from bridge.forward.repeats import find_repeats
from bridge.journal import Journal
from bridge.journal.queries import ID_MAX
from bridge.model import Entry, Positions, Prepared
from bridge.prepare import Preparer


async def recover(
    journal: Journal, preparer: Preparer, kafkas: Positions | None, positions_offset: int | None
) -> Positions:
    """Where to go on. `kafkas` is what the positions topic says, None when it says nothing of this journal."""
    truth = merge(journal.positions, kafkas)
    if truth != journal.positions:
        await _catch_up_with(journal, preparer, truth, kafkas)
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
    await _catch_up_with(journal, preparer, truth, kafkas)
    await journal.renew(truth)


async def _catch_up_with(journal: Journal, preparer: Preparer, truth: Positions, kafkas: Positions | None) -> None:
    """Park what waits by Kafka's word, and enter the ids of what Kafka has and the journal doesn't count."""
    parked = await _parked_ids(journal, truth)
    if lacking := [topic for topic, count in (kafkas or truth).parked.items() if len(parked.get(topic, ())) < count]:
        await _park_what_waits(journal, preparer, truth, lacking)
        parked = await _parked_ids(journal, truth)
    await _remember_forwarded(journal, preparer, truth, set().union(*parked.values()))


async def _park_what_waits(journal: Journal, preparer: Preparer, truth: Positions, topics: Collection[str]) -> None:
    """Park the entries of these lanes that only Kafka knows to wait.

    The parked rows are durable before Kafka counts past their entries. So they are missing only in a copy of the
    journal that is older than the parking: and there, the entries that Kafka counts and the journal doesn't are to be
    told apart by where they go.
    """
    async for entries in pages(journal, None, journal.positions.next_id, truth.next_id):
        prepared = await prepare(entries, preparer, lambda _, item: item)
        waiting = [
            p for p in prepared if p.record is not None and p.topic in topics and p.entry_id >= truth.of(p.topic)
        ]
        if waiting:
            await journal.park([parking(item, item.topic) for item in waiting])


async def _remember_forwarded(journal: Journal, preparer: Preparer, truth: Positions, still_parked: set[int]) -> None:
    """Enter the ids of the entries that Kafka has and the journal doesn't count."""
    ours = journal.positions
    async for entries in _forwarded_since(journal, ours, truth):
        gone = [entry for entry in entries if entry.id not in still_parked]
        prepared = await prepare(gone, preparer, lambda _, item: item)
        await journal.advance(ours, await _remembered(prepared, journal, preparer))


async def _remembered(prepared: Sequence[Prepared], journal: Journal, preparer: Preparer) -> list[tuple[bytes, int]]:
    """What the windows remember of entries that went out: not of duplicates, and not what repeats said."""
    out, _ = await part(prepared, journal, preparer.window_ms)
    identities = [(p.identity, p.received_at_ms) for p in out if p.identity is not None]
    repeats = await find_repeats(out, journal, preparer.semantic_ms) if preparer.semantic_ms else set()
    said = [(p.semantic, p.received_at_ms) for p in out if p.semantic is not None and p.entry_id not in repeats]
    return identities + said


async def _parked_ids(journal: Journal, truth: Positions) -> dict[str, set[int]]:
    """Entries that are parked for the lanes behind and not forwarded, lane by lane."""
    parked: dict[str, set[int]] = {topic: set() for topic in truth.behind}
    for topic, position in truth.behind.items():
        async for entries in pages(journal, topic, position, ID_MAX):
            parked[topic].update(entry.id for entry in entries)
    return parked


async def _forwarded_since(journal: Journal, ours: Positions, truth: Positions) -> AsyncIterator[list[Entry]]:
    """Entries that Kafka counts and the journal doesn't: of each lane that was behind, and at the front.

    In this order those of a topic come as they went out: a lane's queue is done before its new entries go.
    """
    for topic, position in ours.behind.items():
        async for entries in pages(journal, topic, position, truth.of(topic)):
            yield entries
    async for entries in pages(journal, None, ours.next_id, truth.next_id):
        yield entries
