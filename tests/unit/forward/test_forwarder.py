"""The loop on a real journal, with a sink that answers by script."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from bridge.errors import TopicPausedError
from bridge.forward import Forwarder
from bridge.journal import Journal
from bridge.kafka.batches import Sizing
from bridge.kafka.positions import Found
from bridge.kafka.sink import OnDelivered, Sink
from bridge.model import NOTHING_IN_DOUBT, InDoubt, PendingMarker, Positions, Prepared
from bridge.settings.models import Kafka, Settings
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.forward.running import Remembering, shown_as_blocked
from tests.unit.journal.making import NOON_MS, open_journal, submission

TOPIC = "treble.message.read"
SETTINGS = Settings.model_validate(
    {
        "kafka": {
            "bootstrap_servers": ["127.0.0.1:1"],
            "topic_retry_interval": "10ms",
            "backoff": "10ms",
            "backoff_max": "20ms",
            "linger": 0,
            "batch_entries": 1,
        },
        "sources": {"treble": {"auth": "none"}},
    }
)


class LosesAnswers(Remembering):
    """The send with which it has taken `loses` records takes effect, but its answer doesn't come."""

    loses = 0

    async def send(self, items: Sequence[Prepared], *more: Any, **options: Any) -> int | None:
        """Take all, and say so unless this answer gets lost."""
        self.loses_answer = len(self.taken) + len(items) == self.loses
        return await super().send(items, *more, **options)


@asynccontextmanager
async def forwarding(
    path: Path, sink: Sink, telemetry: Telemetry, settings: Settings = SETTINGS
) -> AsyncIterator[tuple[Journal, Forwarder]]:
    journal = open_journal(path, clock_ms=lambda: NOON_MS)
    preparer = Preparer(settings, journal.id)
    forwarder = Forwarder(settings, journal, preparer, telemetry, lambda: NOON_MS, sink=sink)
    running = asyncio.create_task(forwarder.run())
    try:
        yield journal, forwarder
        forwarder.request_stop()
        await asyncio.wait_for(running, 5)
    finally:
        running.cancel()
        await journal.close()


async def test_a_topic_queue_that_caught_up_by_a_commit_without_an_answer_is_not_reported_as_blocked(
    tmp_path: Path,
) -> None:
    sink, telemetry = LosesAnswers(blocked={TOPIC}), Telemetry()
    async with forwarding(tmp_path / "journal", sink, telemetry) as (journal, _):
        for session in ("a", "b"):
            await journal.append(submission(f'{{"session_id": "{session}", "read_at": "2026-06-22 15:19:08"}}'))
        await until(lambda: journal.usage().deferred == {TOPIC: 2}, "both entries to be deferred")
        assert shown_as_blocked(telemetry) == {TOPIC: "missing"}
        sink.loses = 2
        sink.blocked.clear()
        await until(lambda: not journal.usage().pending, "the topic queue to catch up")
        await until(lambda: not shown_as_blocked(telemetry), "the topic queue to be said to go on", 2)
    assert len(sink.taken) == 2


