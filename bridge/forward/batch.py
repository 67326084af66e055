"""A slice of the journal, sorted: what goes out, what is a duplicate, what waits for its topic.

Events that say what another said shortly before, times apart: which of a slice they are.

Decided by the times of arrival alone, entry after entry, so the answer is the same in whatever batches the entries
come, and when recovery asks again for entries that Kafka has already. What counts is the first: a repeat doesn't make
the window longer.

A stretch of the journal, page by page: a backlog may be larger than the memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bridge.journal import Journal
from bridge.model import Entry, Prepared
from bridge.transform.dedupe import split
from bridge.transform.prepare import Preparer

_NEVER = float("-inf")


async def find_repeats(items: Sequence[Prepared], journal: Journal, content_window_ms: Mapping[str, int]) -> set[int]:
    """The ids of the entries among `items` (in order, without duplicates) that are repeats.

    `content_window_ms` is the window by event type.
    """
    told = [(item, item.content_key) for item in items if item.content_key is not None]
    if not told:
        return set()
    earliest_ms = min(item.received_at_ms - content_window_ms[item.event_type] for item, _ in told)
    last_ms = dict(await journal.seen([content_key for _, content_key in told], earliest_ms))
    repeats: set[int] = set()
    for item, content_key in told:
        if last_ms.get(content_key, _NEVER) >= item.received_at_ms - content_window_ms[item.event_type]:
            repeats.add(item.entry_id)
        else:
            last_ms[content_key] = item.received_at_ms
    return repeats


SLICE_ENTRIES: Final = 50
"""Entries prepared before the event loop gets a turn: about a millisecond, so that no request waits longer."""


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

    def topics(self) -> set[str]:
        """The topics that records go to."""
        return {item.record.topic for item in self.out if item.record is not None}

    def dedupe_keys(self) -> list[tuple[bytes, int]]:
        """What the window of duplicates remembers once this is forwarded."""
        found = [(item.dedupe_key, item.received_at_ms) for item in self.out if item.dedupe_key is not None]
        found += [(item.content_key, item.received_at_ms) for item in self.out if item.content_key is not None]
        # A copy of a repeat, after the window of what it says, must not go out as something new.
        return found + [(item.dedupe_key, item.received_at_ms) for item in self.repeats if item.dedupe_key is not None]

    def hold_back(self, topics: Iterable[str]) -> None:
        """Move what goes to these topics, or would as a copy, to `waiting`."""
        blocked = set(topics)
        if blocked:
            # Copies wait with what they are copies of. After a crash they would be the ones that are known as gone,
            # and what waits would be the copy.
            self.waiting += [item for item in (*self.out, *self.duplicates) if item.topic in blocked]
            self.out, self.duplicates, self.repeats = (
                [item for item in items if item.topic not in blocked]
                for items in (self.out, self.duplicates, self.repeats)
            )


async def prepare(
    entries: Sequence[Entry], preparer: Preparer, replace: Callable[[Entry, Prepared], Prepared]
) -> list[Prepared]:
    """Prepare the entries, giving the loop a turn in between. `replace` replaces records that Kafka rejected before."""
    prepared: list[Prepared] = []
    for start in range(0, len(entries), SLICE_ENTRIES):
        if start:
            await asyncio.sleep(0)
        for entry in entries[start : start + SLICE_ENTRIES]:
            prepared.append(replace(entry, preparer.prepare(entry)))  # noqa: PERF401 - it reads as the two steps it is
    return prepared


def deferral(item: Prepared, queue: str) -> tuple[int, str, str]:
    """The deferred row of an entry that waits in the queue of this topic.

    Without a type for what waits for the quarantine: it doesn't follow the map when its type's topic changes.
    """
    return item.entry_id, queue, item.event_type if item.outcome != "quarantined" else ""


async def part(items: Sequence[Prepared], journal: Journal, window_ms: int) -> tuple[list[Prepared], list[Prepared]]:
    """What goes out, and what is a duplicate by the journal's window of `window_ms`."""
    known = [item for item in items if item.dedupe_key is not None]
    since_ms = min((item.received_at_ms for item in known), default=0) - window_ms
    seen = await journal.seen([item.dedupe_key for item in known if item.dedupe_key is not None], since_ms)
    return split(items, seen, window_ms)


async def sort(
    prepared: Sequence[Prepared],
    journal: Journal,
    preparer: Preparer,
    *,
    waits: Callable[[Prepared], bool],
) -> Batch:
    """Sort a slice; `waits` says of an entry whether it stays behind."""
    batch = Batch()
    moving: list[Prepared] = []
    for item in prepared:
        (batch.waiting if item.record is not None and waits(item) else moving).append(item)
    if not preparer.window_ms:
        batch.out = moving
        return batch
    batch.out, batch.duplicates = await part(moving, journal, preparer.window_ms)
    if preparer.content_window_ms and (repeats := await find_repeats(batch.out, journal, preparer.content_window_ms)):
        batch.repeats = [item for item in batch.out if item.entry_id in repeats]
        batch.out = [item for item in batch.out if item.entry_id not in repeats]
        batch.duplicates = sorted([*batch.duplicates, *batch.repeats], key=lambda item: item.entry_id)
    if preparer.marks_duplicates and batch.duplicates:
        marked = {item.entry_id: preparer.remark(item) for item in batch.duplicates}
        merged = [*batch.out, *marked.values()]
        batch.out = sorted(merged, key=lambda item: item.entry_id)
        batch.duplicates, batch.repeats = [], []
    return batch


READ_ENTRIES: Final = 500
READ_BYTES: Final = 4 << 20


async def pages(journal: Journal, topic: str | None, from_id: int, end_id: int) -> AsyncIterator[list[Entry]]:
    """The entries from `from_id` on and below `end_id`: all of them, or those that are deferred for a topic."""
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
