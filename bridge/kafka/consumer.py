"""Records as a consumer sees them. There is no consumer group, so nobody's position moves.

Reader    topics from now or from their beginning on, decoded, for people: a topic that is made later is taken up
history   one topic from its beginning to its end of now, as bytes, for redrive
"""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Self

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from bridge.errors import SinkTimeoutError
from bridge.kafka.client import client_options, close
from bridge.kafka.diagnosis import connect
from bridge.kafka.errors import paused, translated
from bridge.kafka.topics import Topics
from bridge.settings.models import Kafka

LOOK_AGAIN_S: Final = 2.0
FETCH_WAIT_S: Final = 0.5
_HISTORY_WAIT_S: Final = 0.25
_READER_RECORDS_MAX: Final = 500
_HISTORY_RECORDS_MAX: Final = 200
_READABLE: Final = {"ok", "leaderless"}


@dataclass(frozen=True, slots=True)
class Incoming:
    """One record, decoded.

    `timestamp` is RFC 3339, `decoded` the JSON value (the data of a structured CloudEvent), or text, or, where it is
    neither, its size in words.
    """

    topic: str
    partition: int
    offset: int
    timestamp: str
    key: str | None
    headers: Mapping[str, str]
    decoded: Any


class Reader:
    def __init__(
        self,
        kafka: Kafka,
        topics: Sequence[str],
        *,
        from_beginning: bool,
        committed: bool,
        fetch_wait_s: float = FETCH_WAIT_S,
    ) -> None:
        self._kafka = kafka
        self._names = list(dict.fromkeys(topics))
        self._from_beginning = from_beginning
        self._topics = Topics(kafka)
        self._assigned: set[str] = set()
        # The control records of librdkafka's mock cluster have a wrong checksum, and TCP has one of its own.
        self._consumer = new_consumer(
            kafka, client_options(kafka), committed=committed, fetch_wait_s=fetch_wait_s, check_crcs=False
        )

    @property
    def absent(self) -> list[str]:
        """The topics that could not be read so far."""
        return [name for name in self._names if name not in self._assigned]

    async def __aenter__(self) -> Self:
        try:
            with translated():
                await connect(self._consumer, self._kafka)
                await self._assign_new(from_beginning=self._from_beginning)
        except BaseException:
            await close(self._consumer.stop())
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await close(self._consumer.stop())

    async def records(self, quiet_s: float) -> AsyncIterator[Incoming | None]:
        """Records as they come; None whenever nothing came for `quiet_s`. Raises a SinkError."""
        looked_s = time.monotonic()
        while True:
            with translated():
                if self.absent and time.monotonic() - looked_s >= LOOK_AGAIN_S:
                    await self._assign_new(from_beginning=True)  # it was made while we watched: all in it is new
                    looked_s = time.monotonic()
                fetched: dict[TopicPartition, list[Any]] = {}
                if self._assigned:
                    wait_ms = int(quiet_s * 1000)
                    fetched = await self._consumer.getmany(timeout_ms=wait_ms, max_records=_READER_RECORDS_MAX)
                else:
                    await asyncio.sleep(quiet_s)
            for message in chain.from_iterable(fetched.values()):
                yield _incoming(message)
            if not fetched:
                yield None

    async def _assign_new(self, *, from_beginning: bool) -> None:
        """Read the topics that are there now and are not read yet, beside those that are."""
        states = (await self._topics.probe(self.absent)).values()
        new = [TopicPartition(s.name, n) for s in states if s.status in _READABLE for n in range(s.partitions)]
        if not new:
            return
        positions = {partition: await self._consumer.position(partition) for partition in self._consumer.assignment()}
        self._consumer.assign([*positions, *new])
        for partition, offset in positions.items():
            self._consumer.seek(partition, offset)
        await (self._consumer.seek_to_beginning(*new) if from_beginning else self._consumer.seek_to_end(*new))
        self._assigned |= {partition.topic for partition in new}


