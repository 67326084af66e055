"""What the Kafka client really does when things go wrong, and that the sink knows it.

Each test first shows the fact on the bare client, where it is cheap to show, then what the sink makes of it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from bridge.errors import (
    FencedError,
    LaneBlockedError,
    ProducerFencedError,
    ProducerLostError,
    RecordRefusedError,
    SinkError,
    SinkTimeoutError,
    SinkUnavailableError,
)
from bridge.kafka.batches import Sizing
from bridge.kafka.errors import translate
from bridge.kafka.positions import Found, Instance
from bridge.kafka.sink import TransactionalSink
from bridge.model import Positions, Prepared, Record
from bridge.settings.models import Kafka
from tests.kafka_broker import Broker, create_topics, delete_topics, read_records, unique

pytestmark = pytest.mark.kafka


def prepared(entry_id: int, topic: str, value: bytes = b"{}", key: bytes = b"k") -> Prepared:
    record = Record(topic, key, value, (), 1_700_000_000_000 + entry_id)
    return Prepared(entry_id, 0, "message.read", topic, record, None, "forwarded")


class Lab:
    """A positions topic and a journal id of their own on the session's broker."""

    def __init__(self, broker: Broker, positions_topic: str, call_timeout: str = "5s") -> None:
        self.broker = broker
        self.bootstrap = broker.bootstrap
        self.journal_id = unique("journal")
        self.kafka = Kafka.model_validate(
            {
                "bootstrap_servers": [broker.bootstrap],
                "positions_topic": positions_topic,
                "call_timeout": call_timeout,
                "request_timeout": "1s",
                "compression": "none",
            }
        )
        self.sinks: list[TransactionalSink] = []

    def sink(self, instance: str = "a") -> TransactionalSink:
        sink = TransactionalSink(self.kafka, self.journal_id, Instance(instance, f"host-{instance}", 1), list)
        self.sinks.append(sink)
        return sink

    async def positions(self) -> list[int]:
        """`next` of every committed position record of this journal."""
        records = await read_records(self.bootstrap, self.kafka.positions_topic)
        return [json.loads(r.value or b"")["next"] for r in records if r.key == self.journal_id.encode()]


@pytest.fixture
async def lab(kafka: Broker) -> AsyncIterator[Lab]:
    positions_topic = unique("positions")
    await create_topics(kafka.bootstrap, positions_topic, config={"cleanup.policy": "compact"})
    lab = Lab(kafka, positions_topic)
    yield lab
    for sink in lab.sinks:
        await sink.close(healthy=False)


async def send(sink: TransactionalSink, items: Sequence[Prepared], next_id: int, sizing: Sizing | None = None) -> None:
    counts = await sink.partition_counts(sorted({item.topic for item in items}))
    partitions = {topic: count for topic, count in counts.items() if isinstance(count, int)}
    await sink.send(items, Positions(next_id), partitions, sizing or Sizing())


async def failure_of(call: Awaitable[Any]) -> type[BaseException]:
    """The class of what `call` raises; the error itself would keep half-open connections alive."""
    try:
        await call
    except Exception as error:  # noqa: BLE001 - the caller says which it expects
        return type(error)
    raise AssertionError("it did not fail")


async def test_a_commit_over_a_failed_record_is_not_taken_for_success(lab: Lab) -> None:
    small, good = unique("small"), unique("good")
    await create_topics(lab.bootstrap, small, config={"max.message.bytes": "2000"})
    await create_topics(lab.bootstrap, good)

    bare = AIOKafkaProducer(bootstrap_servers=lab.bootstrap, transactional_id=unique("bare"))
    await bare.start()
    await bare.begin_transaction()
    lost = await bare.send(small, b"x" * 5000)
    await bare.send_and_wait(good, b"fine")
    with pytest.raises(MessageSizeTooLargeError):
        await lost
    await bare.commit_transaction()  # the fact: it succeeds, and the record is gone
    await bare.stop()
    assert len(await read_records(lab.bootstrap, [small, good])) == 1

    sink = lab.sink()
    await sink.open(None)
    with pytest.raises(RecordRefusedError) as refused:
        await send(sink, [prepared(1, good, b"a"), prepared(2, small, b"x" * 5000)], 3)
    assert refused.value.entry_ids == (2,)
    await sink.close(healthy=False)
    assert len(await read_records(lab.bootstrap, good)) == 1, "what was in the refused transaction is not visible"
    assert await lab.positions() == []


