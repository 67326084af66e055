"""Records → batches, one list a partition, in order.

One batch per partition and transaction is the fast shape: one request and one future for a thousand records. This
module also decides the partition of each record, and its time: that of its webhook's arrival, if the broker accepts it.

A broker rejects a batch with a time too far from its own clock (`message.timestamp.after.max.ms`, an hour by default,
and `message.timestamp.before.max.ms`). The event's envelope keeps the time of arrival in any case. So no record is from
the future, and a topic that rejected an old record gets the time of sending for an hour. If a topic rejects that too, a
clock is wrong.
"""

import struct
import sys
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bridge.errors import TimestampRejectedError, TopicPausedError
from bridge.kafka.errors import paused
from bridge.model import Prepared, Record

REMEMBER_S: Final = 3600.0
"""How long a topic that rejected a record's time gets the time of sending: clocks and topics are put right."""


def now_ms() -> int:
    """This host's clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Times:
    """The times for one sending, at `now_ms`. Records for `topics` carry that."""

    now_ms: int
    topics: frozenset[str] = frozenset()

    def of(self, topic: str, own_ms: int) -> int:
        """The time (ms since the epoch) of a record for `topic` whose own is `own_ms`."""
        return self.now_ms if own_ms >= self.now_ms or topic in self.topics else own_ms


class Timestamps:
    """Which topics rejected a record's time. In memory: a new process finds it out again.

    `clock_ms` is the host's clock, `seconds` one that never jumps.
    """

    def __init__(self, clock_ms: Callable[[], int] = now_ms, seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_ms = clock_ms
        self._seconds = seconds
        self._until_s: dict[str, float] = {}

    def times(self) -> Times:
        """The times for a sending that begins now."""
        now_s = self._seconds()
        return Times(self._clock_ms(), frozenset(topic for topic, until_s in self._until_s.items() if now_s < until_s))

    def rejected(self, error: TimestampRejectedError, times: Times) -> TimestampRejectedError | TopicPausedError:
        """A batch with these `times` was rejected. Returns `error` when another try may pass, with the time of sending;
        a TopicPausedError when it was rejected with that.
        """
        if error.topic in times.topics:
            return paused(error.topic, "clock")
        self._until_s[error.topic] = self._seconds() + REMEMBER_S
        return error


OVERHEAD_BYTES: Final = 400
"""What a record's headers and its own fields may add to key and value."""
NO_LIMIT: Final = 1_000_000
"""Below Kafka's default max.message.bytes."""


class MakesBatches(Protocol):
    """A producer that hands out empty batches."""

    def create_batch(self) -> Any:
        """An empty batch (aiokafka's BatchBuilder)."""


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
    producer: MakesBatches,
    items: Sequence[Prepared],
    partitions: Mapping[str, int],
    sizing: Sizing,
    times: Times,
) -> list[ProducerBatch]:
    """Batches in the order of their first records; records of a partition keep their order.

    Each record carries the time that `times` says.
    A record that is larger than its topic's limit gets a batch of its own: compressed, it may still fit.
    """
    done: list[ProducerBatch] = []
    open_batches: dict[tuple[str, int], ProducerBatch] = {}
    sent = [(item, item.record) for item in items if item.record is not None]
    for (item, record), hashed in zip(sent, hashes([record.key for _, record in sent]), strict=True):
        topic = record.topic
        place = (topic, (hashed & 0x7FFFFFFF) % partitions[topic])
        batch = open_batches.get(place)
        group = sizing.groups.get(item.entry_id) if sizing.groups else None
        time_ms = times.of(topic, record.timestamp_ms)
        size_bytes = len(record.value) + len(record.key) + OVERHEAD_BYTES
        if batch is not None and (
            batch.group != group
            or batch.size_bytes + size_bytes > sizing.topic_bytes_max.get(topic, NO_LIMIT)
            or not _append(batch, item.entry_id, record, time_ms)
        ):
            batch = None
        if batch is None:
            batch = ProducerBatch(topic, place[1], producer.create_batch(), group=group)
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
_WORDS = tuple(struct.Struct(f"<{n}I") for n in range(65))
_TOGETHER_MIN: Final = 8
_LITTLE_ENDIAN: Final = sys.byteorder == "little"  # as the hash reads; an array has the machine's order


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key`, as Java's client computes it: the hash without its sign bit, modulo `partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 of `data` as an unsigned 32-bit number."""
    length = len(data)
    h = _SEED ^ length
    words = length >> 2
    layout = _WORDS[words] if words < len(_WORDS) else struct.Struct(f"<{words}I")
    for k in layout.unpack_from(data):
        mixed = k * _M & _MASK
        h = (h * _M & _MASK) ^ ((mixed ^ (mixed >> 24)) * _M & _MASK)
    tail = data[words << 2 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def hashes(keys: Sequence[bytes]) -> list[int]:
    """`murmur2` of each key, in their order. Keys of one length, such as session ids, are hashed together."""
    by_length: dict[int, list[int]] = {}
    for index, key in enumerate(keys):
        by_length.setdefault(len(key), []).append(index)
    found = [0] * len(keys)
    for length, indexes in by_length.items():
        alike = [keys[index] for index in indexes]
        together = length and len(alike) >= _TOGETHER_MIN and _LITTLE_ENDIAN
        for index, value in zip(indexes, _murmur2_together(alike) if together else map(murmur2, alike), strict=True):
            found[index] = value
    return found


def _murmur2_together(keys: Sequence[bytes]) -> list[int]:
    """`murmur2` of keys of one length: 0.7 µs a key in place of 2.9.

    One large integer has a slot of 64 bits for each key, and each step of the hash is one operation on all of them. A
    32-bit number times a 32-bit constant fits its slot, so slots never touch. The masks clear
    what a multiplication or a shift leaves beside a slot's 32-bit number.
    """
    count, length = len(keys), len(keys[0])
    whole_words, tail = length >> 2, length & 3
    padding = bytes(-length % 4)
    words = array("I", b"".join([key + padding for key in keys]))
    words_per_key = len(words) // count

    def each(number: int) -> int:
        """The same number in each slot."""
        return int.from_bytes(number.to_bytes(8, "little") * count, "little")

    def word(position: int) -> int:
        """The word at this position of each key, in its slot."""
        return int.from_bytes(array("Q", words[position::words_per_key]).tobytes(), "little")

    mask, mask_24, mask_13, mask_15 = each(_MASK), each(_MASK >> 24), each(_MASK >> 13), each(_MASK >> 15)
    h = each(_SEED ^ length)
    for position in range(whole_words):
        mixed = word(position) * _M & mask
        h = (h * _M & mask) ^ ((mixed ^ (mixed >> 24 & mask_24)) * _M & mask)
    if tail:
        h = (h ^ word(whole_words)) * _M & mask
    h = (h ^ (h >> 13 & mask_13)) * _M & mask
    h ^= h >> 15 & mask_15
    return array("Q", h.to_bytes(8 * count, "little")).tolist()
