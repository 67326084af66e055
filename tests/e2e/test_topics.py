"""Topics on a real broker: made, compared, asked; and the line that makes a missing one really makes it."""

import asyncio
import shlex
from collections.abc import Mapping, Sequence

import pytest
from aiokafka import AIOKafkaProducer

from bridge.errors import SinkTimeoutError, SinkUnavailableError
from bridge.kafka.topics import Difference, Topics, system_topics
from bridge.model import TopicSpec
from bridge.service.topic_watch import TopicWatch
from bridge.settings.models import Kafka, Settings
from bridge.telemetry import Telemetry
from tests.kafka_broker import Broker, create_topics, delete_topics, unique
from tests.kafka_broker.process import ProcessBroker

pytestmark = pytest.mark.kafka


def kafka_settings(broker: Broker, **more: object) -> Kafka:
    return Kafka.model_validate({"bootstrap_servers": [broker.bootstrap], **more})


@pytest.fixture
def topics(kafka: Broker) -> Topics:
    return Topics(kafka_settings(kafka))


def spec(prefix: str, *, partitions: int = 2, replicas: int = 1, **more: object) -> TopicSpec:
    return TopicSpec(unique(prefix), partitions, replicas, **more)  # type: ignore[arg-type]


def by_kind(found: list[Difference]) -> Mapping[str, Difference]:
    assert len({difference.kind for difference in found}) == len(found), found
    return {difference.kind: difference for difference in found}


def by_topic(found: list[Difference]) -> Mapping[str, Difference]:
    return {difference.topic: difference for difference in found}


def run_line(broker: ProcessBroker, line: str) -> None:
    script, *arguments = shlex.split(line)
    broker.tool(script, *arguments)


async def test_missing_topics_are_made_with_all_that_was_configured_and_what_exists_is_left_alone(
    kafka: Broker, topics: Topics
) -> None:
    there = spec("there", partitions=5)
    await create_topics(kafka.bootstrap, there.name, partitions=1)
    wanted = spec("wanted", partitions=3, retention_ms=3_600_000, config={"max.message.bytes": "4194304"})
    (left,) = await topics.create_missing([wanted, there])
    assert (left.topic, left.kind, left.message) == (there.name, "partitions", "has 1 partition, expected 5")
    states = await topics.probe([wanted.name, there.name])
    made = states[wanted.name]
    assert (made.status, made.partitions, made.replication_factor) == ("ok", 3, 1)
    assert made.settings is not None
    assert made.settings["retention.ms"] == "3600000"
    assert made.settings["max.message.bytes"] == str(4 << 20)
    assert states[there.name].partitions == 1


async def test_bridges_that_make_the_same_topics_at_the_same_moment_all_succeed(kafka: Broker) -> None:
    wanted = [spec("race") for _ in range(4)]
    racers = [Topics(kafka_settings(kafka)) for _ in range(5)]
    assert await asyncio.gather(*(racer.create_missing(wanted) for racer in racers)) == [[]] * 5


async def test_a_comparison_changes_nothing_and_lists_each_difference_with_the_line_that_makes_what_is_missing(
    process_kafka: ProcessBroker, topics: Topics
) -> None:
    missing = spec("missing", retention_ms=86_400_000)
    changed = spec("changed", partitions=4, retention_ms=604_800_000, config={"max.message.bytes": "2000000"})
    await create_topics(
        process_kafka.bootstrap, changed.name, partitions=2, config={"retention.ms": "-1", "max.message.bytes": "1000"}
    )
    found = await topics.compare([missing, changed])
    assert [(d.topic, d.kind, d.message) for d in found] == [
        (missing.name, "missing", "is missing"),
        (changed.name, "partitions", "has 2 partitions, expected 4"),
        (changed.name, "retention", "has retention without end, expected 7d"),
        (changed.name, "setting", "has max.message.bytes 1000, expected at least 2000000"),
    ]
    assert found[0].create_line in str(found[0])
    assert [difference.create_line for difference in found[1:]] == [""] * 3
    await asyncio.to_thread(run_line, process_kafka, found[0].create_line)
    assert await topics.compare([missing, changed]) == found[1:]


class Said(Telemetry):
    """Telemetry that also keeps what was said about topics."""

    def __init__(self) -> None:
        super().__init__()
        self.differences: list[tuple[str, ...]] = []
        self.told = asyncio.Event()

    def topics_differ(self, differences: Sequence[str]) -> None:
        super().topics_differ(differences)
        self.differences.append(tuple(differences))
        self.told.set()


@pytest.mark.parametrize("create", ["verify", "missing"])
async def test_the_log_has_each_difference_as_a_sentence_on_a_line_of_its_own(kafka: Broker, create: str) -> None:
    names = [unique("gone") for _ in range(3)]
    settings = Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": [kafka.bootstrap], "delivery": "at_least_once"},
            "sources": {"treble": {"auth": "none"}},
            "topics": {"create": create, "quarantine": names[0], "replication_factor": 30},
        }
    )
    said = Said()
    watch = TopicWatch(settings, {name: TopicSpec(name, 1, 30) for name in names}, said, lambda: False)
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(30):
        await said.told.wait()
    task.cancel()
    (differences,) = said.differences
    assert [sentence.partition(":")[0] for sentence in sorted(differences)] == sorted(names)
    assert all("is missing" in s and "create it with: kafka-topics.sh" in s and "\n" not in s for s in differences)
    assert watch.status()["differences"] == list(differences)
    assert dict(watch.unusable) == {sentence.partition(":")[0]: sentence for sentence in differences}