def _incoming(message: Any) -> Incoming:
    moment = dt.datetime.fromtimestamp(message.timestamp / 1000, dt.UTC)
    return Incoming(
        message.topic,
        message.partition,
        message.offset,
        moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        None if message.key is None else _text(message.key),
        {name: _text(value) for name, value in message.headers},
        _decoded(message.value),
    )


def _decoded(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        decoded = orjson.loads(value)
    except orjson.JSONDecodeError:
        return _text(value)
    if isinstance(decoded, dict) and "specversion" in decoded and "data" in decoded:
        return decoded["data"]
    return decoded


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"({len(value)} bytes that are no text)"


@dataclass(frozen=True, slots=True, repr=False)  # it may hold what people said
class Kept:
    """One record of a topic's history."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Mapping[str, bytes]

    @property
    def place(self) -> tuple[int, int]:
        return self.partition, self.offset


async def ends_of(kafka: Kafka, topic: str) -> dict[int, int]:
    """Where each partition ends now, records of open transactions included. Raises a SinkError.

    A reader of committed records alone would end before the first open transaction, and miss what is behind it.
    """
    state = (await Topics(kafka).probe([topic]))[topic]
    if state.status != "ok":
        raise paused(topic, state.status)
    async with _history_consumer(kafka, committed=False) as consumer:
        ends = await consumer.end_offsets([TopicPartition(topic, n) for n in range(state.partitions)])
        return {place.partition: offset for place, offset in ends.items()}


async def history(
    kafka: Kafka, topic: str, ends: Mapping[int, int], begins: Mapping[int, int] | None = None
) -> AsyncIterator[Kept]:
    """The committed records of `topic` below `ends`, in order within each partition; from `begins` on, where it says.

    Waits for transactions that were open at the end, no longer than they can stay so. Raises a SinkError.
    """
    async with _history_consumer(kafka, committed=True) as consumer:
        places = [TopicPartition(topic, partition) for partition in sorted(ends)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        for place in places:
            if begins and place.partition in begins:
                consumer.seek(place, begins[place.partition])
        limit_s = kafka.transaction_timeout + 2 * kafka.call_timeout
        moved_s, before = time.monotonic(), -1
        while True:
            reached = [await consumer.position(place) for place in places]
            left = [p for p, at in zip(places, reached, strict=True) if at < ends[p.partition]]
            if not left:
                return
            if sum(reached) > before:
                moved_s, before = time.monotonic(), sum(reached)
            elif time.monotonic() - moved_s > limit_s:
                raise SinkTimeoutError(f"topic {topic} did not show its last records in time: a transaction is open")
            wait_ms = int(_HISTORY_WAIT_S * 1000)
            fetched = await consumer.getmany(*left, timeout_ms=wait_ms, max_records=_HISTORY_RECORDS_MAX)
            for message in chain.from_iterable(fetched.values()):
                if message.offset < ends[message.partition]:
                    key, value = message.key or b"", message.value or b""
                    yield Kept(message.partition, message.offset, key, value, dict(message.headers))


@contextlib.asynccontextmanager
async def _history_consumer(kafka: Kafka, *, committed: bool) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = new_consumer(kafka, client_options(kafka), committed=committed, fetch_wait_s=_HISTORY_WAIT_S)
    try:
        with translated():
            await connect(consumer, kafka)
            yield consumer
    finally:
        await close(consumer.stop())


def new_consumer(
    kafka: Kafka, options: Mapping[str, Any], *, committed: bool, fetch_wait_s: float, check_crcs: bool = True
) -> AIOKafkaConsumer:
    """A consumer that is not started. `options` are those of `client_options`; `fetch_wait_s` is how long the broker
    holds a question open that it has no records for.
    """
    return AIOKafkaConsumer(
        **options,
        group_id=None,
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # an offset that is gone: the topic was made anew, read all of it
        request_timeout_ms=int(kafka.request_timeout * 1000),
        fetch_max_wait_ms=int(fetch_wait_s * 1000),
        check_crcs=check_crcs,
    )