async def test_a_refused_batch_poisons_its_partition_and_only_a_new_producer_heals_it(lab: Lab) -> None:
    topic = unique("small")
    await create_topics(lab.bootstrap, topic, config={"max.message.bytes": "2000"})

    bare = AIOKafkaProducer(bootstrap_servers=lab.bootstrap, transactional_id=unique("bare"))
    await bare.start()
    await bare.begin_transaction()
    with pytest.raises(MessageSizeTooLargeError):
        await bare.send_and_wait(topic, b"x" * 5000)
    await bare.abort_transaction()
    await bare.begin_transaction()
    with pytest.raises((OutOfOrderSequenceNumber, KafkaError, AssertionError)):
        await bare.send_and_wait(topic, b"small")  # the fact: also after the abort
    await asyncio.wait_for(bare.client.close(), 5)
    bare._closed = True
    bare._sender.sender_task.cancel()

    sink = lab.sink()
    await sink.open(None)
    with pytest.raises(RecordRefusedError):
        await send(sink, [prepared(1, topic, b"x" * 5000)], 2)
    await sink.close(healthy=False)
    await sink.open(None)
    await send(sink, [prepared(1, topic, b"small")], 2)
    assert [r.value for r in await read_records(lab.bootstrap, topic)] == [b"small"]
    assert await lab.positions() == [2]


async def test_the_limit_is_for_the_batch_and_smaller_batches_pass(lab: Lab) -> None:
    topic = unique("small")
    await create_topics(lab.bootstrap, topic, config={"max.message.bytes": "2000"})
    items = [prepared(i, topic, b"x" * 100) for i in range(1, 51)]
    sink = lab.sink()
    await sink.open(None)
    with pytest.raises(RecordRefusedError) as refused:
        await send(sink, items, 51)
    assert len(refused.value.entry_ids) == 50
    await sink.close(healthy=False)
    await sink.open(None)
    await send(sink, items, 51, Sizing(topic_bytes_max={topic: 1900}))
    assert len(await read_records(lab.bootstrap, topic)) == 50


async def test_a_fatal_state_that_shows_as_an_assertion_means_a_new_producer(lab: Lab) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    bare = AIOKafkaProducer(bootstrap_servers=lab.bootstrap, transactional_id=unique("bare"))
    other = AIOKafkaProducer(bootstrap_servers=lab.bootstrap, transactional_id=bare._txn_manager.transactional_id)
    await bare.start()
    await bare.begin_transaction()
    await bare.send_and_wait(topic, b"1")
    await other.start()
    with pytest.raises(KafkaError):
        await bare.send_and_wait(topic, b"2")
    seen: list[BaseException] = []
    for call in (bare.commit_transaction, bare.abort_transaction, bare.begin_transaction):
        with pytest.raises(Exception) as raised:  # noqa: PT011 - the fact is that it isn't always a KafkaError
            await asyncio.wait_for(call(), 5)
        seen.append(raised.value)
    assert any(isinstance(error, AssertionError) for error in seen)
    assert all(isinstance(translate(error), ProducerLostError) for error in seen)
    await bare.stop()
    await other.stop()


async def test_a_new_producer_reads_its_position_behind_its_own_barrier(lab: Lab) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    sink = lab.sink()
    offset = None
    for round_ in range(1, 6):
        found = await sink.open(offset)
        assert found is not None
        if round_ > 1:
            assert found.positions == Positions(round_), "what was committed last, never what was before it"
            offset = found.offset
        await send(sink, [prepared(round_, topic)], round_ + 1)
        await sink.close(healthy=True)
    assert await lab.positions() == [2, 3, 4, 5, 6]


async def test_positions_are_never_taken_for_none_right_after_a_brokers_restart(
    controllable_kafka: Broker, lab: Lab
) -> None:
    """A group's offsets read empty while its coordinator loads; so no group is used, but the topic is read."""
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    sink = lab.sink()
    await sink.open(None)
    await send(sink, [prepared(1, topic)], 2)
    await sink.close(healthy=True)
    await asyncio.to_thread(controllable_kafka.kill)
    await asyncio.to_thread(controllable_kafka.start)
    found = None
    async with asyncio.timeout(60):
        while found is None:
            try:
                found = await sink.open(None)
            except SinkError:
                await sink.close(healthy=False)
    assert found.positions == Positions(2)
    admin = AIOKafkaAdminClient(bootstrap_servers=lab.bootstrap)
    await admin.start()
    try:
        groups = {group for group, *_ in await admin.list_consumer_groups()}
    finally:
        await admin.close()
    assert not any(lab.journal_id in group or "treble-bridge" in group for group in groups)


async def test_an_open_transaction_of_a_dead_producer_is_ended_by_the_next_one(lab: Lab) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    dead, alive = lab.sink("dead"), lab.sink("alive")
    await dead.open(None)
    inner = dead.producer._inner
    await inner.begin_transaction()
    await inner.send_and_wait(topic, b"never committed")
    found = await alive.open(None)
    assert found is not None
    assert found.positions is None
    await send(alive, [prepared(1, topic, b"committed")], 2)
    assert [r.value for r in await read_records(lab.bootstrap, topic)] == [b"committed"]
    inner._closed = True
    inner._sender.sender_task.cancel()