async def test_only_what_keeps_a_topic_from_taking_records_makes_it_unusable(kafka: Broker) -> None:
    there, gone = unique("there"), unique("gone")
    await create_topics(kafka.bootstrap, there, partitions=1)
    settings = Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": [kafka.bootstrap], "delivery": "at_least_once"},
            "sources": {"treble": {"auth": "none"}},
            "topics": {"quarantine": gone, "replication_factor": 1},
        }
    )
    said = Said()
    watch = TopicWatch(settings, {there: TopicSpec(there, 5, 1)}, said, lambda: False)
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(30):
        await said.told.wait()
    task.cancel()
    assert {sentence.partition(":")[0] for sentence in watch.status()["differences"]} == {there, gone}
    assert list(watch.unusable) == [gone]


async def test_more_partitions_or_replicas_than_can_be_are_named_with_what_to_change_instead(
    kafka: Broker, topics: Topics
) -> None:
    wanted = spec("replicas", partitions=1, replicas=3)
    await create_topics(kafka.bootstrap, wanted.name, partitions=2)
    found = by_kind(await topics.compare([wanted]))
    assert found["partitions"].message == (
        "has 2 partitions, expected 1: Kafka can't take partitions away, so set `partitions: 2` for it"
    )
    if kafka.can_control:  # ours is a single node
        assert found["replication_factor"].message == (
            "has 1 replica, expected 3: the cluster has 1 broker, so add some or lower topics.replication_factor"
        )


async def test_a_topic_that_can_not_be_made_is_a_difference_with_kafkas_reason_and_the_others_are_made(
    kafka: Broker, topics: Topics
) -> None:
    impossible, possible = spec("impossible", replicas=30), spec("possible")
    for dry_run in (True, False):
        left = by_topic(await topics.create_missing([impossible, possible], dry_run=dry_run))
        assert left[impossible.name].message.startswith("is missing, and could not be made: InvalidReplication")
        assert left[impossible.name].blocking
        if dry_run:
            assert left[possible.name].message == "is missing, and will be made at the start"
            assert not left[possible.name].blocking
            assert (await topics.probe([possible.name]))[possible.name].status == "missing"
    assert (await topics.probe([possible.name]))[possible.name].status == "ok"


async def test_off_looks_at_nothing() -> None:
    settings = Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
            "sources": {"treble": {"auth": "none"}},
            "topics": {"create": "off"},
        }
    )
    said = Said()
    watch = TopicWatch(settings, {}, said, lambda: False)
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0.1)
    task.cancel()
    assert watch.status() == {"state": "off", "create": "off", "differences": [], "problem": None}
    assert said.differences == []


async def test_asking_about_a_missing_topic_does_not_make_it_and_sees_it_come_and_go(
    kafka: Broker, topics: Topics
) -> None:
    name = unique("later")
    assert (await topics.probe([name]))[name].status == "missing"
    await create_topics(kafka.bootstrap, name)
    state = (await topics.probe([name]))[name]
    assert (state.status, state.partitions, (state.settings or {})["max.message.bytes"]) == ("ok", 1, "1048588")
    await delete_topics(kafka.bootstrap, name)
    assert (await topics.probe([name]))[name].status == "missing"
    illegal = "no/legal name"
    assert (await topics.probe([illegal]))[illegal].status == "invalid"


async def test_a_probe_works_again_by_itself_after_the_broker_was_away(controllable_kafka: Broker) -> None:
    broker = controllable_kafka
    name = unique("away")
    await create_topics(broker.bootstrap, name)
    settings = kafka_settings(broker, request_timeout="500ms", call_timeout="1s")
    topics = Topics(settings)
    assert (await topics.probe([name]))[name].status == "ok"
    broker.pause()
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises((SinkTimeoutError, SinkUnavailableError)):
        await topics.probe([name])
    assert loop.time() - started < 4
    broker.resume()
    assert (await topics.probe([name]))[name].status == "ok"
    broker.kill()
    with pytest.raises(SinkUnavailableError):
        await topics.probe([name])
    with pytest.raises(SinkUnavailableError, match=f"{broker.bootstrap}: nothing listens there"):
        await topics.probe([name])
    await asyncio.to_thread(broker.start)
    assert (await topics.probe([name]))[name].status == "ok"


def minimal(broker: Broker, **sections: object) -> Settings:
    source = {"treble": {"auth": "none"}}
    return Settings.model_validate({"kafka": kafka_settings(broker), "sources": source, **sections})


async def test_the_bridges_own_topics_pass_their_own_verification_and_take_the_largest_body(
    kafka: Broker, topics: Topics
) -> None:
    settings = minimal(
        kafka,
        topics={"replication_factor": 1, "quarantine": unique("quarantine")},
        server={"max_body": "5MiB"},
    )
    settings = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"positions_topic": unique("positions")})}
    )
    quarantine, positions = system_topics(settings)
    assert await topics.create_missing([quarantine, positions]) == []
    assert await topics.compare([quarantine, positions]) == []
    states = await topics.probe([quarantine.name, positions.name])
    assert states[positions.name].partitions == 1
    assert (states[positions.name].settings or {})["cleanup.policy"] == "compact"
    record = b"x" * (5 * (1 << 20) * 4 // 3)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=16 << 20) as producer:
        await producer.send_and_wait(quarantine.name, record)
