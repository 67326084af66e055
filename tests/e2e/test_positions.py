"""Where a journal stands is what its positions topic says, in whatever state Kafka comes back."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bridge.errors import SinkError, SinkUnavailableError
from bridge.model import Positions
from tests.e2e.sinks import Lab, prepared, send
from tests.kafka_broker import Broker, create_topics, unique

pytestmark = pytest.mark.kafka


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


@pytest.mark.parametrize("known_offset", [1, 2, 3, 100])
async def test_a_positions_topic_that_was_made_anew_is_read_from_its_start_whatever_offset_was_known(
    lab: Lab, known_offset: int
) -> None:
    """Its first barrier and the end of that transaction lie at 0 and 1: behind them a reader would wait."""
    async with asyncio.timeout(3):
        found = await lab.sink().open(known_offset)
    assert found is not None
    assert found.positions is None


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


async def test_a_missing_positions_topic_is_everyones_trouble_not_a_topic_queues(lab: Lab) -> None:
    sink = lab.sink(positions_topic=unique("absent"))
    with pytest.raises(SinkUnavailableError, match="absent"):
        await sink.open(None)
    await sink.close(healthy=False)
