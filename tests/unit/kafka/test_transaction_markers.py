"""A commit that was acknowledged counts once each partition of its transaction has its end."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from bridge.errors import SinkTimeoutError
from bridge.kafka import producer
from bridge.kafka.batches import ProducerBatch
from bridge.kafka.producer import Producer
from bridge.kafka.transaction_markers import markers_written
from bridge.model import PendingMarker
from bridge.settings.models import Kafka

FIRST = 4
"""The offset of every batch."""
NOT_LEADER = 6
READ_0, READ_1, SENT_0 = (
    ProducerBatch("read", 0, None, [1]),
    ProducerBatch("read", 1, None, [2, 3]),
    ProducerBatch("sent", 0, None, [4]),
)
PLACE = TopicPartition("read", 0)


class Answering:
    """Takes all batches and commits; its leaders say where partitions end."""

    def __init__(self, *stable: dict[TopicPartition, int]) -> None:
        """The last stable offsets, one after another, the last for good. What isn't in them has ended."""
        self._stable = list(stable) or [{}]
        self.highest = FIRST + 2
        self.leaders = {"read": 1, "sent": 1}
        self.leaders_known = dict[str, int]()
        cluster = SimpleNamespace(leader_for_partition=self._leader)
        self.client = SimpleNamespace(send=self._send, cluster=cluster, force_metadata_update=self._update)
        self.asked = 0
        self.away = self.loses_answer = False

    def _leader(self, place: TopicPartition) -> int | None:
        return self.leaders.get(place.topic)

    async def _update(self) -> bool:
        self.leaders |= self.leaders_known
        return True

    async def _send(self, node_id: int, request: OffsetRequest) -> Any:
        self.asked += 1
        if self.away:
            raise KafkaConnectionError("it is gone")
        stable = self._stable.pop(0) if len(self._stable) > 1 else self._stable[0]

        def end(place: TopicPartition) -> int:
            return stable.get(place, self.highest) if request._isolation_level else self.highest

        topics = [
            (topic, [(n, 0 if node_id == 1 else NOT_LEADER, -1, end(TopicPartition(topic, n))) for n, _ in partitions])
            for topic, partitions in request._topics
        ]
        return SimpleNamespace(topics=topics)

    async def begin_transaction(self) -> None: ...

    async def commit_transaction(self) -> None:
        if self.loses_answer:
            raise TimeoutError

    async def send_batch(self, *_: object, **__: object) -> Any:
        return done(SimpleNamespace(offset=FIRST))


def done(value: object) -> Any:
    future = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future


def producer_on(inner: Answering) -> Producer:
    made = Producer(Kafka(bootstrap_servers=["127.0.0.1:1"]), {"bootstrap_servers": "127.0.0.1:1"}, "id")
    made._inner._closed = True  # the one that it would use: never started
    made._inner = inner
    return made


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "MARKER_WAIT_S", 0.1)
    monkeypatch.setattr(producer, "OTHERS_WAIT_S", 0.05)


async def test_with_an_end_in_each_partition_it_is_committed_and_nothing_is_in_doubt() -> None:
    inner = Answering()
    made = producer_on(inner)
    assert await made.deliver([READ_0, READ_1, SENT_0]) == [FIRST, FIRST, FIRST]
    assert (inner.asked, made.pending_markers) == (1, ())


async def test_an_end_that_comes_late_is_waited_for() -> None:
    inner = Answering({PLACE: FIRST}, {PLACE: FIRST}, {})
    assert await producer_on(inner).deliver([READ_0, READ_1]) == [FIRST, FIRST]
    assert inner.asked == 3


async def test_where_a_partition_has_no_marker_the_outcome_is_unknown_and_its_entries_are_named() -> None:
    made = producer_on(Answering({PLACE: FIRST}))
    with pytest.raises(SinkTimeoutError, match="no marker in read"):
        await made.deliver([READ_0, READ_1, SENT_0])
    ends = (
        PendingMarker("read", 0, FIRST, (1,)),
        PendingMarker("read", 1, FIRST, (2, 3)),
        PendingMarker("sent", 0, FIRST, (4,)),
    )
    assert (made.pending_markers, made.acknowledged) == (ends, True)


async def test_what_another_producer_s_open_transaction_hides_is_not_waited_for_long() -> None:
    assert await producer_on(Answering({PLACE: FIRST - 1})).deliver([READ_0]) == [FIRST]


@pytest.mark.parametrize("leader", [None, -1, 2])
async def test_where_a_leader_is_gone_or_not_the_leader_any_more_the_outcome_is_unknown(leader: int | None) -> None:
    inner = Answering()
    inner.leaders["read"] = leader  # type: ignore[assignment]
    with pytest.raises(SinkTimeoutError, match="read has no leader"):
        await producer_on(inner).deliver([READ_0, SENT_0])


async def test_a_leader_that_is_known_to_kafka_alone_is_asked_for() -> None:
    inner = Answering()
    del inner.leaders["read"]
    inner.leaders_known["read"] = 1
    assert await producer_on(inner).deliver([READ_0, SENT_0]) == [FIRST, FIRST]


async def test_when_nobody_answers_the_outcome_is_unknown() -> None:
    inner = Answering()
    inner.away = True
    with pytest.raises(SinkTimeoutError, match="whether a transaction has ended is unknown"):
        await producer_on(inner).deliver([READ_0])


async def test_a_commit_without_an_answer_leaves_a_doubt_and_one_that_is_certain_leaves_none() -> None:
    inner = Answering()
    made = producer_on(inner)
    await made.deliver([READ_0])
    assert not made.pending_markers
    inner.loses_answer = True
    with pytest.raises(SinkTimeoutError):
        await made.deliver([READ_1, READ_1])
    assert made.pending_markers == (PendingMarker("read", 1, FIRST, (2, 3, 2, 3)),)
    assert not made.acknowledged


@pytest.mark.parametrize(
    ("stable", "highest", "ended"),
    [
        (FIRST + 1, FIRST + 1, {PLACE: True}),
        (FIRST, FIRST + 1, {PLACE: False}),
        (FIRST - 1, FIRST + 1, {}),  # another's transaction is open
        (FIRST - 1, FIRST, {PLACE: False}),  # the topic was made anew: the records are gone
        (0, 0, {PLACE: False}),
    ],
)
async def test_the_last_stable_offset_tells_what_has_an_end(
    stable: int, highest: int, ended: dict[TopicPartition, bool]
) -> None:
    inner: Any = Answering({PLACE: stable})
    inner.highest = highest
    assert await markers_written(inner, {PLACE: FIRST}) == ended
