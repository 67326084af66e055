"""Records → batches, one list a partition, in order.

One batch per partition and transaction is the fast shape: one request and one future for a thousand records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bridge.kafka.partitioner import hashes
from bridge.kafka.stamps import Times
from bridge.model import Prepared

OVERHEAD_BYTES: Final = 400
"""What a record's headers and its own fields may add to key and value."""
NO_LIMIT: Final = 1_000_000
"""Below Kafka's default max.message.bytes."""


class MakesBatches(Protocol):
    """A producer that hands out empty batches."""

    def create_batch(self) -> Any:
        """An empty batch (aiokafka's BatchBuilder)."""


@dataclass(slots=True)
class Batch:
    """A batch for one partition, and the entries whose records are in it.

    `oldest_ms` is the earliest time that a record of it carries; None for one that carries the time of sending anyway.
    """

    topic: str
    partition: int
    builder: Any
    entry_ids: list[int] = field(default_factory=list)
    group: int | None = None
    size_bytes: int = 0
    oldest_ms: int | None = None


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
) -> list[Batch]:
    """Batches in the order of their first records; records of a partition keep their order.

    Each record carries the time that `times` says.
    A record that is larger than its topic's limit gets a batch of its own: compressed, it may still fit.
    """
    done: list[Batch] = []
    open_batches: dict[tuple[str, int], Batch] = {}
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
            or not _append(batch, item, time_ms)
        ):
            batch = None
        if batch is None:
            batch = Batch(topic, place[1], producer.create_batch(), group=group)
            open_batches[place] = batch
            done.append(batch)
            _append(batch, item, time_ms)
        batch.size_bytes += size_bytes
    return done


def _append(batch: Batch, item: Prepared, time_ms: int) -> bool:
    """Put the record into the batch; False when it is full. An empty batch takes a record of any size."""
    record = item.record
    assert record is not None
    taken = batch.builder.append(timestamp=time_ms, key=record.key, value=record.value, headers=list(record.headers))
    if taken is None:
        return False
    batch.entry_ids.append(item.entry_id)
    if batch.oldest_ms is None or time_ms < batch.oldest_ms:
        batch.oldest_ms = time_ms
    return True
