"""What the Kafka client really does when things go wrong, and that the sink knows it.

Each test first shows the fact on the bare client, where it is cheap to show, then what the sink makes of it.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
)

from bridge.errors import (
    FencedError,
    ProducerFencedError,
    ProducerLostError,
    RecordRejectedError,
    SinkError,
    SinkTimeoutError,
    TimestampRejectedError,
    TopicPausedError,
)
from bridge.kafka.batches import Sizing, Timestamps
from bridge.kafka.errors import translate
from bridge.kafka.sink import Sink, TransactionalSink
from bridge.model import PendingMarker, Positions, Prepared
from tests.e2e.bridge_process import until
from tests.e2e.endless import coordinator_not_asked, send_outside_of_any_transaction
from tests.e2e.sinks import Lab, prepared, send
from tests.kafka_broker import Broker, create_topics, delete_topics, read_records, unique
from tests.unit.journal.making import HOUR_MS

pytestmark = pytest.mark.kafka


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
    with pytest.raises(RecordRejectedError) as refused:
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
    with pytest.raises(RecordRejectedError):
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
    with pytest.raises(RecordRejectedError) as refused:
        await send(sink, items, 51)
    assert len(refused.value.entry_ids) == 50
    await sink.close(healthy=False)
    await sink.open(None)
    await send(sink, items, 51, Sizing(topic_bytes_max={topic: 1900}))
    assert len(await read_records(lab.bootstrap, topic)) == 50


async def test_a_topic_that_refuses_even_the_present_time_blocks_its_topic_queue_and_takes_it_from_a_clock_put_right(
    lab: Lab,
) -> None:
    topic, now_ms = unique("data"), time.time_ns() // 1_000_000
    await create_topics(lab.bootstrap, topic)
    bare = AIOKafkaProducer(bootstrap_servers=lab.bootstrap)
    await bare.start()
    with pytest.raises(InvalidTimestampError):  # the fact: two hours are too far ahead for a broker as it comes
        await bare.send_and_wait(topic, b"ahead", timestamp_ms=now_ms + 2 * HOUR_MS)
    await bare.stop()

    sink = lab.sink()
    sink._timestamps = Timestamps(lambda: now_ms + 2 * HOUR_MS)
    await sink.open(None)
    with pytest.raises(TimestampRejectedError):
        await send(sink, [prepared(1, topic, at_ms=now_ms + HOUR_MS * 3 // 2)], 2)
    for _ in range(2):
        await sink.close(healthy=False)
        await sink.open(None)
        with pytest.raises(TopicPausedError, match="present time") as raised:
            await send(sink, [prepared(1, topic, at_ms=now_ms + 3 * HOUR_MS)], 2)
        assert raised.value.state == "clock"
    sink._timestamps = Timestamps()
    await sink.close(healthy=False)
    await sink.open(None)
    await send(sink, [prepared(1, topic)], 2)
    assert len(await read_records(lab.bootstrap, topic)) == 1
    assert await lab.positions() == [2]


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
    assert isinstance(blocked, TopicPausedError)
    assert blocked.state == "missing"
    assert missing in str(blocked)
    await create_topics(lab.bootstrap, missing)
    assert (await sink.partition_counts([missing]))[missing] == 1, "the same producer sees it once it is there"


async def test_a_topic_deleted_under_way_blocks_its_topic_queue_and_loses_nothing(lab: Lab) -> None:
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
    assert isinstance(blocked, TopicPausedError)
    assert blocked.state == "missing"
    await send(sink, [prepared(3, good)], 4)
    assert len(await read_records(lab.bootstrap, good)) == 2
    assert await lab.positions() == [3, 4]


async def send_as_a_bridge(sink: TransactionalSink, items: Sequence[Prepared], next_id: int) -> None:
    """Open and send again until the positions say that it is there: a broker that stood still has lost its session with
    the controller, and its partitions are without a leader until it has a new one.
    """
    async with asyncio.timeout(30):
        while True:
            try:
                found = await sink.open(None)
                assert found is not None
                assert found.positions is not None
                if found.positions.next_id < next_id:
                    await send(sink, items, next_id)
            except SinkError:
                await sink.close(healthy=False)
            else:
                return


async def test_every_call_ends_within_its_own_limit_while_the_broker_stands_still(
    controllable_kafka: Broker, lab: Lab
) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    sink = lab.sink(call_timeout="3s")
    await sink.open(None)
    await send(sink, [prepared(1, topic)], 2)
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(controllable_kafka.pause)
    try:
        began = loop.time()
        assert await failure_of(send(sink, [prepared(2, topic)], 3)) is SinkTimeoutError
        await sink.close(healthy=False)
        assert issubclass(await failure_of(sink.open(None)), SinkError)
        await sink.close(healthy=False)
        assert loop.time() - began < 20
    finally:
        await asyncio.to_thread(controllable_kafka.resume)
    await send_as_a_bridge(sink, [prepared(2, topic)], 3)
    assert len(await read_records(lab.bootstrap, topic)) == 2
    await sink.close(healthy=True)


@pytest.mark.parametrize("known", [True, False])
async def test_what_has_no_end_gets_that_of_the_next_transaction_there_so_it_is_aborted_before(
    lab: Lab, known: bool
) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    sink = lab.sink()
    await sink.open(None)
    await send(sink, [prepared(1, topic, b"has its end")], 2)
    async with coordinator_not_asked(lab.bootstrap):
        inner = sink.producer._inner
        await inner.begin_transaction()
        positions = json.dumps({"version": 1, "next": 3, "topics": {}, "behind": {}}).encode()
        own = lab.kafka.positions_topic
        at = await send_outside_of_any_transaction(inner, own, positions, lab.journal_id.encode())
        first = await send_outside_of_any_transaction(inner, topic, b"has none")
    await sink.close(healthy=False)
    found = await sink.open(None, [PendingMarker(own, 0, at)] if known else [])
    assert found is not None
    assert found.positions == Positions(2 if known else 3), "its own barrier's commit is taken for the missing end"
    await sink.partition_counts([topic])
    end, before = PendingMarker(topic, 0, first), PendingMarker(topic, 0, 0)
    assert await sink.markers_written([end]) == {end: False}
    assert await sink.markers_written([before]) == {before: True}
    if known:
        await sink.abort_hanging(topic, [end])
        assert await sink.markers_written([end]) == {end: True}
    await send(sink, [prepared(2, topic, b"came later")], 4)
    values = [b"has its end", b"came later"] if known else [b"has its end", b"has none", b"came later"]
    assert [r.value for r in await read_records(lab.bootstrap, topic)] == values


async def test_an_open_transaction_of_another_producer_hides_whether_one_has_ended(lab: Lab) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    sink = lab.sink()
    await sink.open(None)
    async with AIOKafkaProducer(bootstrap_servers=lab.bootstrap, transactional_id=unique("other")) as other:
        await other.begin_transaction()
        await other.send_and_wait(topic, b"another's")
        await send(sink, [prepared(1, topic)], 2)
        end = PendingMarker(topic, 0, 1)
        assert await sink.markers_written([end]) == {}
        await other.abort_transaction()

    async def is_told() -> bool:
        return await sink.markers_written([end]) == {end: True}

    await until(is_told, "the end of the other transaction", 5)


async def test_at_least_once_frees_readers_from_what_exactly_once_left_without_an_end(lab: Lab) -> None:
    topic = unique("data")
    await create_topics(lab.bootstrap, topic)
    before = lab.sink()
    await before.open(None)
    await send(before, [prepared(1, topic, b"has its end")], 2)
    async with coordinator_not_asked(lab.bootstrap):
        await before.producer._inner.begin_transaction()
        first = await send_outside_of_any_transaction(before.producer._inner, topic, b"has none")
    await before.close(healthy=False)
    sink = Sink(lab.kafka, lab.journal_id)
    lab.sinks.append(sink)
    await sink.open(None)
    await sink.abort_hanging(topic, [PendingMarker(topic, 0, first)])
    await send(sink, [prepared(2, topic, b"came later")], 3)
    await sink.close(healthy=True)
    assert [r.value for r in await read_records(lab.bootstrap, topic)] == [b"has its end", b"came later"]
