"""Records that Kafka may have left without an end (see `kafka.ends`), until that is settled.

Where a transaction counts, the entries of such records are parked: those whose records have an end leave the queue, the
others go again once what has none is aborted. What is decided is noted before it is done: after an abort, nothing
tells it from an end that was there before. A topic in which that can't be settled yet takes no record: the next commit
in it would be taken for the missing end.
"""

import time
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Final

from bridge.errors import LaneBlockedError, SinkError
from bridge.forward.recovery import remembered_of
from bridge.journal import Journal
from bridge.kafka.errors import blocked
from bridge.kafka.sink import Sink
from bridge.model import DoubtfulEnd, Doubts, Entry
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer

RETRY_S: Final = 0.25
REFUSED_RETRY_S: Final = 15.0
"""A topic that refuses the abort costs a producer each time."""

Counts = dict[str, int | LaneBlockedError]


class DoubtfulEnds:
    """Those of one journal. With `at_least_once` they are readers' trouble, and hold up no topic."""

    def __init__(
        self,
        journal: Journal,
        telemetry: Telemetry,
        *,
        exactly_once: bool,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._telemetry = telemetry
        self._exactly_once = exactly_once
        self._clock_s = clock_s
        self._again_s: dict[str, float] = {}

    async def add(self, left: Doubts) -> None:
        """Note what is unknown of a transaction that failed."""
        doubts = self._journal.doubts
        ends = {(end.topic, end.partition): end for end in (*doubts.ends, *left.ends)}
        await self._journal.doubt(Doubts(tuple(ends.values()), left.unclear or doubts.unclear))

    def hold_up(self, counts: Counts) -> Counts:
        """`counts`, with the reason for each topic that may take no record yet."""
        if self._exactly_once:
            for topic in self._topics() & {topic for topic, count in counts.items() if isinstance(count, int)}:
                counts[topic] = blocked(topic, "unended")
        return counts

    def before_undecided(self, entries: list[Entry]) -> list[Entry]:
        """Those before the first of which it isn't known whether it goes again."""
        undecided = {entry_id for end in self._journal.doubts.ends for entry_id in end.entry_ids}
        return list(takewhile(lambda entry: entry.id not in undecided, entries)) if undecided else entries

    async def settle(self, sink: Sink, preparer: Preparer) -> bool:
        """Settle what can be settled now. Returns whether something was.

        Raises LaneBlockedError for a topic that refuses, or another SinkError: then the producer can't be used again.
        """
        due = [topic for topic in sorted(self._topics()) if self._again_s.get(topic, 0.0) <= self._clock_s()]
        if not due:
            return False
        before = self._journal.doubts
        for topic, count in (await sink.partition_counts(due, 1)).items():
            self._again_s[topic] = self._clock_s() + RETRY_S
            try:
                await self._settle(sink, preparer, topic, count)
            except SinkError as error:
                self._again_s[topic] = self._clock_s() + REFUSED_RETRY_S
                if not self._exactly_once:
                    continue  # such as: no permission for transactions
                if not isinstance(error, LaneBlockedError):
                    del self._again_s[topic]
                raise
            if not self._of(topic):
                del self._again_s[topic]
        return self._journal.doubts != before

    async def _settle(self, sink: Sink, preparer: Preparer, topic: str, count: int | LaneBlockedError) -> None:
        if isinstance(count, LaneBlockedError):
            if count.state != "missing" or topic in preparer.topics():
                return  # a broker that has just begun may not know it yet
            count = 0
        # Partitions that are no more took their records along.
        asked = [end for end in self._of(topic) if end.entry_ids and end.partition < count]
        if asked:
            await self._decide(await sink.have_ended(asked), preparer)
        decided = [end for end in self._of(topic) if not end.entry_ids or end.partition >= count]
        await sink.take_back(topic, [end for end in decided if end.partition < count])
        left = tuple(end for end in self._journal.doubts.ends if end not in decided)
        await self._journal.doubt(Doubts(left, self._journal.doubts.unclear))

    async def _decide(self, found: Mapping[DoubtfulEnd, bool], preparer: Preparer) -> None:
        """Note whose records have an end: those have gone. The others go again."""
        gone = {entry_id for end, ended in found.items() if ended for entry_id in end.entry_ids}
        for end, ended in found.items():
            if not ended:
                self._telemetry.records_unended(end.topic, len(end.entry_ids))
        left = (
            end._replace(entry_ids=()) if end in found else end
            for end in self._journal.doubts.ends
            if not found.get(end)
        )
        await self._journal.advance(
            self._journal.positions,
            await remembered_of(gone, self._journal, preparer),
            doubts=Doubts(tuple(left), self._journal.doubts.unclear),
            gone=gone,
        )

    def _of(self, topic: str) -> list[DoubtfulEnd]:
        return [end for end in self._journal.doubts.ends if end.topic == topic]

    def _topics(self) -> set[str]:
        return {end.topic for end in self._journal.doubts.ends}
