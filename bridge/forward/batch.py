"""Batches: entries are prepared, and sorted into what goes out, what is a duplicate, and what waits for its topic.

A duplicate is told by the times of arrival, so recovery sorts the entries that Kafka has already as they were sorted
when they went out. The first copy counts: one that is dropped doesn't make the window longer. One that is marked
begins the window anew once its batch is committed; in one batch, copies are measured from the last unmarked one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from bridge.journal import Journal
from bridge.model import Entry, Positions, Prepared
from bridge.transform.dedupe import split
from bridge.transform.prepare import Preparer

SLICE_ENTRIES: Final = 50
"""Entries prepared before the event loop gets a turn: about a millisecond, so that no request waits longer."""

READ_ENTRIES: Final = 500
READ_BYTES: Final = 4 << 20

_BY_ID: Final = attrgetter("entry_id")


@dataclass(slots=True)
class Batch:
    """`out` goes to Kafka, in order (a record of None is dropped by its route); the rest doesn't now.

    `repeats` are those of `duplicates` that only say the same as another, under an id of their own.
    """

    out: list[Prepared] = field(default_factory=list)
    duplicates: list[Prepared] = field(default_factory=list)
    repeats: list[Prepared] = field(default_factory=list)
    waiting: list[Prepared] = field(default_factory=list)

    @property
    def records(self) -> list[Prepared]:
        """What carries a record."""
        return [item for item in self.out if item.record is not None]

    def size(self) -> tuple[int, int]:
        """How many entries it was made of, and how many bytes the values of its records have."""
        entries = len(self.out) + len(self.duplicates) + len(self.waiting)
        return entries, sum(len(item.record.value) for item in self.out if item.record is not None)

    def dedupe_keys(self) -> list[tuple[bytes, int]]:
        """What the window of duplicates remembers once this is forwarded."""
        # A copy of a repeat, after the window of what it says, must not go out as something new.
        found = [(item.dedupe_key, item.received_at_ms) for item in (*self.out, *self.repeats)]
        found += [(item.content_key, item.received_at_ms) for item in self.out]
        return [(key, at_ms) for key, at_ms in found if key is not None]

    def hold_back(self, topics: Collection[str]) -> None:
        """Move what goes to these topics, or would as a copy, to `waiting`."""
        if topics:
            # Copies wait with what they are copies of. After a crash they would be the ones that are known as gone,
            # and what waits would be the copy.
            self.waiting += [item for item in (*self.out, *self.duplicates) if item.topic in topics]
            self.out, self.duplicates, self.repeats = (
                [item for item in items if item.topic not in topics]
                for items in (self.out, self.duplicates, self.repeats)
            )


def topics_of(items: Iterable[Prepared]) -> set[str]:
    """The topics that their records go to."""
    return {item.topic for item in items if item.record is not None}


async def prepare(entries: Sequence[Entry], preparer: Preparer) -> list[Prepared]:
    """Prepare the entries, giving the loop a turn in between."""
    prepared: list[Prepared] = []
    for start in range(0, len(entries), SLICE_ENTRIES):
        if start:
            await asyncio.sleep(0)
        prepared += map(preparer.prepare, entries[start : start + SLICE_ENTRIES])
    return prepared


async def sort(
    prepared: Sequence[Prepared],
    journal: Journal,
    preparer: Preparer,
    queue_of: Callable[[Prepared], str | None] = lambda _: None,
) -> Batch:
    """Sort a slice; `queue_of` names the queue in which an entry has to wait."""
    batch = Batch()
    for item in prepared:
        (batch.waiting if item.record is not None and queue_of(item) else batch.out).append(item)
    if not preparer.window_ms:
        return batch
    batch.out, batch.duplicates = await _known_apart(
        batch.out, journal, lambda item: item.dedupe_key, lambda _: preparer.window_ms
    )
    if windows_ms := preparer.content_window_ms:
        batch.out, batch.repeats = await _known_apart(
            batch.out, journal, lambda item: item.content_key, lambda item: windows_ms[item.event_type]
        )
        batch.duplicates = sorted([*batch.duplicates, *batch.repeats], key=_BY_ID)
    if preparer.marks_duplicates and batch.duplicates:
        batch.out = sorted([*batch.out, *map(preparer.remark, batch.duplicates)], key=_BY_ID)
        batch.duplicates, batch.repeats = [], []
    return batch


async def _known_apart(
    items: list[Prepared],
    journal: Journal,
    key: Callable[[Prepared], bytes | None],
    window_ms: Callable[[Prepared], int],
) -> tuple[list[Prepared], list[Prepared]]:
    """The items whose keys are new, and those whose keys the journal or the items before them have in their window."""
    keyed = [(item, found) for item in items if (found := key(item)) is not None]
    if not keyed:
        return items, []
    earliest_ms = min(item.received_at_ms - window_ms(item) for item, _ in keyed)
    seen = await journal.seen([found for _, found in keyed], earliest_ms)
    return split(items, seen, key, window_ms)


def deferral(item: Prepared, queue: str) -> tuple[int, str, str]:
    """The deferred row of an entry that waits in the queue of this topic.

    Without a type for what waits for the quarantine: it doesn't follow the map when its type's topic changes.
    """
    return item.entry_id, queue, item.event_type if item.outcome != "quarantined" else ""


async def waits_elsewhere(item: Prepared, queue: str, positions: Positions, journal: Journal) -> bool:
    """Whether an entry of this queue is in the queue of the topic that it goes to as well, and goes out from there.

    A salvage that lost which entries were deferred puts them into each queue that they may have been in. From another
    queue one could overtake older entries of its own topic.
    """
    if item.topic == queue or positions.of(item.topic) > item.entry_id:
        return False
    found = await journal.read_deferred(item.topic, item.entry_id, 1, 1)
    return bool(found) and found[0].id == item.entry_id


async def pages(journal: Journal, topic: str | None, from_id: int, end_id: int) -> AsyncIterator[list[Entry]]:
    """The entries from `from_id` on and below `end_id`: all of them, or those that are deferred for a topic.

    Page by page: a backlog may be larger than the memory.
    """
    while from_id < end_id:
        if topic is None:
            entries = await journal.read(from_id, READ_ENTRIES, READ_BYTES)
        else:
            entries = await journal.read_deferred(topic, from_id, READ_ENTRIES, READ_BYTES)
        page = [entry for entry in entries if entry.id < end_id]
        if page:
            yield page
        if len(page) < len(entries) or not entries:
            return
        from_id = entries[-1].id + 1
