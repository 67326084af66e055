"""The moment of a commit, seen from outside: a transaction's position record is written right before it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.e2e.bridge_process import Bridge

FETCH_MS = 20


class Commits:
    """The bridge's transactions as they come, those that are not committed yet included."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    async def next(self, within_s: float = 30.0) -> None:
        """Return as soon as a transaction that began after this call has written its position."""
        await self._consumer.seek_to_end()
        async with asyncio.timeout(within_s):
            while True:
                batches = await self._consumer.getmany(timeout_ms=FETCH_MS)
                if any(b"/barrier" not in record.key for batch in batches.values() for record in batch):
                    return


@asynccontextmanager
async def watching(bridge: Bridge) -> AsyncIterator[Commits]:
    """Watch a bridge whose positions topic exists."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bridge.bootstrap,
        isolation_level="read_uncommitted",
        enable_auto_commit=False,
        fetch_max_wait_ms=FETCH_MS,
    )
    await consumer.start()
    try:
        partitions = (await consumer._client.fetch_all_metadata()).partitions_for_topic(bridge.positions_topic)
        consumer.assign([TopicPartition(bridge.positions_topic, partition) for partition in partitions])
        yield Commits(consumer)
    finally:
        await consumer.stop()