@dataclass
class NotesOrder(ScriptedSink):
    """Remembers what was asked of it, in order."""

    asked: list[str] = field(default_factory=list)

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Note it."""
        self.asked.append("open")
        return await super().open(known_offset, pending)

    async def send(
        self,
        items: Sequence[Prepared],
        positions: Positions,
        partitions: Mapping[str, int],
        sizing: Sizing,
        on_delivered: OnDelivered | None = None,
    ) -> int | None:
        """Note its begin and its end."""
        self.asked.append("send")
        await super().send(items, positions, partitions, sizing, on_delivered)
        self.asked.append("sent")
        return None

    async def close(self, *, healthy: bool) -> InDoubt:
        """Note it."""
        self.asked.append(f"close {'well' if healthy else 'ill'}")
        return NOTHING_IN_DOUBT

    def connect_by(self, kafka: Kafka) -> None:
        """Note the server."""
        self.asked.append(kafka.bootstrap_servers[0])


def connecting_to(server: str, **kafka: object) -> Settings:
    document = SETTINGS.model_dump()
    document["kafka"] |= {"bootstrap_servers": [server], **kafka}
    return Settings.model_validate(document)


async def test_a_new_connection_is_made_after_the_batch_that_is_under_way_and_only_where_it_is_asked_for(
    tmp_path: Path,
) -> None:
    sink, telemetry, other = NotesOrder(send_s=0.1), Telemetry(), connecting_to("b:1")
    async with forwarding(tmp_path / "journal", sink, telemetry) as (journal, forwarder):
        for session in ("a", "b"):
            await journal.append(submission(f'{{"session_id": "{session}", "read_at": "2026-06-22 15:19:08"}}'))
        await until(lambda: sink.asked == ["open", "send"], "a batch to be under way")
        forwarder.reconfigure(Preparer(other, journal.id), other, reconnect=True)
        await until(lambda: len(sink.taken) == 2, "both entries to be forwarded")
        await until(lambda: sink.asked[-1] == "sent", "the end of it")
        assert sink.asked == ["open", "send", "sent", "b:1", "close well", "open", "send", "sent"]
        forwarder.reconfigure(Preparer(other, journal.id), other)
        await until(lambda: sink.asked[-1] == "b:1", "the configuration to be taken up")
        await journal.append(submission('{"session_id": "c", "read_at": "2026-06-22 15:19:08"}'))
        await until(lambda: len(sink.taken) == 3, "another entry to be forwarded")
        assert sink.asked[8:10] == ["b:1", "send"]
    assert forwarder.status()["producer_rebuilds"] == 0


async def test_a_new_configuration_ends_the_pause_after_a_failure(tmp_path: Path) -> None:
    patient = connecting_to("a:1", backoff="1h", backoff_max="1h")
    sink, telemetry = ScriptedSink(up=False), Telemetry()
    async with forwarding(tmp_path / "journal", sink, telemetry, patient) as (journal, forwarder):
        await until(lambda: forwarder.status()["last_error"], "the failure")
        sink.up = True
        forwarder.reconfigure(Preparer(patient, journal.id), patient, reconnect=True)
        await until(lambda: forwarder.status()["connected"], "the connection", 5)


class Refusing(ScriptedSink):
    """One topic is there by what Kafka says, and refuses each record; a new producer takes longer than a probe."""

    opened = 0

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Take one's time."""
        self.opened += 1
        await asyncio.sleep(0.1)
        return await super().open(known_offset, pending)

    async def send(self, items: Sequence[Prepared], *more: Any, **options: Any) -> int | None:
        """Take all but those of that topic."""
        if any(item.topic == TOPIC for item in items):
            raise TopicPausedError(TOPIC, "unauthorized", "no permission")
        return await super().send(items, *more, **options)


async def test_a_topic_that_refuses_its_records_holds_up_no_other_however_long_a_producer_takes(tmp_path: Path) -> None:
    sink = Refusing()
    settings = connecting_to("127.0.0.1:1", topic_retry_interval="20ms", backoff_max="200ms", batch_entries=100)
    async with forwarding(tmp_path / "journal", sink, Telemetry(), settings) as (journal, _):
        for n in range(3):
            await journal.append(submission(f'{{"session_id": "a{n}", "read_at": "2026-06-22 15:19:08"}}'))
            await journal.append(submission(f'{{"session_id": "a{n}", "delivered_at": "2026-06-22 15:19:08"}}'))
        await until(lambda: len(sink.taken) == 3, "the other topic's events")
        opened = sink.opened
        await until(lambda: sink.opened > opened, "another try")
        assert journal.usage().deferred == {TOPIC: 3}


async def test_a_backlog_is_reported_as_caught_up_once_when_its_last_entry_is_forwarded(tmp_path: Path) -> None:
    sink, telemetry = Remembering(blocked={TOPIC}), Telemetry()
    body = '{"session_id": "%s", "read_at": "2026-06-22 15:19:08"}'
    journal = open_journal(tmp_path / "journal", clock_ms=lambda: NOON_MS)
    await journal.append(submission(body % "a"))
    await journal.close()
    with capture_logs() as lines:
        async with forwarding(tmp_path / "journal", sink, telemetry) as (journal, _):
            await until(lambda: journal.usage().deferred == {TOPIC: 1}, "the entry to be deferred")
            assert "forwarding.caught_up" not in said(lines)
            sink.blocked.clear()
            await until(lambda: "forwarding.caught_up" in said(lines), "the line")
            assert not journal.usage().pending
            await journal.append(submission(body % "b"))
            await until(lambda: len(sink.taken) == 2, "the next entry")
        assert said(lines).count("forwarding.caught_up") == 1


async def test_a_start_without_a_backlog_has_nothing_to_catch_up(tmp_path: Path) -> None:
    sink = Remembering()
    with capture_logs() as lines:
        async with forwarding(tmp_path / "journal", sink, Telemetry()) as (journal, _):
            await until(lambda: "kafka.connected" in said(lines), "the connection")
            await journal.append(submission('{"session_id": "a", "read_at": "2026-06-22 15:19:08"}'))
            await until(lambda: len(sink.taken) == 1, "the entry")
    assert "forwarding.caught_up" not in said(lines)


def said(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]
