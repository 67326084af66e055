"""The lanes: one per topic. A lane whose topic can't take records waits by itself; the others move on.

Pure bookkeeping: the forwarder says what happened and asks what is due. Times are monotonic seconds.

Who goes first where the map was changed while entries waited.

An entry stays in the queue of the lane it was parked for, whatever topic it goes to by now. In each topic the entries
of all queues go out by their ids, so in the order of arrival. The entry with the lowest id of all never waits for
another, so lanes can't wait for each other for ever.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge.errors import LaneBlockedError
from bridge.forward.batch import pages, prepare
from bridge.journal import Journal
from bridge.journal.queries import ID_MAX
from bridge.kafka.errors import delay_s
from bridge.model import Positions, Prepared
from bridge.transform.prepare import Preparer

QUEUED: Final = "queued"
"""The state of a lane whose next entry goes to a topic for which another lane's queue has older ones."""


@dataclass(slots=True)
class Lane:
    """A lane that is not at the front: it waits (`retry_at_s`), or it catches up (`retry_at_s` None).

    `position` is the id of its next entry to forward. `heirs` are topics that entries in its queue go to by now, since
    the map was changed: what is new for them queues up here too, or it would overtake.
    """

    topic: str
    position: int
    state: str
    cause: str
    since_s: float
    attempt: int = 0
    retry_at_s: float | None = None
    heirs: frozenset[str] = frozenset()

    @property
    def waits(self) -> bool:
        """Whether its next entry is taken to be unable to go."""
        return self.retry_at_s is not None

    def describe(self, now_s: float) -> dict[str, Any]:
        """For /status."""
        return {
            "topic": self.topic,
            "position": self.position,
            "state": self.state,
            "cause": self.cause,
            "for_seconds": round(now_s - self.since_s, 1),
            "tries": self.attempt,
        }

    def leads_to(self, topic: str) -> bool:
        """Whether its queue may hold entries that go to this topic."""
        return topic == self.topic or topic in self.heirs


class Lanes:
    """The lanes that are behind. One that isn't here stands at the front."""

    def __init__(self, probe_s: float, probe_max_s: float) -> None:
        self._behind: dict[str, Lane] = {}
        self._probe_s = probe_s
        self._probe_max_s = max(probe_s, probe_max_s)

    def restore(self, positions: Positions, now_s: float) -> None:
        """Take over the lanes of a recovery: each is tried at once, but those known to wait go on waiting."""
        kept = self._behind
        # One that waits and isn't in `behind`: nothing of it is parked, the batch that found it out was not committed.
        waiting = [topic for topic, lane in kept.items() if lane.waits]
        self._behind = {}
        for topic in (*positions.behind, *waiting):
            # One that isn't known yet is tried with its first entry alone, as one that waits.
            lane = kept.get(topic) or Lane(topic, 0, "catching_up", "", now_s, retry_at_s=0.0)
            lane.position = positions.of(topic)
            self._behind[topic] = lane

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

    def is_behind(self, topic: str) -> bool:
        """Whether the lane of this topic is behind."""
        return topic in self._behind

    def queue_of(self, topic: str) -> str | None:
        """The lane in which a new entry of this topic has to queue up behind older ones; None when it may go."""
        for lane in self._behind.values():
            if topic in lane.heirs:
                return lane.topic
        return topic if topic in self._behind else None

    def retry_all(self) -> None:
        """Try every lane now: what it waits for may not be its topic any more."""
        for lane in self._behind.values():
            if lane.waits:
                lane.retry_at_s = 0.0

    def get(self, topic: str) -> Lane | None:
        """The lane, if it is behind."""
        return self._behind.get(topic)

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
        self._try_the_queued()

    def at_front(self, lane: Lane) -> None:
        """Nothing is parked any more."""
        self._behind.pop(lane.topic, None)
        self._try_the_queued()

    def _try_the_queued(self) -> None:
        for lane in self._behind.values():
            if lane.state == QUEUED:
                lane.retry_at_s = 0.0

    def positions(self) -> dict[str, int]:
        """Topic → position of each lane that is behind."""
        return {topic: lane.position for topic, lane in self._behind.items()}

    def all(self) -> list[Lane]:
        """Every lane that is behind."""
        return list(self._behind.values())


_UNNAMED: Final = "unknown"


async def destinations(lane: Lane, journal: Journal, preparer: Preparer) -> frozenset[str]:
    """The topics that what is parked for a lane goes to by today's configuration, but the quarantine: it has no order.

    By the types noted at the parking; where those may have changed since (an event type that was named or is no more,
    a body that was not understood), by looking at each entry again.
    """
    routes = preparer.destinations
    types = await journal.parked_types(lane.topic)
    if types <= routes.keys() - {_UNNAMED}:
        return frozenset(routes[name].topic for name in types if not routes[name].drop)
    topics: set[str] = set()
    async for entries in pages(journal, lane.topic, lane.position, ID_MAX):
        prepared = await prepare(entries, preparer, lambda _, item: item)
        topics |= {item.topic for item in prepared if item.record is not None and item.outcome != "quarantined"}
    return frozenset(topics)


async def count_of_those_that_may_go(
    prepared: Sequence[Prepared],
    lane: Lane,
    lanes: Lanes,
    journal: Journal,
    partitions: Mapping[str, int | LaneBlockedError],
) -> tuple[int, LaneBlockedError | None]:
    """How many of a lane's next entries, from the first on, can go now; and what stops the one after them."""
    before: dict[str, tuple[int, LaneBlockedError] | None] = {}
    for count, item in enumerate(prepared):
        if item.record is None:
            continue
        topic = item.record.topic
        well = partitions[topic]
        if isinstance(well, LaneBlockedError):
            return count, well
        if topic not in before:
            before[topic] = await _first_elsewhere(topic, lane, lanes, journal)
        first = before[topic]
        if first is not None and first[0] < item.entry_id:
            return count, first[1]
    return len(prepared), None


async def _first_elsewhere(
    topic: str, lane: Lane, lanes: Lanes, journal: Journal
) -> tuple[int, LaneBlockedError] | None:
    """The lowest id in the queues of other lanes that hold entries for a topic, and the lane that it is in."""
    found = None
    for other in lanes.all():
        if other is lane or not other.leads_to(topic):
            continue
        for entry in await journal.read_parked(other.topic, other.position, 1, 1):
            if found is None or entry.id < found[0]:
                cause = f"entries for {topic} that are older wait in the lane of {other.topic}"
                found = entry.id, LaneBlockedError(lane.topic, QUEUED, cause)
    return found