async def test_a_producer_fenced_by_another_live_process_stops_and_names_it(lab: Lab) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    first, second = lab.sink("first"), lab.sink("second")
    await first.open(None)
    await second.open(None)
    with pytest.raises(ProducerFencedError):
        await send(first, [prepared(1, topic)], 2)
    await first.close(healthy=False)
    with pytest.raises(FencedError, match="host-second"):
        await first.open(None)
    await send(second, [prepared(1, topic)], 2)
    assert len(await read_records(lab.bootstrap, topic)) == 1


async def test_a_transaction_that_timed_out_is_not_taken_for_another_process(lab: Lab) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    sink = lab.sink()
    await sink.open(None)
    sink._superseded = True  # what a ProducerFenced after a timed out transaction leaves behind
    await sink.close(healthy=False)
    assert await sink.open(None) is not None
    await send(sink, [prepared(1, topic)], 2)


async def test_a_producer_fenced_by_the_one_that_took_its_place_is_not_taken_for_another_process(lab: Lab) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    sink = lab.sink()
    await sink.open(None)
    await send(sink, [prepared(1, topic)], 2)
    former = sink.producer
    sink.connect_by(lab.kafka.model_copy(update={"client_id": "renewed"}))
    await sink.open(None)  # the former one still lives, as if closing it had failed
    sink._producer, latter = former, sink.producer
    with pytest.raises(ProducerFencedError):
        await send(sink, [prepared(2, topic)], 3)
    assert sink._superseded
    await former.close(healthy=False)
    sink._producer = latter
    await sink.close(healthy=True)
    found = await sink.open(None)
    assert found is not None
    assert found.positions == Positions(2)
    await send(sink, [prepared(2, topic)], 3)
    assert len(await read_records(lab.bootstrap, topic)) == 2


async def test_a_missing_topic_is_told_apart_from_one_that_works(lab: Lab) -> None:
    good, missing = unique("good"), unique("missing")
    await create_topics(lab.bootstrap, good)
    sink = lab.sink()
    await sink.open(None)
    counts = await sink.partition_counts([good, missing])
    assert counts[good] == 1
    blocked = counts[missing]
    assert isinstance(blocked, LaneBlockedError)
    assert blocked.state == "missing"
    assert missing in str(blocked)
    await create_topics(lab.bootstrap, missing)
    assert (await sink.partition_counts([missing]))[missing] == 1, "the same producer sees it once it is there"


async def test_a_topic_deleted_under_way_blocks_its_lane_and_loses_nothing(lab: Lab) -> None:
    good, doomed = unique("good"), unique("doomed")
    await create_topics(lab.bootstrap, good, doomed)
    sink = lab.sink()
    await sink.open(None)
    await send(sink, [prepared(1, good), prepared(2, doomed)], 3)
    await delete_topics(lab.bootstrap, doomed)
    with pytest.raises(SinkError):
        await send(sink, [prepared(3, good), prepared(4, doomed)], 5)
    await sink.close(healthy=False)
    await sink.open(None)
    blocked = (await sink.partition_counts([good, doomed]))[doomed]
    assert isinstance(blocked, LaneBlockedError)
    assert blocked.state == "missing"
    await send(sink, [prepared(3, good)], 4)
    assert len(await read_records(lab.bootstrap, good)) == 2
    assert await lab.positions() == [3, 4]


async def test_a_missing_positions_topic_is_everyones_trouble_not_a_lanes(kafka: Broker) -> None:
    lab = Lab(kafka, unique("absent"))
    sink = lab.sink()
    with pytest.raises(SinkUnavailableError, match="absent"):
        await sink.open(None)
    await sink.close(healthy=False)


async def reopened(sink: TransactionalSink) -> Found:
    """Open it as a bridge does: again and again, since a broker that stood still has to find its place first."""
    async with asyncio.timeout(30):
        while True:
            try:
                found = await sink.open(None)
            except SinkError:
                await sink.close(healthy=False)
                continue
            assert found is not None
            return found


async def test_every_call_ends_within_its_own_limit_while_the_broker_stands_still(kafka: Broker) -> None:
    if not kafka.can_control:
        pytest.skip("needs a broker that the test can stop")
    positions_topic, topic = unique("positions"), unique("data")
    await create_topics(kafka.bootstrap, positions_topic, topic)
    lab = Lab(kafka, positions_topic, call_timeout="3s")
    sink = lab.sink()
    await sink.open(None)
    await send(sink, [prepared(1, topic)], 2)
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(kafka.pause)
    try:
        began = loop.time()
        assert await failure_of(send(sink, [prepared(2, topic)], 3)) is SinkTimeoutError
        await sink.close(healthy=False)
        assert issubclass(await failure_of(sink.open(None)), SinkError)
        await sink.close(healthy=False)
        assert loop.time() - began < 20
    finally:
        await asyncio.to_thread(kafka.resume)
    found = await reopened(sink)
    assert found.positions is not None
    if found.positions.next_id == 2:
        await send(sink, [prepared(2, topic)], 3)
    assert len(await read_records(lab.bootstrap, topic)) == 2
    await sink.close(healthy=True)
