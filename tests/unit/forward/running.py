"""A forwarder on a real journal, to be killed and started again, and a sink that remembers positions as Kafka does."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import SinkTimeoutError, TopicPausedError
from bridge.forward import Forwarder
from bridge.kafka.batches import Sizing
from bridge.kafka.positions import Found
from bridge.kafka.sink import OnDelivered
from bridge.model import Entry, PendingMarker, Positions, Prepared
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.journal.making import NOON_MS, open_journal, submission

READ, DELIVERED = "treble.message.read", "treble.message.delivered"
QUARANTINE = "treble.quarantine"
_KAFKA = {
    "bootstrap_servers": ["127.0.0.1:1"],
    "topic_retry_interval": "5ms",
    "backoff": "2ms",
    "backoff_max": "10ms",
    "linger": 0,
}


def configured(kafka: Mapping[str, Any] | None = None, **sections: Any) -> Settings:
    """Settings of one source that lets everybody in, with short waits."""
    return Settings.model_validate(
        {"kafka": {**_KAFKA, **(kafka or {})}, "sources": {"treble": {"auth": "none"}}, **sections}
    )


def read(session: str, number: int = 0, at_ms: int = NOON_MS) -> Entry:
    """A message was read; `number` makes it one of its own."""
    body = {"session_id": session, "read_at": f"2026-06-22 15:{number // 60:02}:{number % 60:02}", "n": number}
    return submission(json.dumps(body), hint="", at_ms=at_ms)


def delivered(session: str, number: int = 0) -> Entry:
    """A message was delivered."""
    body = {"session_id": session, "delivered_at": f"2026-06-22 15:{number // 60:02}:{number % 60:02}", "n": number}
    return submission(json.dumps(body), hint="")


@dataclass
class Remembering(ScriptedSink):
    """Remembers the positions as Kafka does. With `loses_answer`, the next batch takes effect without an answer."""

    positions: Positions | None = None
    loses_answer: bool = False

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Say where it stands."""
        await super().open(known_offset, pending)
        return Found(self.positions, None, 0)

    async def send(
        self,
        items: Sequence[Prepared],
        positions: Positions,
        partitions: Mapping[str, int],
        sizing: Sizing,
        on_delivered: OnDelivered | None = None,
    ) -> int | None:
        """Take all with the positions, or none."""
        for item in items:
            if item.topic in self.blocked:
                raise TopicPausedError(item.topic, "missing", f"{item.topic} is missing")
        await super().send(items, positions, partitions, sizing, on_delivered)
        self.positions = positions
        if self.loses_answer:
            self.loses_answer = False
            raise SinkTimeoutError("no answer")
        return None

    def keys(self, topic: str) -> list[str]:
        """The keys of what a topic got, in order."""
        return [record.key.decode() for record in self.taken if record.topic == topic]


def shown_as_blocked(telemetry: Telemetry) -> dict[str, str]:
    """The topics that a scrape shows as waiting, with their state."""
    samples = [sample for family in telemetry.metrics.topic_paused.collect() for sample in family.samples]
    return {sample.labels["topic"]: sample.labels["state"] for sample in samples}


class Running:
    """Started when it is made, with its own sink where none is given."""

    def __init__(self, folder: Path, sink: ScriptedSink | None, settings: Settings | None = None) -> None:
        settings = settings or configured()
        self.journal = open_journal(folder)
        self.telemetry = Telemetry()
        self.forwarder = Forwarder(
            settings,
            self.journal,
            Preparer(settings, self.journal.id),
            self.telemetry,
            lambda: NOON_MS,
            sink=sink,
        )
        self.task = asyncio.create_task(self.forwarder.run())

    def reload(self, settings: Settings) -> None:
        """Another configuration."""
        self.forwarder.reconfigure(Preparer(settings, self.journal.id), settings)

    async def deferred(self, **topics: int) -> None:
        """Wait until so many entries are deferred, by the last part of the topic's name."""

        def counts() -> dict[str, int]:
            return {topic.rpartition(".")[2]: n for topic, n in self.journal.usage().deferred.items()}

        await until(lambda: counts() == topics, f"{topics} to be deferred")

    async def all_forwarded(self) -> None:
        """Wait until nothing is pending."""
        await until(lambda: not self.journal.usage().pending, "the end of what is pending")

    async def kill(self) -> None:
        """End it wherever it is."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.journal.close()
