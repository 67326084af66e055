"""Whether Kafka will really end a transaction whose commit it has acknowledged.

The coordinator acknowledges a commit, then has a marker written to each partition of the transaction. A partition that
has no leader at that moment it takes for deleted: it passes it over and counts the transaction as complete (seen with
Kafka 4.3.1, whose log then says "these partitions are likely deleted already and hence can be skipped"). This happens
when a broker is shut down in order and no other replica can lead. The records stay without an end, and the abort of a
later transaction takes them back, although their commit was acknowledged.

So after each commit the coordinator's node is asked for the leaders. A shutdown takes them away for longer than a
request lasts: those that are there now were there then. Where one is gone, or no answer came to the commit at all, it
is unknown whether the transaction ends: a doubt (`doubts`). The next producer aborts a transaction of its own in the
same partitions: what has no end goes with that, and what has one stays. So the positions that are read afterwards say
what became of the records.
"""

import asyncio
from collections.abc import Collection
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.cluster import ClusterMetadata
from aiokafka.producer.transaction_manager import TransactionState
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import TopicPartition

_PAUSE_S: Final = 0.005


async def leaderless(producer: AIOKafkaProducer, places: Collection[TopicPartition]) -> TopicPartition | None:
    """One of these partitions that has no leader by the word of the transactions' coordinator; None when all have one.

    A topic that isn't there any more took its records along: it is passed over here, too. Raises a KafkaError, or a
    KeyError when the coordinator isn't known, when it can't be asked.
    """
    client: Any = producer.client
    node_id = producer._sender._coordinators[CoordinationType.TRANSACTION]  # noqa: SLF001 - as abandon.py
    request = MetadataRequest(sorted({place.topic for place in places}), allow_auto_topic_creation=False)
    answer = await client.send(node_id, request, group=ConnectionGroup.COORDINATION)
    if not answer.brokers:  # the last that a broker says before it is gone: it knows of no brokers, nor of leaders
        return next(iter(places), None)
    found = ClusterMetadata()
    found.update_metadata(answer)
    for place in places:
        if found.partitions_for_topic(place.topic) and found.leader_for_partition(place) in {None, -1}:
            return place
    return None


async def join(producer: AIOKafkaProducer, places: Collection[TopicPartition]) -> None:
    """Add these partitions to the open transaction, without a record for them. Raises what aiokafka says."""
    manager: Any = producer._txn_manager  # noqa: SLF001 - as above
    for place in places:
        manager.maybe_add_partition_to_txn(place)
    while manager.partitions_to_add():
        if manager.state is not TransactionState.IN_TRANSACTION:
            break
        await asyncio.sleep(_PAUSE_S)
    if manager.state is not TransactionState.IN_TRANSACTION:
        await manager.wait_for_transaction_end()  # raises the reason
