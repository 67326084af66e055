"""Records as a consumer sees them, for the command line: topics that come later are taken up when they are there.

A topic from its beginning to its end, read committed, without a consumer group.

The end is what was there when the reading began, with what open transactions hold: a reader of committed records alone
would end before the first open transaction, and miss what was committed behind it.
"""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition

from bridge.errors import LaneBlockedError, SinkTimeoutError, SinkUnavailableError
from bridge.kafka.client import client_options
from bridge.kafka.diagnosis import diagnose
from bridge.kafka.errors import blocked, translate
from bridge.kafka.topics import Topics
from bridge.settings.models import Kafka

LOOK_AGAIN_S: Final = 2.0
RECORDS_MAX: Final = 500
FETCH_WAIT_S: Final = 0.5
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
    """Reads topics without a consumer group, so that nobody else's position moves."""

    def __init__(
        self,
        kafka: Kafka,
        topics: Sequence[str],
        *,
        from_beginning: bool,
        committed: bool,
        fetch_wait_s: float = FETCH_WAIT_S,
    ) -> None:
        """`fetch_wait_s` is how long the broker holds a question open that it has no records for."""
        self._kafka = kafka
        self._names = list(dict.fromkeys(topics))
        self._from_beginning = from_beginning
        self._topics = Topics(kafka)
        self._assigned: set[str] = set()
        self._consumer = AIOKafkaConsumer(
            **client_options(kafka),
            isolation_level="read_committed" if committed else "read_uncommitted",
            enable_auto_commit=False,
            request_timeout_ms=int(kafka.request_timeout * 1000),
            fetch_max_wait_ms=int(fetch_wait_s * 1000),
            # The control records of librdkafka's mock cluster have a wrong checksum, and TCP has one of its own.
            check_crcs=False,
        )

    @property
    def absent(self) -> list[str]:
        """The topics that could not be read so far."""
        return [name for name in self._names if name not in self._assigned]

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            await self._take_up(from_beginning=self._from_beginning)
        except BaseException as error:
            await self._close()
            if isinstance(error, KafkaConnectionError):
                findings = await diagnose(self._kafka, self._kafka.request_timeout)
                raise SinkUnavailableError("no connection to Kafka: " + ("; ".join(findings) or str(error))) from error
            if isinstance(error, Exception):
                raise translate(error) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._topics.close()
        with contextlib.suppress(Exception):
            await self._consumer.stop()

    async def records(self, quiet_s: float) -> AsyncIterator[Incoming | None]:
        """Records as they come; None whenever nothing came for `quiet_s`. Raises a SinkError."""
        looked_s = time.monotonic()
        while True:
            try:
                if self.absent and time.monotonic() - looked_s >= LOOK_AGAIN_S:
                    await self._take_up(from_beginning=True)  # it was made while we watched: all in it is new
                    looked_s = time.monotonic()
                batch = await self._next(quiet_s)
            except Exception as error:
                raise translate(error) from error
            for record in batch:
                yield record
            if not batch:
                yield None

    async def _next(self, quiet_s: float) -> list[Incoming]:
        if not self._assigned:
            await asyncio.sleep(quiet_s)
            return []
        batches = await self._consumer.getmany(timeout_ms=int(quiet_s * 1000), max_records=RECORDS_MAX)
        return [_incoming(message) for batch in batches.values() for message in batch]

    async def _take_up(self, *, from_beginning: bool) -> None:
        """Read the topics that are there now and are not read yet, beside those that are."""
        states = await self._topics.probe(self.absent)
        new = [TopicPartition(s.name, p) for s in states.values() if s.status in _READABLE for p in s.replicas]
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


_RECORDS_MAX: Final = 200
_QUIET_MS: Final = 250
_CLOSE_S: Final = 2.0


@dataclass(frozen=True, slots=True, repr=False)  # it may hold what people said
class Kept:
    """One record."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Mapping[str, bytes]

    @property
    def place(self) -> tuple[int, int]:
        """Where it is in its topic."""
        return self.partition, self.offset


async def ends_of(kafka: Kafka, topic: str) -> dict[int, int]:
    """Where each partition ends now, records of open transactions included. Raises a SinkError."""
    async with _consumer(kafka, "read_uncommitted") as consumer:
        ends = await consumer.end_offsets(await _partitions(kafka, topic))
        return {place.partition: offset for place, offset in ends.items()}


async def history(
    kafka: Kafka, topic: str, ends: Mapping[int, int], begins: Mapping[int, int] | None = None
) -> AsyncIterator[Kept]:
    """The committed records of `topic` below `ends`, in order within each partition; from `begins` on, where it says.

    Waits for transactions that were open at the end, no longer than they can stay so. Raises a SinkError.
    """
    async with _consumer(kafka, "read_committed") as consumer:
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
            fetched = await consumer.getmany(*left, timeout_ms=_QUIET_MS, max_records=_RECORDS_MAX)
            for batch in fetched.values():
                for message in batch:
                    if message.offset < ends[message.partition]:
                        yield Kept(
                            message.partition,
                            message.offset,
                            message.key or b"",
                            message.value or b"",
                            dict(message.headers),
                        )


async def _partitions(kafka: Kafka, topic: str) -> list[TopicPartition]:
    """The topic's partitions. Raises LaneBlockedError where there is no such topic, or it may not be read."""
    async with Topics(kafka) as topics:
        state = (await topics.probe([topic]))[topic]
    if state.status != "ok":
        raise blocked(topic, state.status)
    return [TopicPartition(topic, partition) for partition in sorted(state.replicas)]


@contextlib.asynccontextmanager
async def _consumer(kafka: Kafka, isolation: str) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        **client_options(kafka),
        group_id=None,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=int(kafka.request_timeout * 1000),
        fetch_max_wait_ms=_QUIET_MS,
    )
    try:
        await consumer.start()
        yield consumer
    except LaneBlockedError:
        raise
    except KafkaConnectionError as error:
        findings = await diagnose(kafka, kafka.request_timeout)
        raise SinkUnavailableError("no connection to Kafka: " + ("; ".join(findings) or str(error))) from error
    except Exception as error:
        raise translate(error) from error
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await consumer.stop()
