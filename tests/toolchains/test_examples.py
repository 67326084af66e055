"""The consumers of `examples/`, on a real broker, with records as the bridge makes and sends them."""

import asyncio
import contextlib
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from bridge.catalogue.samples import hint_for, sample
from bridge.kafka.batches import Sizing, Timestamps, assemble
from bridge.kafka.client import client_options
from bridge.kafka.producer import Producer
from bridge.model import Prepared
from bridge.settings.models import Settings
from bridge.transform.prepare import Preparer
from tests.kafka_broker import Broker, create_topics, read_records, unique
from tests.toolchains.consumers import COMMANDS, ENDS_WITH, Consumer, NarrowPipe, command, running
from tests.unit.webhooks import entry, settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]  # the first run fetches

PARTITIONS = 2
PHONE, MASKED = "+573005550134", "+57******34"
NO_EVENTS = (b"{no json", None)
OWN: Mapping[str, Callable[[Any], str]] = {
    "condition.evaluated": lambda data: "orders=3 GTEQ 2",
    "contact.opted_out": lambda data: f"reason={data['reason']}",
    "conversation.closed": lambda data: f"messages={len(data['messages'])}",
    "deployment.failed": lambda data: f"reason={data['failure_reason']}",
    "hsm.status_changed": lambda data: f"template={data['template']} status={data['status']}",
    "message.delivered": lambda data: "after=1s",
    "message.read": lambda data: "after=1s",
    "message.responded": lambda data: f"answer={data['classified_answer']}",
    "message.timed_out": lambda data: f"question={data['question']['text']}",
}
"""What an example says of the type's own fields."""
TYPES = sorted(OWN)
BEGIN, STEPS = dt.datetime(2026, 6, 22, 15, 20, tzinfo=dt.UTC), 30


@dataclass(frozen=True)
class Published:
    """What lies on Kafka: the topics, each type's envelope, and where the last record of each partition stands."""

    topics: Sequence[str]
    envelopes: Mapping[str, Any]
    last_offsets: Mapping[tuple[str, int], int]


@pytest.fixture(scope="module")
def published(kafka: Broker) -> Published:
    """The nine types; one of them once more, one in a transaction that is taken back, and two that are no events."""
    prefix = unique("examples")
    configured = settings(
        kafka={"bootstrap_servers": [kafka.bootstrap]}, topics={"default": f"{prefix}.{{event_type}}"}
    )
    preparer = Preparer(configured, "journal-1")
    ready = [preparer.prepare(entry(sample(t), hint_for(t), entry_id=n)) for n, t in enumerate(TYPES, 1)]
    again = next(one for one in ready if one.event_type == "message.read")
    other = sample("message.read", session_id="taken-back")
    taken_back = preparer.prepare(entry(other, hint_for("message.read"), entry_id=99))
    topics = [one.topic for one in ready]

    async def publish() -> Published:
        # The records' times are those of the samples: the usual retention would delete them at once.
        await create_topics(kafka.bootstrap, *topics, partitions=PARTITIONS, config={"retention.ms": "-1"})
        await disturb(kafka, taken_back)
        await deliver(configured, ready)
        await deliver(configured, [again])
        records = await read_records(kafka.bootstrap, topics)
        assert len(records) == len(NO_EVENTS) + len(TYPES) + 1
        found = {(record.topic, record.partition): record.offset for record in records}
        values = [json.loads(record.value) for record in records if record.value not in NO_EVENTS and record.value]
        return Published(topics, {value["type"]: value for value in values}, found)

    return asyncio.run(publish())


async def deliver(configured: Settings, ready: Sequence[Prepared]) -> None:
    """Send, in one transaction, as the forwarder does."""
    producer = Producer(configured.kafka, client_options(configured.kafka), unique("examples"))
    await producer.start()
    counts = {
        topic: count
        for topic, count in (await producer.partition_counts([one.topic for one in ready])).items()
        if isinstance(count, int)
    }
    await producer.deliver(assemble(producer.create_batch, ready, counts, Sizing(), Timestamps()))
    await producer.close(healthy=True)


async def disturb(kafka: Broker, taken_back: Prepared) -> None:
    """What a consumer must pass by: a record whose transaction is aborted, and such as no bridge sends."""
    record = taken_back.record
    assert record is not None
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=unique("examples")) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(record.topic, record.value, key=record.key, headers=list(record.headers))
        await producer.abort_transaction()
        async with producer.transaction():
            for value in NO_EVENTS:
                await producer.send_and_wait(record.topic, value, key=record.key)


