"""A commit that was acknowledged counts once it is certain that it comes into effect."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest, MetadataResponse_v1
from aiokafka.structs import TopicPartition

from bridge.errors import SinkTimeoutError
from bridge.kafka.batches import Batch
from bridge.kafka.markers import leaderless
from bridge.kafka.producer import Producer
from bridge.settings.models import Kafka

COORDINATOR = 7
NOT_AVAILABLE, UNKNOWN = 5, 3


class Answering:
    """Takes all batches and commits; its coordinator says which partitions have leaders."""

    def __init__(self, **topics: list[int]) -> None:
        """Topic → the leader of each partition, -1 for none; a topic without partitions isn't there."""
        self._topics = topics
        self._sender = SimpleNamespace(_coordinators={CoordinationType.TRANSACTION: COORDINATOR})
        self.client = SimpleNamespace(send=self._send)
        self.asked: list[int] = []
        self.away = self.loses_answer = False
        self.brokers = [(1, "localhost", 9092, None)]

    async def _send(self, node_id: int, request: MetadataRequest, *, group: object) -> Any:
        del group
        self.asked.append(node_id)
        if self.away:
            raise KafkaConnectionError("it is gone")
        topics = [
            (
                0 if leaders else UNKNOWN,
                name,
                False,
                [(0 if leader >= 0 else NOT_AVAILABLE, n, leader, [1], [1]) for n, leader in enumerate(leaders)],
            )
            for name, leaders in self._topics.items()
            if name in (request._topics or ())
        ]
        return MetadataResponse_v1(brokers=self.brokers, controller_id=1, topics=topics)

    async def begin_transaction(self) -> None: ...

    async def commit_transaction(self) -> None:
        if self.loses_answer:
            raise TimeoutError

    async def send_batch(self, *_: object, **__: object) -> Any:
        return done(SimpleNamespace(offset=4))


def done(value: object) -> Any:
    future = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future


def producer_on(inner: Answering) -> Producer:
    producer = Producer(Kafka(bootstrap_servers=["127.0.0.1:1"]), {"bootstrap_servers": "127.0.0.1:1"}, "id")
    producer._inner._closed = True  # the one that it would use: never started
    producer._inner = inner
    return producer


READ_0, READ_1 = Batch("read", 0, None), Batch("read", 1, None)


async def test_with_a_leader_for_each_partition_it_is_committed() -> None:
    inner = Answering(read=[1, 1])
    assert await producer_on(inner).deliver([READ_0, READ_1]) == [4, 4]
    assert inner.asked == [COORDINATOR]


async def test_where_a_partition_lost_its_leader_the_outcome_is_unknown() -> None:
    with pytest.raises(SinkTimeoutError, match="whether a transaction has ended is unknown"):
        await producer_on(Answering(read=[1, -1])).deliver([READ_0, READ_1])


async def test_a_partition_that_the_transaction_is_not_in_does_not_matter() -> None:
    assert await producer_on(Answering(read=[1, -1])).deliver([READ_0]) == [4]


async def test_a_topic_that_is_gone_took_its_records_along() -> None:
    assert await leaderless(Answering(read=[]), {TopicPartition("read", 0)}) is None


async def test_when_nobody_answers_the_outcome_is_unknown() -> None:
    inner = Answering(read=[1, 1])
    inner.away = True
    with pytest.raises(SinkTimeoutError, match="whether a transaction has ended is unknown"):
        await producer_on(inner).deliver([READ_0])


async def test_without_a_coordinator_the_outcome_is_unknown() -> None:
    inner = Answering(read=[1, 1])
    inner._sender._coordinators.clear()
    with pytest.raises(SinkTimeoutError, match="whether a transaction has ended is unknown"):
        await producer_on(inner).deliver([READ_0])


async def test_an_answer_without_brokers_is_the_last_of_one_that_is_going_and_proves_nothing() -> None:
    inner = Answering(read=[-1])
    inner.brokers = []
    with pytest.raises(SinkTimeoutError, match="whether a transaction has ended is unknown"):
        await producer_on(inner).deliver([READ_0])


async def test_a_commit_without_an_answer_leaves_a_doubt_and_one_that_is_certain_leaves_none() -> None:
    inner = Answering(read=[1, 1])
    producer = producer_on(inner)
    await producer.deliver([READ_0])
    assert not producer.doubtful
    inner.loses_answer = True
    with pytest.raises(SinkTimeoutError):
        await producer.deliver([READ_1])
    assert producer.doubtful == {("read", 1)}
