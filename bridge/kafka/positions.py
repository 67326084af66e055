"""The positions topic: how far each journal was forwarded, in the same transaction as the records themselves.

A compacted topic. Two keys a journal, both on the partition of the journal's id:

    <journal id>           {"version": 1, "next": 4711, "topics": {"treble.message.read": 4711, …}, "behind": {…},
                            "parked": {…}}
    <journal id>/barrier   {"version": 1, "token": "…", "instance": "…", "host": "…", "pid": 1, "at_ms": 0}

`next` is the id of the next entry to forward; `behind` has the paused topics, with theirs, `deferred` how many entries
are deferred for each. `topics` says the same for each topic, for people and tools. A barrier is written by each new
producer in a transaction of its own: once a reader has seen it, it has seen every position committed before (a
successor of a dead coordinator was seen to answer with an older one), and a barrier of another instance after one's own
says that another live process took over.

Kafka Connect's exactly-once sources do it this way (KIP-618). Offsets of a consumer group are not used: they expire,
vanish with a deleted topic, and read stale after a fail-over.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiokafka.structs import ConsumerRecord, TopicPartition

from bridge.errors import SinkTimeoutError
from bridge.kafka.batches import ProducerBatch, now_ms, partition_of
from bridge.kafka.client import close
from bridge.kafka.consumer import new_consumer
from bridge.kafka.errors import translated
from bridge.kafka.producer import Producer
from bridge.model import Positions
from bridge.settings.models import Kafka

VERSION: Final = 1
FOREIGN_WAIT_S: Final = 3.0
_FETCH_WAIT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Instance:
    """This process, as its barriers name it."""

    id: str
    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, slots=True)
class Found:
    """What the positions topic says. `positions` is None when this journal has none there; `offset` is its record's."""

    positions: Positions | None
    offset: int | None
    barrier_offset: int
    topic: str = ""


class PositionsTopic:
    """Reads and writes one journal's part of the positions topic."""

    def __init__(self, kafka: Kafka, options: Mapping[str, Any], journal_id: str, instance: Instance) -> None:
        self._kafka = kafka
        self._topic = kafka.positions_topic
        self._options = options
        self._key = journal_id.encode()
        self._barrier_key = f"{journal_id}/barrier".encode()
        self._instance = instance
        self._closing: set[asyncio.Task[None]] = set()

    async def partition(self, producer: Producer) -> int:
        """The partition that holds this journal's records."""
        count = (await producer.partition_counts([self._topic]))[self._topic]
        if not isinstance(count, int):
            raise count
        return partition_of(self._key, count)

    def batch(self, producer: Producer, partition: int, positions: Positions, topics: list[str]) -> ProducerBatch:
        """The record that goes with a transaction's events."""
        value = {
            "version": VERSION,
            "next": positions.next_id,
            "topics": {topic: positions.of(topic) for topic in sorted({*topics, *positions.behind})},
            "behind": dict(positions.behind),
            "parked": dict(positions.deferred),
        }
        return self._record(producer, partition, self._key, value)

    async def recover(self, producer: Producer, partition: int, from_offset: int | None) -> Found:
        """Write a barrier, then read from `from_offset` (None: the start) until it is seen.

        Raises SinkTimeoutError if it isn't seen in time, or another SinkError.
        """
        token = secrets.token_hex(16)
        who = {"instance": self._instance.id, "host": self._instance.host, "pid": self._instance.pid}
        value = {"version": VERSION, "token": token, **who, "at_ms": now_ms()}
        [barrier_offset] = await producer.deliver([self._record(producer, partition, self._barrier_key, value)])
        if from_offset is not None and from_offset > barrier_offset:
            from_offset = None  # of the topic that was there before this one
        positions, offset = None, None
        async with contextlib.aclosing(self._read(partition, from_offset, self._kafka.call_timeout)) as records:
            async for record in records:
                if record.key == self._key:
                    positions, offset = _positions(_fields(record.value)), record.offset
                elif record.key == self._barrier_key and _fields(record.value).get("token") == token:
                    return Found(positions, offset, barrier_offset, self._topic)
        raise SinkTimeoutError(f"topic {self._topic} did not show this process' own barrier in time")

    async def foreign_barrier(self, partition: int, own_offset: int) -> str | None:
        """The process of another instance that wrote a barrier after `own_offset`. Waits some seconds for it."""
        async with contextlib.aclosing(self._read(partition, own_offset, FOREIGN_WAIT_S)) as records:
            async for record in records:
                if record.key == self._barrier_key and record.offset > own_offset:
                    barrier = _fields(record.value)
                    if barrier.get("instance", self._instance.id) != self._instance.id:
                        return str(Instance(barrier["instance"], barrier.get("host", "?"), barrier.get("pid", 0)))
        return None

    def _record(self, producer: Producer, partition: int, key: bytes, value: dict[str, Any]) -> ProducerBatch:
        builder = producer.create_batch()
        builder.append(timestamp=now_ms(), key=key, value=orjson.dumps(value), headers=[])
        return ProducerBatch(self._topic, partition, builder)

    async def _read(
        self, partition: int, from_offset: int | None, limit_s: float
    ) -> AsyncGenerator[ConsumerRecord, None]:
        """Committed records from `from_offset`, for `limit_s` seconds; ends when they are over."""
        place = TopicPartition(self._topic, partition)
        consumer = new_consumer(self._kafka, self._options, committed=True, fetch_wait_s=_FETCH_WAIT_S)
        deadline = asyncio.get_running_loop().time() + limit_s
        try:
            with translated():
                async with asyncio.timeout_at(deadline):
                    await consumer.start()
                consumer.assign([place])
                if from_offset is None:
                    await consumer.seek_to_beginning(place)
                else:
                    consumer.seek(place, from_offset)
                while (left_s := deadline - asyncio.get_running_loop().time()) > 0:
                    async with asyncio.timeout_at(deadline + 1):
                        fetched = await consumer.getmany(place, timeout_ms=max(1, int(min(left_s, 0.5) * 1000)))
                    for record in fetched.get(place, []):
                        yield record
        finally:
            # In the background: over TLS, the broker sometimes takes seconds to close its side.
            closing = asyncio.create_task(close(consumer.stop()))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _fields(value: bytes | None) -> dict[str, Any]:
    """What a record says; nothing for what isn't one of ours (a tombstone, another's bytes)."""
    try:
        fields = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _positions(fields: Mapping[str, Any]) -> Positions | None:
    next_id, behind = fields.get("next"), fields.get("behind")
    if not isinstance(next_id, int) or not isinstance(behind, dict):
        return None
    return Positions(next_id, behind, fields.get("parked") or {})