async def committed(kafka: Broker, group: str) -> dict[tuple[str, int], int]:
    """The offsets that the group has committed, by partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {(partition.topic, partition.partition): found.offset for partition, found in offsets.items()}


async def members(kafka: Broker, group: str) -> int:
    """How many members the group has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([group])
    finally:
        await admin.close()
    (described,) = answer.to_object()["groups"]
    return len(described["members"])


def told(envelope: Mapping[str, Any]) -> str:
    """The line that every example prints for the sample of this type."""
    phone = MASKED if "contact" in envelope else "-"
    return f"{envelope['occurred_at'][:19]}Z {envelope['type']} {phone} {OWN[envelope['type']](envelope['data'])}"


@pytest.mark.parametrize("language", COMMANDS)
def test_an_example_prints_each_type_once_commits_after_it_and_stops_in_order(
    language: str, kafka: Broker, published: Published, tmp_path: Path
) -> None:
    start, group = command(language), unique("examples")
    expected = sorted(told(published.envelopes[event_type]) for event_type in TYPES)

    def all_committed(consumer: Consumer) -> bool:
        offsets = asyncio.run(committed(kafka, group)) if len(consumer.lines) >= len(TYPES) else {}
        return all(offsets.get(place, -1) > last for place, last in published.last_offsets.items())

    with running(
        start, published.topics, tmp_path, KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap, GROUP_ID=group
    ) as consumer:
        consumer.until(lambda: all_committed(consumer), "all was printed and committed, the second copy included")
        assert asyncio.run(members(kafka, group)) == 1
        assert consumer.stop() == ENDS_WITH[language], consumer.said
        assert asyncio.run(members(kafka, group)) == 0  # or its partitions would wait for it to be given up
        assert "stopped" in consumer.said
    assert sorted(consumer.lines) == expected
    assert consumer.said.count("skipped") == len(NO_EVENTS)
    assert PHONE not in consumer.said
    assert PHONE[3:] not in consumer.said


@pytest.fixture(scope="module")
def conversation(kafka: Broker) -> str:
    """A topic with the events of one session."""
    topic = unique("examples")
    configured = settings(kafka={"bootstrap_servers": [kafka.bootstrap]}, topics={"map": {"message.read": topic}})
    preparer = Preparer(configured, "journal-1")
    bodies = [sample("message.read", at=BEGIN + dt.timedelta(seconds=n)) for n in range(STEPS)]
    ready = [preparer.prepare(entry(body, "read", entry_id=n)) for n, body in enumerate(bodies, 1)]

    async def publish() -> None:
        await create_topics(kafka.bootstrap, topic, partitions=PARTITIONS, config={"retention.ms": "-1"})
        await deliver(configured, ready)

    asyncio.run(publish())
    return topic


@pytest.mark.parametrize("language", COMMANDS)
def test_an_example_commits_no_record_before_its_work_and_keeps_a_session_s_order(
    language: str, kafka: Broker, conversation: str, tmp_path: Path
) -> None:
    start, group = command(language), unique("examples")
    expected = [f"{BEGIN + dt.timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ} message.read" for n in range(STEPS)]
    with (
        contextlib.closing(NarrowPipe(room_bytes=len(expected[0]) * 3)) as pipe,
        running(
            start, [conversation], tmp_path, pipe, KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap, GROUP_ID=group
        ) as consumer,
    ):
        consumer.until(lambda: pipe.waiting_bytes > 0, "the work began")
        assert asyncio.run(committed(kafka, group)) == {}  # its work stands still: nothing is read from the pipe
        consumer.until(lambda: len(consumer.lines) == STEPS, "all was printed")
        assert [" ".join(line.split()[:2]) for line in consumer.lines] == expected
        assert consumer.stop() == ENDS_WITH[language], consumer.said
    assert max(asyncio.run(committed(kafka, group)).values()) >= STEPS


def test_the_python_example_is_tested_with_the_versions_that_it_names() -> None:
    root = Path(__file__).parent.parent.parent
    tested = (root / "requirements/dev.txt").read_text()
    for line in (root / "examples/python/requirements.txt").read_text().split():
        name, _, version = line.partition("==")
        assert f"{name.partition('[')[0]}=={version} \\" in tested, line
