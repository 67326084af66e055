"""A slice of the journal, sorted: what goes out, what is a duplicate, what waits for its lane."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bridge.duplicates import split
from bridge.journal import Journal
from bridge.model import Entry, Prepared
from bridge.prepare import Preparer

SLICE_ENTRIES: Final = 50
"""Entries prepared before the event loop gets a turn: about a millisecond, so that no request waits longer."""


@dataclass(slots=True)
class Batch:
    """`out` goes to Kafka, in order (a record of None is dropped by its route); the rest doesn't now."""

    out: list[Prepared] = field(default_factory=list)
    duplicates: list[Prepared] = field(default_factory=list)
    waiting: list[Prepared] = field(default_factory=list)

    @property
    def records(self) -> list[Prepared]:
        """What carries a record."""
        return [item for item in self.out if item.record is not None]

    def topics(self) -> set[str]:
        """The topics that records go to."""
        return {item.record.topic for item in self.out if item.record is not None}

    def identities(self) -> list[tuple[bytes, int]]:
        """What the window of duplicates remembers once this is forwarded."""
        return [(item.identity, item.received_at_ms) for item in self.out if item.identity is not None]

    def hold_back(self, topics: Iterable[str]) -> None:
        """Move what goes to these topics from `out` to `waiting`."""
        blocked = set(topics)
        if blocked:
            self.waiting += [item for item in self.out if item.topic in blocked]
            self.out = [item for item in self.out if item.topic not in blocked]


async def prepare(
    entries: Sequence[Entry], preparer: Preparer, refused: Callable[[Entry, Prepared], Prepared]
) -> list[Prepared]:
    """Prepare the entries, giving the loop a turn in between. `refused` replaces records that Kafka refused before."""
    prepared: list[Prepared] = []
    for start in range(0, len(entries), SLICE_ENTRIES):
        if start:
            await asyncio.sleep(0)
        for entry in entries[start : start + SLICE_ENTRIES]:
            prepared.append(refused(entry, preparer.prepare(entry)))  # noqa: PERF401 - it reads as the two steps it is
    return prepared


async def sort(
    prepared: Sequence[Prepared],
    journal: Journal,
    preparer: Preparer,
    *,
    since_ms: int | None,
    waits: Callable[[str], bool],
) -> Batch:
    """Sort a slice. `since_ms` is the start of the window of duplicates, None when it is off."""
    batch = Batch()
    moving: list[Prepared] = []
    for item in prepared:
        (batch.waiting if item.record is not None and waits(item.topic) else moving).append(item)
    if since_ms is None:
        batch.out = moving
        return batch
    identities = [item.identity for item in moving if item.identity is not None]
    seen = await journal.seen(identities, since_ms) if identities else set()
    batch.out, batch.duplicates = split(moving, seen)
    if preparer.marks_duplicates and batch.duplicates:
        marked = {item.entry_id: preparer.remark(item) for item in batch.duplicates}
        merged = [*batch.out, *marked.values()]
        batch.out = sorted(merged, key=lambda item: item.entry_id)
        batch.duplicates = []
    return batch
