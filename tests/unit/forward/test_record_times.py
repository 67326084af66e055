"""Events whose records carry a time that Kafka refuses: they go out as events, or their topic queue waits."""

from collections.abc import Callable
from pathlib import Path

from aiokafka.errors import InvalidTimestampError

from bridge.kafka.batches import Timestamps
from bridge.model import Entry
from bridge.telemetry import Telemetry
from tests.fakes.client import Builder, ClientSink, ScriptedClient
from tests.flow.running import until
from tests.unit.forward.running import shown_as_blocked
from tests.unit.forward.test_forwarder import SETTINGS, TOPIC, connecting_to, forwarding
from tests.unit.journal.making import HOUR_MS, NOON_MS, Clock, submission

Refuses = Callable[[str, Builder], BaseException | None]

MANY = connecting_to("127.0.0.1:1", batch_entries=1000)


def read(number: int, at_ms: int) -> Entry:
    return submission(f'{{"session_id": "s{number}", "read_at": "2026-06-22 15:19:08"}}', at_ms=at_ms)


def takes(clock: Clock, before_ms: int, after_ms: int = HOUR_MS, topic: str = TOPIC) -> Refuses:
    """A topic of a broker with this clock, that takes times so far from it."""

    def refuse(name: str, builder: Builder) -> BaseException | None:
        near = all(clock.ms - before_ms <= time_ms <= clock.ms + after_ms for time_ms in builder.times_ms)
        return None if near or name != topic else InvalidTimestampError()

    return refuse


def sink_with(clock: Clock, client: ScriptedClient) -> ClientSink:
    sink = ClientSink(SETTINGS.kafka, client)
    sink._timestamps = Timestamps(clock)
    return sink


def sent(client: ScriptedClient) -> dict[bytes, int]:
    return {key: at_ms for _, one in client.taken for key, at_ms in zip(one.keys, one.times_ms, strict=True)}


async def test_events_that_came_while_the_clock_was_ahead_go_out_as_events_with_one_producer(tmp_path: Path) -> None:
    client = ScriptedClient(refuses=takes(Clock(), 24 * HOUR_MS))
    sink = sink_with(Clock(), client)
    async with forwarding(tmp_path / "journal", sink, Telemetry(), MANY) as (journal, forwarder):
        for number in range(40):
            await journal.append(read(number, NOON_MS + 2 * HOUR_MS))
        await journal.append(read(40, NOON_MS - 5))
        await until(lambda: not journal.usage().pending, "the end")
    assert {topic for topic, _ in client.taken} == {TOPIC}
    assert sent(client) == {b"s%d" % number: NOON_MS for number in range(40)} | {b"s40": NOON_MS - 5}
    assert (sink.opened, forwarder.status()["producer_rebuilds"]) == (1, 0)


async def test_a_quarantine_that_refuses_old_records_gets_them_with_the_time_of_sending(tmp_path: Path) -> None:
    client = ScriptedClient(refuses=takes(Clock(), HOUR_MS, topic="treble.quarantine"))
    async with forwarding(tmp_path / "journal", sink_with(Clock(), client), Telemetry()) as (journal, _):
        await journal.append(submission("no JSON", at_ms=NOON_MS - 3 * HOUR_MS))
        await until(lambda: not journal.usage().pending, "the end")
    assert list(sent(client).values()) == [NOON_MS]


async def test_a_topic_paused_and_quarantines_nothing_while_the_brokers_clock_is_behind(tmp_path: Path) -> None:
    brokers, telemetry = Clock(NOON_MS - 2 * HOUR_MS), Telemetry()
    client = ScriptedClient(refuses=takes(brokers, 24 * HOUR_MS))
    async with forwarding(tmp_path / "journal", sink_with(Clock(), client), telemetry) as (journal, _):
        for number in range(5):
            await journal.append(read(number, NOON_MS))
        await journal.append(submission("no JSON", at_ms=NOON_MS))
        await until(lambda: journal.usage().deferred == {TOPIC: 5}, "all of the topic queue to wait")
        await until(lambda: client.taken, "the other topic queue")
        assert shown_as_blocked(telemetry) == {TOPIC: "clock"}
        assert [topic for topic, _ in client.taken] == ["treble.quarantine"]
        brokers.ms = NOON_MS
        await until(lambda: not journal.usage().pending, "the topic queue to catch up")
    assert sorted(key for topic, one in client.taken for key in one.keys if topic == TOPIC) == [
        b"s%d" % number for number in range(5)
    ]
    assert not shown_as_blocked(telemetry)
