"""Topic queues: one for each topic. If a topic can't take records, its queue waits; the others move on.

Pure bookkeeping: the forwarder says what happened and asks what is due. Times are monotonic seconds.

What is deferred goes to the topic that today's map gives its type, however long it has waited. Where that isn't the
topic that it was deferred for, new entries of the type queue up behind it until the old queue is empty.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TypedDict

from bridge.errors import TopicPausedError
from bridge.kafka.errors import delay_s
from bridge.model import Positions, Prepared
from bridge.transform.prepare import Preparer


class TopicQueueStatus(TypedDict):
    """A topic that is behind, for /status and the account of a drain."""

    topic: str
    position: int
    state: str
    cause: str
    for_seconds: float
    tries: int


@dataclass(slots=True)
class TopicQueue:
    """A topic that is not at the front: its queue waits (`retry_at_s`), or it catches up (`retry_at_s` None).

    `position` is the id of its next entry to forward. `remapped` are event types in its queue that go to another topic
    by now.
    """

    topic: str
    position: int
    state: str
    cause: str
    since_s: float
    attempt: int = 0
    retry_at_s: float | None = None
    remapped: frozenset[str] = frozenset()

    @property
    def waits(self) -> bool:
        """Whether its next entry is taken to be unable to go."""
        return self.retry_at_s is not None

    def describe(self, now_s: float) -> TopicQueueStatus:
        """How it is now."""
        return {
            "topic": self.topic,
            "position": self.position,
            "state": self.state,
            "cause": self.cause,
            "for_seconds": round(now_s - self.since_s, 1),
            "tries": self.attempt,
        }


class TopicQueues:
    """The topics that are behind. One that isn't here stands at the front."""

    def __init__(self, probe_s: float, probe_max_s: float) -> None:
        self._behind: dict[str, TopicQueue] = {}
        self._probe_s = probe_s
        self._probe_max_s = max(probe_s, probe_max_s)

    def restore(self, positions: Positions, now_s: float) -> set[str]:
        """Take over the queues of a recovery: each is tried at once, but those known to wait go on waiting.

        Returns the topics whose queues are at the front now: a commit whose outcome was unknown has caught them up.
        """
        kept = self._behind
        # One that waits and isn't in `behind`: nothing of it is deferred: the batch that found out was not committed.
        waiting = [topic for topic, queue in kept.items() if queue.waits]
        self._behind = {}
        for topic in (*positions.behind, *waiting):
            # One that isn't known yet is tried with its first entry alone, as one that waits.
            queue = kept.get(topic) or TopicQueue(topic, 0, "catching_up", "", now_s, retry_at_s=0.0)
            queue.position = positions.of(topic)
            self._behind[topic] = queue
        return kept.keys() - self._behind.keys()

    def pause(self, error: TopicPausedError, position: int, now_s: float) -> TopicQueue:
        """A topic can't take records. If it was at the front, its queue begins at `position`."""
        queue = self._behind.get(error.topic)
        if queue is None:
            queue = self._behind[error.topic] = TopicQueue(error.topic, position, error.state, "", now_s)
        queue.state, queue.cause = error.state, str(error)
        queue.attempt += 1
        jitter = random.random()  # noqa: S311 - jitter
        queue.retry_at_s = now_s + delay_s(queue.attempt, self._probe_s, self._probe_max_s, jitter)
        return queue

    def queue_of(self, item: Prepared) -> str | None:
        """The queue in which a new entry has to wait behind older ones; None when it may go."""
        if item.outcome != "quarantined":
            for queue in self._behind.values():
                if item.event_type in queue.remapped:
                    return queue.topic
        return item.topic if item.topic in self._behind else None

    def retry_all(self) -> None:
        """Try every queue now: what it waits for may not be its topic any more."""
        for queue in self._behind.values():
            if queue.waits:
                queue.retry_at_s = 0.0

    def due(self, now_s: float) -> list[TopicQueue]:
        """The queues to try now: those that catch up, and those that have waited long enough."""
        return [queue for queue in self._behind.values() if queue.retry_at_s is None or queue.retry_at_s <= now_s]

    def next_retry_s(self) -> float | None:
        """When the next queue is due; None when none waits."""
        return min((queue.retry_at_s or 0.0 for queue in self._behind.values()), default=None)

    def moved(self, queue: TopicQueue) -> None:
        """A part of what was deferred is committed: the topic works."""
        queue.state, queue.cause, queue.retry_at_s = "catching_up", "", None

    def at_front(self, queue: TopicQueue) -> None:
        """Nothing is deferred any more."""
        self._behind.pop(queue.topic, None)

    def positions(self, next_id: int, deferred: Mapping[str, int]) -> Positions:
        """The positions with this one at the front, where so many entries are deferred for each topic."""
        behind = {topic: queue.position for topic, queue in self._behind.items()}
        return Positions(next_id, behind, {topic: deferred.get(topic, 0) for topic in behind})

    def all(self) -> list[TopicQueue]:
        """The queue of each topic that is behind."""
        return list(self._behind.values())


def remapped_types(queue: str, types: set[str], preparer: Preparer) -> frozenset[str]:
    """Those of the event types in a topic's queue that go to another topic by today's map."""
    today = preparer.destinations
    return frozenset(t for t in types if t in today and not today[t].drop and today[t].topic != queue)


def sendable_prefix(prepared: Sequence[Prepared], stopped: Collection[str]) -> list[Prepared]:
    """Those of a queue's next entries, from the first on, that can go while these topics take no records."""
    return list(takewhile(lambda item: item.record is None or item.topic not in stopped, prepared))
