"""A sink whose behaviour a test scripts: what it took is a list, what it refuses is a set.

It fakes Kafka's answers, not Kafka: transactions, fencing, read_committed and partitions' order are not in it.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.errors import FencedError, SinkUnavailableError, TopicPausedError
from bridge.kafka.batches import Sizing
from bridge.kafka.positions import Found
from bridge.kafka.sink import OnDelivered, Sink
from bridge.model import NOTHING_IN_DOUBT, InDoubt, PendingMarker, Positions, Prepared, Record
from bridge.settings.models import Kafka


@dataclass
class ScriptedSink(Sink):
    """Takes records while `up`. Topics in `blocked` can't take any; each send takes `send_s` seconds.

    With `fenced`, another process is said to have taken over.
    """

    up: bool = True
    fenced: bool = False
    send_s: float = 0.0
    blocked: set[str] = field(default_factory=set)
    taken: list[Record] = field(default_factory=list)
    connected_by: list[Kafka] = field(default_factory=list)

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Open, unless it is down."""
        del known_offset, pending
        if self.fenced:
            raise FencedError("another live process forwards this journal: process 1 on elsewhere")
        self._refuse_when_down()
        return None

    async def partition_counts(self, topics: Sequence[str], tries: int = 1) -> dict[str, int | TopicPausedError]:
        """Six partitions each."""
        self._refuse_when_down()
        return {t: TopicPausedError(t, "missing", f"{t} is missing") if t in self.blocked else 6 for t in topics}

    async def send(
        self,
        items: Sequence[Prepared],
        positions: Positions,
        partitions: Mapping[str, int],
        sizing: Sizing,
        on_delivered: OnDelivered | None = None,
    ) -> int | None:
        """Take all records, or none."""
        del positions, partitions, sizing, on_delivered
        await asyncio.sleep(self.send_s)
        self._refuse_when_down()
        self.taken.extend(item.record for item in items if item.record is not None)
        return None

    async def close(self, *, healthy: bool) -> InDoubt:
        """Nothing to close, and nothing is unknown."""
        return NOTHING_IN_DOUBT

    async def markers_written(self, ends: Collection[PendingMarker]) -> dict[PendingMarker, bool]:
        """All have."""
        return dict.fromkeys(ends, True)

    async def abort_hanging(self, topic: str, ends: Collection[PendingMarker]) -> None:
        """Nothing is without an end."""

    def connect_by(self, kafka: Kafka) -> None:
        """Nothing to connect to; it is noted."""
        self.connected_by.append(kafka)

    def _refuse_when_down(self) -> None:
        if not self.up:
            raise SinkUnavailableError("the sink is down")
