"""The lanes: one per topic. A lane whose topic can't take records waits by itself; the others move on.

Pure bookkeeping: the forwarder says what happened and asks what is due. Times are monotonic seconds.

What is parked goes to the topic that today's map gives its type, however long it has waited. Where that isn't the
topic that it was parked for, new entries of the type queue up behind it until the old queue is empty.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from bridge.errors import LaneBlockedError
from bridge.kafka.errors import delay_s
from bridge.model import Positions, Prepared
from bridge.transform.prepare import Preparer


class LaneStatus(TypedDict):
    """A lane that is behind, for /status and the account of a drain."""

    topic: str
    position: int
    state: str
    cause: str
    for_seconds: float
    tries: int


@dataclass(slots=True)
class Lane:
    """A lane that is not at the front: it waits (`retry_at_s`), or it catches up (`retry_at_s` None).

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

    def describe(self, now_s: float) -> LaneStatus:
        """How it is now."""
        return {
            "topic": self.topic,
            "position": self.position,
            "state": self.state,
            "cause": self.cause,
            "for_seconds": round(now_s - self.since_s, 1),
            "tries": self.attempt,
        }


class Lanes:
    """The lanes that are behind. One that isn't here stands at the front."""

    def __init__(self, probe_s: float, probe_max_s: float) -> None:
        self._behind: dict[str, Lane] = {}
        self._probe_s = probe_s
        self._probe_max_s = max(probe_s, probe_max_s)

    def restore(self, positions: Positions, now_s: float) -> set[str]:
        """Take over the lanes of a recovery: each is tried at once, but those known to wait go on waiting.

        Returns the topics whose lanes are at the front now: a commit whose outcome was unknown has caught them up.
        """
        kept = self._behind
        # One that waits and isn't in `behind`: nothing of it is parked, the batch that found it out was not committed.
        waiting = [topic for topic, lane in kept.items() if lane.waits]
        self._behind = {}
        for topic in (*positions.behind, *waiting):
            # One that isn't known yet is tried with its first entry alone, as one that waits.
            lane = kept.get(topic) or Lane(topic, 0, "catching_up", "", now_s, retry_at_s=0.0)
            lane.position = positions.of(topic)
            self._behind[topic] = lane
        return kept.keys() - self._behind.keys()

    def block(self, error: LaneBlockedError, position: int, now_s: float) -> Lane:
        """A topic can't take records. A lane that was at the front waits from `position` on."""
        lane = self._behind.get(error.topic)
        if lane is None:
            lane = self._behind[error.topic] = Lane(error.topic, position, error.state, "", now_s)
        lane.state, lane.cause = error.state, str(error)
        lane.attempt += 1
        jitter = random.random()  # noqa: S311 - jitter
        lane.retry_at_s = now_s + delay_s(lane.attempt, self._probe_s, self._probe_max_s, jitter)
        return lane

    def queue_of(self, item: Prepared) -> str | None:
        """The lane in which a new entry has to queue up behind older ones; None when it may go."""
        if item.outcome != "quarantined":
            for lane in self._behind.values():
                if item.event_type in lane.remapped:
                    return lane.topic
        return item.topic if item.topic in self._behind else None

    def retry_all(self) -> None:
        """Try every lane now: what it waits for may not be its topic any more."""
        for lane in self._behind.values():
            if lane.waits:
                lane.retry_at_s = 0.0

    def due(self, now_s: float) -> list[Lane]:
        """The lanes to try now: those that catch up, and those that have waited long enough."""
        return [lane for lane in self._behind.values() if lane.retry_at_s is None or lane.retry_at_s <= now_s]

    def next_retry_s(self) -> float | None:
        """When the next lane is due; None when none waits."""
        return min((lane.retry_at_s or 0.0 for lane in self._behind.values()), default=None)

    def moved(self, lane: Lane, position: int) -> None:
        """A part of what was parked is committed: the topic works."""
        lane.position = position
        lane.state, lane.cause, lane.retry_at_s = "catching_up", "", None

    def at_front(self, lane: Lane) -> None:
        """Nothing is parked any more."""
        self._behind.pop(lane.topic, None)

    def positions(self) -> dict[str, int]:
        """Topic → position of each lane that is behind."""
        return {topic: lane.position for topic, lane in self._behind.items()}

    def all(self) -> list[Lane]:
        """Every lane that is behind."""
        return list(self._behind.values())


def remapped_types(queue: str, types: set[str], preparer: Preparer) -> frozenset[str]:
    """Those of the event types in a topic's queue that go to another topic by today's map."""
    today = preparer.destinations
    return frozenset(t for t in types if t in today and not today[t].drop and today[t].topic != queue)


def sendable_prefix(
    prepared: Sequence[Prepared], partitions: Mapping[str, int | LaneBlockedError]
) -> tuple[int, LaneBlockedError | None]:
    """How many of a lane's next entries, from the first on, can go now; and what stops the one after them."""
    for count, item in enumerate(prepared):
        if item.record is not None and isinstance(found := partitions[item.record.topic], LaneBlockedError):
            return count, found
    return len(prepared), None
