"""Whether Kafka has written the markers of a transaction whose commit it has acknowledged, partition by partition.

The coordinator acknowledges a commit, then has a marker written to each partition of the transaction. If a partition
has no leader at that moment, the coordinator takes it for deleted and skips it (seen with Kafka 4.3.1, whose log says
"these partitions are likely deleted already and hence can be skipped"). This happens where no other replica can lead:
when a broker shuts down in order, and when a killed broker starts again with transactions to end. Other partitions may
have got their marker. Records without a marker block all readers of committed records, until a later transaction of the
same transactional id ends in their partition. If that is an abort, they are lost, although their commit was
acknowledged.

The last stable offset of a partition tells: it can't be beyond the first record of a transaction that has no marker.
If it is below that, another producer's transaction is open.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.transaction_manager import TransactionState
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

_PAUSE_S: Final = 0.005
_LATEST: Final = -1
_NO_REPLICA: Final = -1


async def markers_written(
    producer: AIOKafkaProducer, firsts: Mapping[TopicPartition, int]
) -> dict[TopicPartition, bool]:
    """Whether the transactions whose first records are at these offsets have their markers in these partitions.

    A partition is left out if it has no leader, or if another producer's open transaction hides the marker. If the
    topic was made anew, its old records are gone: they count as without a marker, and have to be sent again.
    """
    stable = await end_offsets(producer, firsts, committed=True)
    found = {place: at > firsts[place] for place, at in stable.items() if at >= firsts[place]}
    below = stable.keys() - found.keys()
    highest = await end_offsets(producer, below, committed=False) if below else {}
    return found | {place: False for place, at in highest.items() if at <= firsts[place]}


async def end_offsets(
    producer: AIOKafkaProducer, places: Collection[TopicPartition], *, committed: bool
) -> dict[TopicPartition, int]:
    """The last stable offset of these partitions, or with `committed` False the end of all records.

    A partition without an answer from its leader is left out.
    """
    client: Any = producer.client
    asked: dict[int, dict[str, list[tuple[int, int]]]] = {}
    for place in places:
        leader = client.cluster.leader_for_partition(place)
        if leader is not None and leader != -1:
            asked.setdefault(leader, {}).setdefault(place.topic, []).append((place.partition, _LATEST))
    answers = await asyncio.gather(*(_ask(client, node, int(committed), topics) for node, topics in asked.items()))
    return {place: offset for answer in answers for place, offset in answer.items()}


async def _ask(
    client: Any, node_id: int, isolation_level: int, topics: Mapping[str, list[tuple[int, int]]]
) -> dict[TopicPartition, int]:
    try:
        answer = await client.send(node_id, OffsetRequest(_NO_REPLICA, isolation_level, list(topics.items())))
    except KafkaError:
        return {}
    return {
        TopicPartition(topic, partition): offset
        for topic, partitions in answer.topics
        for partition, code, _, offset, *_ in partitions
        if code == 0
    }


async def join_transaction(producer: AIOKafkaProducer, places: Collection[TopicPartition]) -> None:
    """Add these partitions to the open transaction, without a record for them. Raises what aiokafka says."""
    manager: Any = producer._txn_manager  # noqa: SLF001 - as in aiokafka_patches.py
    for place in places:
        manager.maybe_add_partition_to_txn(place)
    while manager.partitions_to_add():
        if manager.state is not TransactionState.IN_TRANSACTION:
            break
        await asyncio.sleep(_PAUSE_S)
    if manager.state is not TransactionState.IN_TRANSACTION:
        await manager.wait_for_transaction_end()  # raises the reason
