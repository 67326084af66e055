"""After each new producer: bring the journal up to what Kafka has.

If the process dies (or a commit's answer is lost) between Kafka's commit and the journal's own note, Kafka's positions
are ahead. What was forwarded in between is entered into the window of duplicates before the positions are: else the
second copy of a webhook that Kafka already has would go out again.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from bridge.errors import JournalRestoredError
from bridge.forward.batch import deferral, pages, prepare, sort
from bridge.journal import Journal
from bridge.journal.queries import ID_MAX
from bridge.kafka.positions import Found
from bridge.model import Entry, InDoubt, Positions, Prepared
from bridge.transform.prepare import Preparer

Place = Literal["counted", "deferred", "ahead"]
Action = Literal["nothing", "remember", "defer"]


class Case(NamedTuple):
    """Where an entry is by the journal, and by Kafka's positions; and what is done. None: it makes no difference.

    `in_doubt`: it went out in a transaction that counts, but may lack the marker that makes its records visible.
    """

    journal: Place
    kafka: Place
    in_doubt: bool | None
    action: Action
    why: str


CASES: Final = (
    Case("counted", "counted", None, "nothing", "both have noted it"),
    Case("counted", "deferred", None, "nothing", "the positions topic is an older one: the journal's word counts"),
    Case("counted", "ahead", None, "nothing", "the positions topic was lost, or at_least_once wrote none"),
    Case("deferred", "counted", False, "remember", "the process died between Kafka's commit and the journal's note"),
    Case("deferred", "counted", True, "defer", "it waits on until its marker is known"),
    Case("deferred", "deferred", None, "nothing", "it waits for its topic"),
    Case("deferred", "ahead", None, "nothing", "its topic was found paused by a batch that was never committed"),
    Case("ahead", "counted", False, "remember", "the process died between Kafka's commit and the journal's note"),
    Case("ahead", "counted", True, "defer", "it waits until its marker is known"),
    Case("ahead", "deferred", None, "defer", "a copy of the journal from before it was deferred, or a salvaged one"),
    Case("ahead", "ahead", None, "nothing", "it goes next"),
)


def action_of(journal: Place, kafka: Place, in_doubt: bool) -> Action:
    """What is done about an entry."""
    for case in CASES:
        if (case.journal, case.kafka) == (journal, kafka) and case.in_doubt in {None, in_doubt}:
            return case.action
    raise AssertionError(journal, kafka, in_doubt)


def merge(ours: Positions, kafkas: Positions | None, *, noted: bool = False) -> Positions:
    """The larger position of each topic: positions only ever grow, in both places.

    With `noted`, the journal has taken note of what Kafka says. Its queues that are behind are so nevertheless: for
    entries that Kafka counts, and whose marker was missing.
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
    """Where to go on. `found` is what the positions topic says, None where it isn't asked.

    Raises JournalRestoredError where Kafka counts entries that this journal did not hold when it was opened after the
    last comparison. What Kafka has of the others is noted then, so that `journal renew` needn't ask it.
    """
    first, kafkas = journal.unconfirmed_from, found.positions if found is not None else None
    if found is not None and first is not None:
        if kafkas is not None and kafkas.next_id > first:
            shared = Positions(first, {topic: at for topic, at in kafkas.behind.items() if at < first}, kafkas.deferred)
            await _catch_up(journal, preparer, replace(found, positions=shared))
            raise JournalRestoredError(
                f"the journal {journal.path} is an older copy: Kafka counts entries from {first} on that it never "
                "held. Nothing is forwarded, and webhooks wait in it. Run `treble-bridge journal renew "
                f"{journal.path}` while no bridge runs on it"
            )
        await journal.confirm()
    truth = await _catch_up(journal, preparer, found)
    if journal.usage().deferred:
        await journal.drop_deferred_from(truth.next_id)
    return truth


