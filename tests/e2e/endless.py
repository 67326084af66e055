"""Records of a transaction that nobody ends, made for real: the broker takes them, and the coordinator isn't asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidTxnState
from aiokafka.structs import TopicPartition

from tests.kafka_broker import create_topics, unique


async def send_outside_of_any_transaction(
    producer: Any, topic: str, value: bytes, key: bytes | None = None, partition: int = 0
) -> int:
    """A record that looks like a transaction's, but the coordinator isn't told. Returns its offset."""
    producer._txn_manager._txn_partitions.add(TopicPartition(topic, partition))
    return int((await producer.send_and_wait(topic, value, key, partition=partition)).offset)


@contextlib.asynccontextmanager
async def coordinator_not_asked(bootstrap: str) -> AsyncIterator[None]:
    """Let the broker take records of a transaction that its coordinator knows nothing of.

    Nobody will end them, just as those whose partition had no leader when their transaction was ended.
    """
    scratch = unique("scratch")
    await create_topics(bootstrap, scratch)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def verify(value: str) -> None:
        configs = {"transaction.partition.verification.enable": value}
        broker_id = str((await admin.describe_cluster())["brokers"][0]["node_id"])
        await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, broker_id, configs)])

    async def is_in_force() -> bool:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=unique("probe")) as producer:
            await producer.begin_transaction()
            with contextlib.suppress(InvalidTxnState):
                await send_outside_of_any_transaction(producer, scratch, b"")
                return True
            return False

    try:
        await verify("false")
        async with asyncio.timeout(10):
            while not await is_in_force():
                pass
        yield
    finally:
        await verify("true")
        await admin.close()
