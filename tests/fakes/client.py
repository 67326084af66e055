"""aiokafka's producer by script, under the real `Producer` and `Sink`: a wire so fast, a broker that refuses.

It fakes what a client answers, not Kafka: what was sent is a list, nothing is transactional, nothing is kept in order.
"""

import asyncio
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import TopicPartition

from bridge.errors import SinkUnavailableError
from bridge.kafka.positions import Found
from bridge.kafka.producer import BATCH_BYTES_MAX, Producer
from bridge.kafka.sink import Sink
from bridge.model import NOTHING_IN_DOUBT, InDoubt, PendingMarker
from bridge.settings.models import Kafka

PARTITIONS = 6
LEADER = 1


@dataclass
class Builder:
    """A batch that is being filled: the times and the keys of its records, and its size."""

    times_ms: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    size: int = 0

    def append(self, *, timestamp: int, key: bytes, value: bytes, headers: object) -> bool | None:
        """Take a record, unless it is full."""
        del headers
        size = len(key) + len(value)
        if self.times_ms and self.size + size > BATCH_BYTES_MAX:
            return None
        self.times_ms.append(timestamp)
        self.keys.append(key)
        self.size += size
        return True


@dataclass
class ScriptedClient:
    """Confirms batches one after another, at `bytes_per_s`; with the error that `refuses` returns for one, if any.

    It can be opened while `up`. `stuck` are topics of which no batch is ever confirmed, `leaderless` those of which
    metadata says so. `taken` has what was confirmed: the topic and the batch.
    """

    up: bool = True
    bytes_per_s: float = math.inf
    refuses: Callable[[str, Builder], BaseException | None] = lambda _, __: None
    stuck: set[str] = field(default_factory=set)
    leaderless: set[str] = field(default_factory=set)
    taken: list[tuple[str, Builder]] = field(default_factory=list)
    request_timeout_s: float = 0.05
    _free_s: float = 0.0
    _last: dict[tuple[str, int], "asyncio.Future[Any]"] = field(default_factory=dict)

    @property
    def client(self) -> Any:
        """What the Producer asks of aiokafka's client."""
        return SimpleNamespace(
            cluster=SimpleNamespace(
                partitions_for_topic=lambda _: set(range(PARTITIONS)),
                leader_for_partition=self._leader,
                unauthorized_topics=set(),
            ),
            force_metadata_update=_done,
            add_topic=lambda _: None,
        )

    def _leader(self, place: TopicPartition) -> int:
        return -1 if place.topic in self.leaderless else LEADER

    def create_batch(self) -> Builder:
        """An empty batch."""
        return Builder()

    async def send_batch(self, builder: Builder, topic: str, partition: int) -> "asyncio.Future[Any]":
        """Put it on the wire. A partition's next batch waits for the one before, as long as a request may take."""
        loop = asyncio.get_running_loop()
        if (before := self._last.get((topic, partition))) is not None:
            await asyncio.wait({before}, timeout=self.request_timeout_s)
            if not before.done():
                raise KafkaTimeoutError
        future: asyncio.Future[Any] = loop.create_future()
        self._last[topic, partition] = future
        if topic in self.stuck:
            return future
        self._free_s = max(self._free_s, loop.time()) + builder.size / self.bytes_per_s
        loop.call_at(self._free_s, self._answer, future, topic, builder)
        return future

    def _answer(self, future: "asyncio.Future[Any]", topic: str, builder: Builder) -> None:
        if future.done():
            return
        if (error := self.refuses(topic, builder)) is not None:
            future.set_exception(error)
            return
        self.taken.append((topic, builder))
        future.set_result(SimpleNamespace(offset=len(self.taken)))

    def unplug(self) -> None:
        """What is still on the wire is gone, as when its connection is closed."""
        self._free_s = 0.0
        self._last.clear()


async def _done() -> None:
    pass


def producer_on(client: ScriptedClient, kafka: Kafka) -> Producer:
    """A producer with that client. Needs a running loop."""
    producer = Producer(kafka, {"bootstrap_servers": kafka.bootstrap_servers}, None)
    producer._inner._closed = True  # the one that it would use: never started
    producer._inner = client
    return producer


class ClientSink(Sink):
    """The real sink on a scripted client. `sent` has the number of entries of each try, `opened` counts producers."""

    def __init__(self, kafka: Kafka, client: ScriptedClient) -> None:
        super().__init__(kafka, "journal")
        self.client = client
        self.sent: list[int] = []
        self.opened = 0

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """A new producer."""
        del known_offset, pending
        if not self.client.up:
            raise SinkUnavailableError("the client is down")
        self.opened += 1
        self.client.unplug()
        self._producer = producer_on(self.client, self._kafka)
        return None

    async def send(self, items: Any, *more: Any, **options: Any) -> int | None:
        """Note it, and send."""
        self.sent.append(len(items))
        return await super().send(items, *more, **options)

    async def close(self, *, healthy: bool) -> InDoubt:
        """Drop the producer."""
        del healthy
        self._producer = None
        return NOTHING_IN_DOUBT