async def _catch_up(journal: Journal, preparer: Preparer, found: Found | None) -> Positions:
    """Bring the journal to where Kafka is; returns where that is."""
    kafkas, offset = (found.positions, found.offset) if found is not None else (None, None)
    in_doubt, again = _decided(journal.in_doubt, found)
    truth = merge(journal.positions, kafkas, noted=offset is not None and offset == journal.positions_offset)
    if again and journal.in_doubt.transaction is not None:
        truth = merge(truth, journal.in_doubt.transaction.positions)
    if truth == journal.positions:
        await journal.note_in_doubt(in_doubt)
        return truth
    deferred = await _deferred_ids(journal, truth)
    lacking = {topic for topic, count in (kafkas or truth).deferred.items() if len(deferred.get(topic, ())) < count}
    still_deferred = set().union(*deferred.values())
    behind, rows, gone, undecided = dict(truth.behind), list[tuple[int, str, str]](), list[int](), set[bytes | None]()
    async for queue, entries in _between(journal, truth):
        forwarded: list[Prepared] = []
        for item in await prepare(entries, preparer):
            waits = item.entry_id in still_deferred
            lacks = queue is None and item.topic in lacking and item.entry_id >= truth.of(item.topic)
            action = action_of(
                "deferred" if queue or waits else "ahead",
                "deferred" if waits or lacks else "counted",
                item.entry_id in again,
            )
            if action == "remember":
                forwarded.append(item)
                if queue and again:  # some of this queue stay, so its position doesn't say that this one has gone
                    gone.append(item.entry_id)
            elif action == "defer" and item.record is not None:
                topic = queue or item.topic
                behind[topic] = min(item.entry_id, behind.get(topic, item.entry_id))
                if queue is None:
                    rows.append(deferral(item, topic))
            if item.entry_id in again:  # it may go again, so neither it nor its copies are known as forwarded
                undecided |= {item.dedupe_key, item.content_key}
        remembered = (await sort(forwarded, journal, preparer)).dedupe_keys()
        await journal.advance(journal.positions, [(key, at_ms) for key, at_ms in remembered if key not in undecided])
    truth = Positions(truth.next_id, behind)
    await journal.advance(truth, [], positions_offset=offset, in_doubt=in_doubt, waiting=rows, gone=gone)
    return truth


def _decided(in_doubt: InDoubt, found: Found | None) -> tuple[InDoubt, frozenset[int]]:
    """What is left in doubt once the positions were read, and the entries of a transaction that counts, whose markers
    may be missing.

    What was acknowledged counts. What was not does if its positions are there. Where it doesn't, its entries are sent
    anyway, and what is there without a marker has only to be aborted.
    """
    last = in_doubt.transaction
    markers, again = list(in_doubt.markers), frozenset[int]()
    if last is not None:
        counts = found is not None and (last.acknowledged or (found.offset or 0) >= last.offset)
        markers += last.markers if counts else [marker._replace(entry_ids=()) for marker in last.markers]
        again = frozenset(entry_id for marker in last.markers for entry_id in marker.entry_ids) if counts else again
    return InDoubt(tuple(marker for marker in markers if found is None or marker.topic != found.topic)), again


async def remembered_of(entry_ids: Collection[int], journal: Journal, preparer: Preparer) -> list[tuple[bytes, int]]:
    """What the windows remember of these entries, which have gone."""
    found: list[tuple[bytes, int]] = []
    async for entries in pages(journal, None, min(entry_ids, default=0), max(entry_ids, default=-1) + 1):
        gone = [entry for entry in entries if entry.id in entry_ids]
        found += (await sort(await prepare(gone, preparer), journal, preparer)).dedupe_keys()
    return found


async def _deferred_ids(journal: Journal, truth: Positions) -> dict[str, set[int]]:
    """Entries that are deferred for the topics behind and not forwarded, topic by topic."""
    deferred: dict[str, set[int]] = {topic: set() for topic in truth.behind}
    for topic, position in truth.behind.items():
        async for entries in pages(journal, topic, position, ID_MAX):
            deferred[topic].update(entry.id for entry in entries)
    return deferred


async def _between(journal: Journal, truth: Positions) -> AsyncIterator[tuple[str | None, list[Entry]]]:
    """Entries that Kafka counts and the journal doesn't: of each topic's queue, and (None) at the front.

    In this order those of a topic come as they went out: a topic's queue is done before its new entries go.
    """
    ours = journal.positions
    for topic, position in ours.behind.items():
        async for entries in pages(journal, topic, position, truth.of(topic)):
            yield topic, entries
    async for entries in pages(journal, None, ours.next_id, truth.next_id):
        yield None, entries
