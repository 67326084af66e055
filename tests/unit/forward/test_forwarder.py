"""The loop on a real journal, with a sink that answers by script."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.errors import SinkTimeoutError
from bridge.forward import Forwarder
from bridge.journal import Journal
from bridge.kafka.batches import Sizing
from bridge.kafka.positions import Found
from bridge.model import Positions, Prepared
from bridge.prepare import Preparer
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.journal.making import NOON_MS, open_journal, submission

TOPIC = "treble.message.read"
SETTINGS = Settings.model_validate(
    {
        "kafka": {
            "bootstrap_servers": ["127.0.0.1:1"],
            "lane_probe": "10ms",
            "backoff": "10ms",
            "backoff_max": "20ms",
            "linger": 0,
            "batch_entries": 1,
        },
        "sources": {"treble": {"auth": "none"}},
    }
)


class LosesAnswers(ScriptedSink):
    """Remembers the positions as Kafka does. Send number `loses` takes effect, but its answer doesn't come."""

    loses = 0
    positions: Positions | None = None

    async def open(self, known_offset: int | None) -> Found | None:
        """Say where it stands."""
        await super().open(known_offset)
        return Found(self.positions, None, 0)

    async def send(
        self, items: Sequence[Prepared], positions: Positions, partitions: Mapping[str, int], sizing: Sizing
    ) -> int | None:
        """Take all, and say so unless this answer gets lost."""
        await super().send(items, positions, partitions, sizing)
        self.positions = positions
        if len(self.taken) == self.loses:
            raise SinkTimeoutError("no answer")
        return None


@asynccontextmanager
async def forwarding(path: Path, sink: ScriptedSink, telemetry: Telemetry) -> AsyncIterator[Journal]:
    journal = open_journal(path, clock_ms=lambda: NOON_MS)
    preparer = Preparer(SETTINGS, journal.id)
    forwarder = Forwarder(SETTINGS, journal, preparer, telemetry, lambda: NOON_MS, sink=sink)
    running = asyncio.create_task(forwarder.run())
    try:
        yield journal
        forwarder.request_stop()
        await asyncio.wait_for(running, 5)
    finally:
        running.cancel()
        await journal.close()


async def test_a_lane_that_caught_up_by_a_commit_without_an_answer_is_not_reported_as_blocked(tmp_path: Path) -> None:
    sink, telemetry = LosesAnswers(blocked={TOPIC}), Telemetry()
    async with forwarding(tmp_path / "journal", sink, telemetry) as journal:
        for session in ("a", "b"):
            await journal.append(submission(f'{{"session_id": "{session}", "read_at": "2026-06-22 15:19:08"}}'))
        await until(lambda: journal.usage().parked == {TOPIC: 2}, "both entries to be parked")
        assert telemetry.lanes_blocked() == {TOPIC: "missing"}
        sink.loses = 2
        sink.blocked.clear()
        await until(lambda: not journal.usage().pending, "the lane to catch up")
        await until(lambda: not telemetry.lanes_blocked(), "the lane to be said to go on", 2)
    assert len(sink.taken) == 2
