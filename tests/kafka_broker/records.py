"""What tests do with topics: make them, remove them, read all that is in them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from tests.chance import letters


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One record as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}.{letters()}"


async def create_topics(
    bootstrap: str,
    *names: str,
    partitions: int = 1,
    replication_factor: int = 1,
    config: Mapping[str, str] | None = None,
    **options: Any,
) -> None:
    """Make topics; returns when every partition has a leader. `options` go to the client (security)."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **options)
    async with asyncio.timeout(30):
        await admin.start()
        try:
            topics = [
                NewTopic(name, partitions, replication_factor, topic_configs=dict(config or {})) for name in names
            ]
            _raise_first((await admin.create_topics(topics)).topic_errors)
            await _until(admin, lambda topics: all(_led(topics.get(name), partitions) for name in names))
        finally:
            await admin.close()


async def delete_topics(bootstrap: str, *names: str, **options: Any) -> None:
    """Remove topics; returns when the broker does not know them any more."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **options)
    async with asyncio.timeout(30):
        await admin.start()
        try:
            _raise_first((await admin.delete_topics(list(names))).topic_error_codes)
            await _until(admin, lambda topics: not any(name in topics for name in names))
        finally:
            await admin.close()


def _raise_first(results: Sequence[tuple[Any, ...]]) -> None:
    for topic, code, *message in results:
        if code:
            raise for_code(code)(f"{topic}: {message}")


async def _until(admin: Any, holds: Callable[[dict[str, Any]], bool]) -> None:
    # All topics, not those asked for: a broker that makes topics on first use would make the ones just removed.
    while not holds({topic["topic"]: topic for topic in await admin.describe_topics()}):  # noqa: ASYNC110 - Kafka sends no event for it
        await asyncio.sleep(0.02)


def _led(topic: Mapping[str, Any] | None, partitions: int) -> bool:
    return topic is not None and len([p for p in topic["partitions"] if p["leader"] >= 0 and p["isr"]]) == partitions


async def read_records(
    bootstrap: str,
    topics: str | Sequence[str],
    *,
    count: int | None = None,
    timeout_s: float = 30.0,
    isolation: str = "read_committed",
    **options: Any,
) -> list[ReadRecord]:
    """All records of `topics` from the beginning, in order within each partition.

    With `count`, returns as soon as that many were read, or with fewer when `timeout_s` is over. Without it, reads to
    the end as it was when the call began; not getting there within `timeout_s` raises TimeoutError. Records of a
    transaction that is open are before that end, too: a commit is acknowledged before its records become visible, so
    they are waited for.
    """
    names = [topics] if isinstance(topics, str) else list(topics)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level=isolation, enable_auto_commit=False, **options
    )
    records: list[ReadRecord] = []
    try:
        async with asyncio.timeout(timeout_s):
            await consumer.start()
            partitions = await _assign(consumer, names)
            ends = await _ends(bootstrap, partitions, options) if count is None else {}
            while not await _finished(consumer, ends, records, count):
                for batch in (await consumer.getmany(timeout_ms=50)).values():
                    records += map(_record, batch)
    except TimeoutError:
        if count is None:
            raise
    finally:
        await consumer.stop()
    return records


async def _assign(consumer: Any, names: list[str]) -> list[TopicPartition]:
    partitions = []
    for name in names:
        while not (ids := consumer.partitions_for_topic(name)):
            await consumer._client.add_topic(name)
            await consumer._client.force_metadata_update()
        partitions += [TopicPartition(name, i) for i in sorted(ids)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    return partitions


async def _ends(bootstrap: str, partitions: list[TopicPartition], options: Mapping[str, Any]) -> dict[Any, int]:
    """Where the partitions end, for one who reads everything."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_uncommitted", **options)
    await consumer.start()
    try:
        return dict(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()


async def _finished(consumer: Any, ends: Mapping[Any, int], records: list[ReadRecord], count: int | None) -> bool:
    if count is not None:
        return len(records) >= count
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])


def _record(message: Any) -> ReadRecord:
    headers = dict(message.headers)
    assert len(headers) == len(message.headers), f"a header stands twice: {message.headers}"
    return ReadRecord(
        message.topic, message.partition, message.offset, message.timestamp, message.key, message.value, headers
    )
