"""A slice of the journal, sorted: what goes out, what is a duplicate, what waits for its lane."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bridge.duplicates import split
from bridge.forward.repeats import find_repeats
from bridge.journal import Journal
from bridge.model import Entry, Prepared
from bridge.prepare import Preparer
from bridge.tracing.forwarding import Flight

SLICE_ENTRIES: Final = 50
"""Entries prepared before the event loop gets a turn: about a millisecond, so that no request waits longer."""


@dataclass(slots=True)
class Batch:
    """`out` goes to Kafka, in order (a record of None is dropped by its route); the rest doesn't now.

    `repeats` are those of `duplicates` that only say the same as another, under an id of their own. `flight` makes the
    spans of those whose traces are kept.
    """

    out: list[Prepared] = field(default_factory=list)
    duplicates: list[Prepared] = field(default_factory=list)
    repeats: list[Prepared] = field(default_factory=list)
    waiting: list[Prepared] = field(default_factory=list)
    flight: Flight | None = None

    @property
    def records(self) -> list[Prepared]:
        """What carries a record."""
        return [item for item in self.out if item.record is not None]

    def topics(self) -> set[str]:
        """The topics that records go to."""
        return {item.record.topic for item in self.out if item.record is not None}

    def identities(self) -> list[tuple[bytes, int]]:
        """What the window of duplicates remembers once this is forwarded."""
        found = [(item.identity, item.received_at_ms) for item in self.out if item.identity is not None]
        found += [(item.semantic, item.received_at_ms) for item in self.out if item.semantic is not None]
        # A copy of a repeat, after the window of what it says, must not go out as something new.
        return found + [(item.identity, item.received_at_ms) for item in self.repeats if item.identity is not None]

    def hold_back(self, topics: Iterable[str]) -> None:
        """Move what goes to these topics from `out` to `waiting`."""
        blocked = set(topics)
        if blocked:
            self.waiting += [item for item in self.out if item.topic in blocked]
            self.out = [item for item in self.out if item.topic not in blocked]
            if late := {item.entry_id for item in self.repeats if item.topic in blocked}:
                # What they repeat waits now. After a crash only they would be known as gone, and it as the repeat.
                self.waiting += [item for item in self.repeats if item.entry_id in late]
                self.repeats = [item for item in self.repeats if item.entry_id not in late]
                self.duplicates = [item for item in self.duplicates if item.entry_id not in late]


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
    flight: Flight | None = None,
) -> Batch:
    """Sort a slice. `since_ms` is the start of the window of duplicates, None when it is off."""
    batch = Batch(flight=flight)
    moving: list[Prepared] = []
    for item in prepared:
        (batch.waiting if item.record is not None and waits(item.topic) else moving).append(item)
    if since_ms is None:
        batch.out = moving
        return batch
    identities = [item.identity for item in moving if item.identity is not None]
    seen = await journal.seen(identities, since_ms) if identities else set()
    batch.out, batch.duplicates = split(moving, seen)
    if preparer.semantic_ms and (repeats := await find_repeats(batch.out, journal, preparer.semantic_ms)):
        batch.repeats = [item for item in batch.out if item.entry_id in repeats]
        batch.out = [item for item in batch.out if item.entry_id not in repeats]
        batch.duplicates = sorted([*batch.duplicates, *batch.repeats], key=lambda item: item.entry_id)
    if preparer.marks_duplicates and batch.duplicates:
        marked = {item.entry_id: preparer.remark(item) for item in batch.duplicates}
        merged = [*batch.out, *marked.values()]
        batch.out = sorted(merged, key=lambda item: item.entry_id)
        batch.duplicates, batch.repeats = [], []
    return batch
