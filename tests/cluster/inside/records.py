"""Print what a read_committed consumer sees of some sessions: `records.py BOOTSTRAP TOPIC PREFIX`.

One line of JSON, a list of `[partition, offset, session, number, id, key]`, up to the topic's end when it was asked,
with the records of transactions that were about to end.
"""

import asyncio
import json
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

BOUND_S = 40.0


async def main(bootstrap: str, topic: str, prefix: str) -> None:
    """Read the topic from its beginning."""
    found: list[list[Any]] = []
    async with asyncio.timeout(BOUND_S):
        consumer = await _started(bootstrap, "read_committed")
        try:
            partitions = await _assigned(consumer, topic)
            ends = await _ends(bootstrap, partitions)
            while not all([await consumer.position(one) >= ends[one] for one in partitions]):
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    found += [row for message in batch if (row := _row(message))[2].startswith(prefix)]
        finally:
            await consumer.stop()
    print(json.dumps(found))


async def _started(bootstrap: str, isolation_level: str) -> AIOKafkaConsumer:
    # While pods come and go, the cluster's DNS may not know Kafka's name for a moment.
    while True:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, isolation_level=isolation_level, enable_auto_commit=False
        )
        try:
            await consumer.start()
        except KafkaConnectionError:
            await consumer.stop()
            await asyncio.sleep(0.5)
        else:
            return consumer


async def _ends(bootstrap: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    # A commit is acknowledged before it is visible: for a reader of committed records the topic may end before it.
    consumer = await _started(bootstrap, "read_uncommitted")
    try:
        return dict(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()


async def _assigned(consumer: Any, topic: str) -> list[TopicPartition]:
    # The subscription makes the client ask for this topic's partitions; reading by assignment needs no group.
    while not (ids := consumer.partitions_for_topic(topic)):
        await consumer._client.add_topic(topic)
        await consumer._client.force_metadata_update()
        await asyncio.sleep(0.1)
    partitions = [TopicPartition(topic, one) for one in sorted(ids)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    return partitions


def _row(message: Any) -> list[Any]:
    event = json.loads(message.value)
    session = event.get("session_id") or ""
    number = int(event["session_keys"]["number"]) if "number" in event.get("session_keys", {}) else -1
    key = message.key.decode() if message.key else ""
    return [message.partition, message.offset, session, number, event["id"], key]


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
