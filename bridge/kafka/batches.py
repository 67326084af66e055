"""Records → batches, one list a partition, in order.

One batch per partition and transaction is the fast shape: one request and one future for a thousand records. This
module also decides the partition of each record, and its time: that of its webhook's arrival, if the broker accepts it.
"""

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from bridge.errors import TimestampRejectedError, TopicPausedError
from bridge.kafka.errors import paused
from bridge.model import Prepared, Record

RESTAMP_S: Final = 3600.0
"""How long a topic that rejected a record's time gets the time of sending: clocks and topics are put right."""


def now_ms() -> int:
    """This host's clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


class Timestamps:
    """The time of each record: its own if that has come, or the time of sending.

    A broker rejects a batch with a time too far from its own clock (`message.timestamp.after.max.ms`, an hour by
    default, and `message.timestamp.before.max.ms`). The event's envelope keeps the time of arrival in any case. So a
    topic that rejected a time gets the time of sending for an hour. In memory: a new process finds it out again.

    `clock_ms` is the host's clock, `seconds` one that never jumps.
    """

    def __init__(self, clock_ms: Callable[[], int] = now_ms, seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_ms = clock_ms
        self._seconds = seconds
        self._until_s: dict[str, float] = {}

    def of(self, topic: str, own_ms: int) -> int:
        """The time (ms since the epoch) of a record for `topic` whose own is `own_ms`."""
        at_ms = self._clock_ms()
        return at_ms if own_ms >= at_ms or self._is_restamped(topic) else own_ms

    def rejected(self, error: TimestampRejectedError) -> TimestampRejectedError | TopicPausedError:
        """A time was rejected. Returns `error` when another try may pass, with the time of sending; a TopicPausedError
        when it was rejected with that: a clock is wrong.
        """
        if self._is_restamped(error.topic):
            return paused(error.topic, "clock")
        self._until_s[error.topic] = self._seconds() + RESTAMP_S
        return error

    def _is_restamped(self, topic: str) -> bool:
        return topic in self._until_s and self._seconds() < self._until_s[topic]


OVERHEAD_BYTES: Final = 400
"""What a record's headers and its own fields may add to key and value."""
NO_LIMIT: Final = 1_000_000
"""Below Kafka's default max.message.bytes."""


@dataclass(slots=True)
class ProducerBatch:
    """A batch for one partition, and the entries whose records are in it."""

    topic: str
    partition: int
    builder: Any
    entry_ids: list[int] = field(default_factory=list)
    group: int | None = None
    size_bytes: int = 0


@dataclass(slots=True)
class Sizing:
    """How batches are cut. `topic_bytes_max` holds topics that take only smaller batches; entries with a group in
    `groups` share a batch only within it, and those without a group only with one another.
    """

    topic_bytes_max: dict[str, int] = field(default_factory=dict)
    groups: dict[int, int] = field(default_factory=dict)


def assemble(
    create_batch: Callable[[], Any],
    items: Sequence[Prepared],
    partitions: Mapping[str, int],
    sizing: Sizing,
    timestamps: Timestamps,
) -> list[ProducerBatch]:
    """Batches in the order of their first records; records of a partition keep their order.

    A record that is larger than its topic's limit gets a batch of its own: compressed, it may still fit.
    """
    done: list[ProducerBatch] = []
    open_batches: dict[tuple[str, int], ProducerBatch] = {}
    for item in items:
        record = item.record
        if record is None:
            continue
        topic = record.topic
        place = (topic, partition_of(record.key, partitions[topic]))
        batch = open_batches.get(place)
        group = sizing.groups.get(item.entry_id)
        time_ms = timestamps.of(topic, record.timestamp_ms)
        size_bytes = len(record.value) + len(record.key) + OVERHEAD_BYTES
        if (
            batch is None
            or batch.group != group
            or batch.size_bytes + size_bytes > sizing.topic_bytes_max.get(topic, NO_LIMIT)
            or not _append(batch, item.entry_id, record, time_ms)
        ):
            batch = ProducerBatch(topic, place[1], create_batch(), group=group)
            open_batches[place] = batch
            done.append(batch)
            _append(batch, item.entry_id, record, time_ms)
        batch.size_bytes += size_bytes
    return done


def _append(batch: ProducerBatch, entry_id: int, record: Record, time_ms: int) -> bool:
    """Put the record into the batch; False when it is full. An empty batch takes a record of any size."""
    taken = batch.builder.append(timestamp=time_ms, key=record.key, value=record.value, headers=list(record.headers))
    if taken is None:
        return False
    batch.entry_ids.append(entry_id)
    return True


_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_CACHED_KEYS_MAX: Final = 4096


@lru_cache(_CACHED_KEYS_MAX)  # a conversation's events have one key, and come soon after one another
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key`, as Java's client computes it: the hash without its sign bit, modulo `partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 of `data` as an unsigned 32-bit number."""
    h = _SEED ^ len(data)
    words = len(data) >> 2
    for k in struct.unpack_from(f"<{words}I", data):
        mixed = k * _M & _MASK
        h = (h * _M & _MASK) ^ ((mixed ^ (mixed >> 24)) * _M & _MASK)
    tail = data[words << 2 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)
