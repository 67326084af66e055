"""After each new producer: bring the journal up to what Kafka has.

If the process died (or a commit's outcome was unclear) between Kafka's commit and the journal's own note, Kafka's
positions are ahead. The ids of the entries in between are entered into the window of duplicates first: otherwise the
second copy of a webhook that Kafka already has would go out again. And where the journal is a restored copy, what Kafka
says is waiting for a lane may not be parked in it yet. Entries of a transaction that counts, whose records Kafka may
have left without an end, are parked until that is known (`ends`).

The journal's positions and Kafka's → where to go on. Pure.

Each lane's position only ever grows, in both places; so the larger one is the truth, lane by lane. Kafka's is larger
when the process died between the commit and the journal's own note of it; the journal's is larger when the positions
topic was lost, or after a stretch of at_least_once, which writes none. One exception: entries that Kafka counts, and
whose records it left without an end, go again, so the journal has their lane behind what Kafka last said of it.
"""

from collections.abc import AsyncIterator, Collection, Sequence

from bridge.forward.batch import find_repeats, pages, parking, part, prepare
from bridge.journal import Journal
from bridge.journal.queries import ID_MAX
from bridge.kafka.positions import Found
from bridge.model import Doubts, Entry, Positions, Prepared
from bridge.transform.prepare import Preparer


def merge(ours: Positions, kafkas: Positions | None, *, noted: bool = False) -> Positions:
    """The larger position of each lane. With `noted`, the journal has taken note of what Kafka says, and its lanes that
    are behind are so nevertheless.
    """
    if kafkas is None:
        return ours
    next_id = max(ours.next_id, kafkas.next_id)
    behind = {}
    for topic in {*ours.behind, *kafkas.behind}:
        position = ours.of(topic)
        if not (noted and topic in ours.behind):
            position = max(position, kafkas.of(topic))
        if position < next_id:
            behind[topic] = position
    return Positions(next_id, behind)


async def recover(journal: Journal, preparer: Preparer, found: Found | None) -> Positions:
    """Where to go on. `found` is what the positions topic says, None where it isn't asked."""
    kafkas, offset = (found.positions, found.offset) if found is not None else (None, None)
    doubts, again = _decided(journal.doubts, found)
    truth = merge(journal.positions, kafkas, noted=offset is not None and offset == journal.positions_offset)
    if again and journal.doubts.unclear is not None:
        truth = merge(truth, journal.doubts.unclear.positions)
    if truth == journal.positions:
        await journal.doubt(doubts)
        return truth
    await _catch_up_with(journal, preparer, truth, kafkas, again)
    truth, waiting, gone = await _held_back(journal, preparer, truth, again)
    await journal.advance(truth, [], positions_offset=offset, doubts=doubts, waiting=waiting, gone=gone)
    return truth


def _decided(doubts: Doubts, found: Found | None) -> tuple[Doubts, frozenset[int]]:
    """What is left of the doubts once the positions were read, and the entries of a transaction that counts, whose
    records may have no end.

    What was acknowledged counts. What was not does if its positions are there. Where it doesn't, its entries are sent
    anyway, and what is there without an end has only to go.
    """
    unclear = doubts.unclear
    ends, again = list(doubts.ends), frozenset[int]()
    if unclear is not None:
        counts = found is not None and (unclear.acknowledged or (found.offset or 0) >= unclear.offset)
        ends += unclear.ends if counts else [end._replace(entry_ids=()) for end in unclear.ends]
        again = frozenset(entry_id for end in unclear.ends for entry_id in end.entry_ids) if counts else again
    return Doubts(tuple(end for end in ends if found is None or end.topic != found.topic)), again


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


async def _catch_up_with(
    journal: Journal, preparer: Preparer, truth: Positions, kafkas: Positions | None, again: Collection[int] = ()
) -> None:
    """Park what waits by Kafka's word, and enter the ids of what Kafka has and the journal doesn't count."""
    parked = await _parked_ids(journal, truth)
    if lacking := [topic for topic, count in (kafkas or truth).parked.items() if len(parked.get(topic, ())) < count]:
        await _park_what_waits(journal, preparer, truth, lacking)
        parked = await _parked_ids(journal, truth)
    await _remember_forwarded(journal, preparer, truth, set().union(*parked.values()), again)


async def _held_back(
    journal: Journal, preparer: Preparer, truth: Positions, again: Collection[int]
) -> tuple[Positions, list[tuple[int, str, str]], list[int]]:
    """Let these entries wait. Returns the positions then, the rows to park, and the ids of those that leave a queue."""
    ours, behind = journal.positions, dict(truth.behind)
    rows: list[tuple[int, str, str]] = []
    gone: list[int] = []
    if not again:
        return truth, rows, gone
    for topic in ours.behind:
        async for entries in pages(journal, topic, ours.of(topic), truth.of(topic)):
            gone += [entry.id for entry in entries if entry.id not in again]
            if waiting := [entry.id for entry in entries if entry.id in again]:
                behind[topic] = min(waiting[0], behind.get(topic, waiting[0]))
    async for entries in pages(journal, None, ours.next_id, truth.next_id):
        prepared = await prepare([entry for entry in entries if entry.id in again], preparer, lambda _, item: item)
        for item in prepared:
            if item.record is not None:
                rows.append(parking(item, item.topic))
                behind[item.topic] = min(item.entry_id, behind.get(item.topic, item.entry_id))
    return Positions(truth.next_id, behind), rows, gone


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


async def _remember_forwarded(
    journal: Journal, preparer: Preparer, truth: Positions, still_parked: set[int], again: Collection[int]
) -> None:
    """Enter the ids of the entries that Kafka has and the journal doesn't count; not of those that may go again, nor by
    way of their copies.
    """
    ours = journal.positions
    not_yet: set[bytes | None] = set()
    async for entries in _forwarded_since(journal, ours, truth):
        gone = [entry for entry in entries if entry.id not in still_parked]
        prepared = await prepare(gone, preparer, lambda _, item: item)
        not_yet |= {name for p in prepared if p.entry_id in again for name in (p.identity, p.content_key)}
        remembered = await _remembered(prepared, journal, preparer)
        await journal.advance(ours, [(name, at_ms) for name, at_ms in remembered if name not in not_yet])


async def remembered_of(entry_ids: Collection[int], journal: Journal, preparer: Preparer) -> list[tuple[bytes, int]]:
    """What the windows remember of these entries, which have gone."""
    found: list[tuple[bytes, int]] = []
    async for entries in pages(journal, None, min(entry_ids, default=0), max(entry_ids, default=-1) + 1):
        gone = [entry for entry in entries if entry.id in entry_ids]
        prepared = await prepare(gone, preparer, lambda _, item: item)
        found += await _remembered(prepared, journal, preparer)
    return found


async def _remembered(prepared: Sequence[Prepared], journal: Journal, preparer: Preparer) -> list[tuple[bytes, int]]:
    """What the windows remember of entries that went out: not of duplicates, and not what repeats said."""
    out, _ = await part(prepared, journal, preparer.window_ms)
    identities = [(p.identity, p.received_at_ms) for p in out if p.identity is not None]
    repeats = await find_repeats(out, journal, preparer.content_window_ms) if preparer.content_window_ms else set()
    said = [(p.content_key, p.received_at_ms) for p in out if p.content_key is not None and p.entry_id not in repeats]
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
