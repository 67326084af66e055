"""A topic from its beginning to its end, read committed, without a consumer group.

The end is what was there when the reading began, with what open transactions hold: a reader of committed records alone
would end before the first open transaction, and miss what was committed behind it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition

from bridge.errors import LaneBlockedError, SinkTimeoutError, SinkUnavailableError
from bridge.kafka.diagnosis import diagnose
from bridge.kafka.errors import blocked, translate
from bridge.kafka.security import client_options
from bridge.kafka.topics import Topics
from bridge.settings.models import Kafka

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
