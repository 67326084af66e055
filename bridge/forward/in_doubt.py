"""Records for which Kafka may have written no marker (see `kafka.transaction_markers`), until that is known.

Where a transaction counts, the entries of such records are deferred. What is decided is noted before it is done: after
an abort, nothing tells its marker from one that was there before. A topic in which it isn't decided yet takes no
record: the next commit in it would be taken for the missing marker.
"""

import time
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Final, Literal, NamedTuple

from bridge.errors import SinkError, TopicPausedError
from bridge.forward.recovery import remembered_of
from bridge.journal import Journal
from bridge.kafka.errors import paused
from bridge.kafka.sink import Sink
from bridge.model import Entry, InDoubt, PendingMarker
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer

Partition = Literal["there", "gone", "unavailable"]
Marker = Literal["written", "missing", "unknown"]
Action = Literal["wait", "forget", "abort", "count", "resend"]


class Case(NamedTuple):
    """What is found of one pending marker, and what is done. None: it makes no difference.

    `undecided`: entries wait for the answer.
    """

    partition: Partition
    undecided: bool | None
    marker: Marker | None
    action: Action
    why: str


CASES: Final = (
    Case("unavailable", None, None, "wait", "no leader, no permission, or a broker that has just begun"),
    Case("gone", None, None, "forget", "its records went with it: what is deferred for it goes again"),
    Case("there", False, None, "abort", "it was decided before, and the abort had no answer"),
    Case("there", True, "written", "count", "its entries have gone: they leave the queue, their keys are remembered"),
    Case("there", True, "missing", "resend", "the coordinator passed it over: abort, its entries stay deferred and go"),
    Case("there", True, "unknown", "wait", "no leader answers, or another's open transaction hides the marker"),
)

RETRY_S: Final = 0.25
REJECTED_RETRY_S: Final = 15.0
"""A topic that refuses the abort costs a producer each time."""

Counts = dict[str, int | TopicPausedError]


def action_of(partition: Partition, marker: PendingMarker, written: bool | None) -> Action:
    """What is done about a pending marker. `written` is what Kafka says of it, None where it can't be told."""
    found: Marker = "unknown" if written is None else "written" if written else "missing"
    facts = (partition, bool(marker.entry_ids), found)
    for case in CASES:
        if all(wanted is None or wanted == fact for wanted, fact in zip(case[:3], facts, strict=True)):
            return case.action
    raise AssertionError(facts)


def _partition_of(marker: PendingMarker, count: int | TopicPausedError, preparer: Preparer) -> Partition:
    if isinstance(count, TopicPausedError):
        # A topic of today's map may be one that a broker which has just begun doesn't know yet.
        return "gone" if count.state == "missing" and marker.topic not in preparer.topics() else "unavailable"
    return "there" if marker.partition < count else "gone"


class InDoubtTransactions:
    """Those of one journal. With `at_least_once` they are readers' trouble, and block no topic."""

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

    async def add(self, left: InDoubt) -> None:
        """Note what is unknown of a transaction that failed."""
        known = self._journal.in_doubt
        markers = {(marker.topic, marker.partition): marker for marker in (*known.markers, *left.markers)}
        await self._journal.note_in_doubt(InDoubt(tuple(markers.values()), left.transaction or known.transaction))

    def block_in_doubt(self, counts: Counts) -> Counts:
        """`counts`, with the reason for each topic that may take no record yet."""
        if self._exactly_once:
            for topic in self._topics() & {topic for topic, count in counts.items() if isinstance(count, int)}:
                counts[topic] = paused(topic, "marker_missing")
        return counts

    def decided_prefix(self, entries: list[Entry]) -> list[Entry]:
        """Those before the first of which it isn't known whether it goes again."""
        undecided = {entry_id for marker in self._journal.in_doubt.markers for entry_id in marker.entry_ids}
        return list(takewhile(lambda entry: entry.id not in undecided, entries)) if undecided else entries

    async def resolve(self, sink: Sink, preparer: Preparer) -> bool:
        """Decide what can be decided now, and do it. Returns whether something was.

        Raises TopicPausedError for a topic that refuses, or another SinkError: then the producer can't be used again.
        """
        due = [topic for topic in sorted(self._topics()) if self._again_s.get(topic, 0.0) <= self._clock_s()]
        if not due:
            return False
        before = self._journal.in_doubt
        for topic, count in (await sink.partition_counts(due, 1)).items():
            self._again_s[topic] = self._clock_s() + RETRY_S
            try:
                await self._resolve(sink, preparer, topic, count)
            except SinkError as error:
                self._again_s[topic] = self._clock_s() + REJECTED_RETRY_S
                if not self._exactly_once:
                    continue  # such as: no permission for transactions
                if not isinstance(error, TopicPausedError):
                    del self._again_s[topic]
                raise
            if topic not in self._topics():
                del self._again_s[topic]
        return self._journal.in_doubt != before

    async def _resolve(self, sink: Sink, preparer: Preparer, topic: str, count: int | TopicPausedError) -> None:
        partitions = {m: _partition_of(m, count, preparer) for m in self._journal.in_doubt.markers if m.topic == topic}
        asked = [marker for marker, partition in partitions.items() if partition == "there" and marker.entry_ids]
        written = await sink.markers_written(asked) if asked else {}
        actions = {m: action_of(partition, m, written.get(m)) for m, partition in partitions.items()}
        if written:
            await self._decide(actions, preparer)
        hanging = [m._replace(entry_ids=()) for m, action in actions.items() if action in {"abort", "resend"}]
        if hanging:
            await sink.abort_hanging(topic, hanging)
        known = self._journal.in_doubt
        left = tuple(m for m in known.markers if m.topic != topic or actions.get(m) == "wait")
        await self._journal.note_in_doubt(InDoubt(left, known.transaction))

    async def _decide(self, actions: Mapping[PendingMarker, Action], preparer: Preparer) -> None:
        """Note which entries have gone, and which go again."""
        left: list[PendingMarker] = []
        gone: set[int] = set()
        for marker in self._journal.in_doubt.markers:
            action = actions.get(marker)
            if action == "count":
                gone.update(marker.entry_ids)
                continue
            if action == "resend":
                self._telemetry.marker_missing(marker.topic, len(marker.entry_ids))
                marker = marker._replace(entry_ids=())  # noqa: PLW2901 - decided
            left.append(marker)
        await self._journal.advance(
            self._journal.positions,
            await remembered_of(gone, self._journal, preparer),
            in_doubt=InDoubt(tuple(left), self._journal.in_doubt.transaction),
            gone=gone,
        )

    def _topics(self) -> set[str]:
        return {marker.topic for marker in self._journal.in_doubt.markers}
