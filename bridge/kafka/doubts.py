"""Where a commit may have left records without an end (see `markers`), until that is settled.

A producer with the same transactional id settles it: it aborts a transaction of its own in those partitions. A topic in
which that can't be done now keeps its doubt, and takes no record before: the next commit in it would be taken for the
missing end, and what was sent once more meanwhile would be there twice.
"""

import time
from collections.abc import Callable, Collection
from typing import Final

from bridge.errors import LaneBlockedError
from bridge.kafka.producer import Producer
from bridge.model import Place

RETRY_S: Final = 15.0
"""A topic that refuses the abort costs a producer each time."""

Counts = dict[str, int | LaneBlockedError]


class Doubts:
    """The doubtful places of one transactional id. `places` are those that are known already."""

    def __init__(self, places: Collection[Place] = (), clock_s: Callable[[], float] = time.monotonic) -> None:
        self._places = set(places)
        self._refusing: dict[str, tuple[LaneBlockedError, float]] = {}
        self._clock_s = clock_s

    @property
    def places(self) -> frozenset[Place]:
        """All that are left."""
        return frozenset(self._places)

    def add(self, places: Collection[Place]) -> None:
        """More of them."""
        self._places |= set(places)

    async def settle_all(self, producer: Producer, needed: str | None = None) -> None:
        """Settle what can be settled now. Raises a SinkError, and LaneBlockedError where the topic `needed` can't be,
        before anything is done: where there is one, nothing goes without it.
        """
        if not self._places:
            return
        counts = await producer.partition_counts(sorted(self._topics() | ({needed} if needed else set())), 1)
        if needed is not None and isinstance(blocked := counts[needed], LaneBlockedError):
            raise blocked
        await self.settle(producer, counts)

    async def settle(self, producer: Producer, counts: Counts) -> Counts:
        """Settle what there is of these topics. Returns `counts` with the reason for each that may take no record yet.

        Raises LaneBlockedError for one that refuses, or another SinkError: then the producer can't be used again.
        """
        for topic in sorted(self._topics() & counts.keys()):
            counts[topic] = await self._settled(producer, topic, counts[topic])
        return counts

    async def _settled(self, producer: Producer, topic: str, count: int | LaneBlockedError) -> int | LaneBlockedError:
        if isinstance(count, LaneBlockedError):
            if count.state == "missing":
                self._forget(topic)  # its records are gone with it
            return count
        refused, again_s = self._refusing.get(topic, (None, 0.0))
        if refused is not None and self._clock_s() < again_s:
            return refused
        try:
            # Where it was made anew with fewer partitions, those beyond are gone.
            await producer.take_back(topic, sorted(n for name, n in self._places if name == topic and n < count))
        except LaneBlockedError as error:
            self._refusing[topic] = error, self._clock_s() + RETRY_S
            raise
        self._forget(topic)
        return count

    def _topics(self) -> set[str]:
        return {topic for topic, _ in self._places}

    def _forget(self, topic: str) -> None:
        self._places = {place for place in self._places if place[0] != topic}
        self._refusing.pop(topic, None)
