"""A commit that Kafka acknowledged, and that may never come into effect: no process forgets it before it is settled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import SinkTimeoutError
from bridge.forward import forwarder
from bridge.kafka.positions import Found
from bridge.model import Place, Positions
from bridge.prepare import Preparer
from bridge.settings.models import Kafka
from bridge.telemetry import Telemetry
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.forward.running import Running, read
from tests.unit.forward.test_forwarder import SETTINGS
from tests.unit.journal.making import NOON_MS, open_journal

PLACES = frozenset({("treble.message.read", 3), ("treble.bridge.positions", 0)})


class Doubting(ScriptedSink):
    """Its first commit is in doubt, and Kafka away after it. To open it again settles the doubt."""

    async def open(self, known_offset: int | None) -> Found | None:
        """Settle it, when Kafka is there."""
        await super().open(known_offset)
        self.doubtful = frozenset()
        return Found(None, None, 0)

    async def send(self, *batch: Any, **options: Any) -> int | None:
        """Take all, but say that it is unknown; after that, just take all."""
        await super().send(*batch, **options)
        if len(self.taken) == 1:
            self.up = False
            self.doubtful = PLACES
            raise SinkTimeoutError("whether a transaction has ended is unknown")
        return None


async def test_a_doubt_outlives_the_process_and_leaves_the_journal_once_it_is_settled(tmp_path: Path) -> None:
    sink = Doubting()
    first = Running(tmp_path, sink)
    await first.journal.append(read("a"))
    await until(lambda: first.journal.doubtful == PLACES, "the doubt to be noted")
    assert first.forwarder.status()["doubtful_ends"] == ["treble.bridge.positions/0", "treble.message.read/3"]
    await first.kill()
    again = open_journal(tmp_path)
    assert (again.doubtful, again.positions) == (PLACES, Positions(1))
    await again.close()
    sink.up = True
    second = Running(tmp_path, sink)
    await second.all_forwarded()
    assert second.journal.doubtful == frozenset()
    await second.kill()
    last = open_journal(tmp_path)
    assert last.doubtful == frozenset()
    await last.close()


async def test_the_next_process_sink_is_told_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal(tmp_path, clock_ms=lambda: NOON_MS)
    await journal.doubt(PLACES)
    await journal.close()
    told: list[frozenset[Place]] = []

    def build(_kafka: Kafka, _id: str, _topics: Callable[[], list[str]], doubtful: frozenset[Place]) -> ScriptedSink:
        told.append(doubtful)
        return ScriptedSink()

    monkeypatch.setattr(forwarder, "build_sink", build)
    journal = open_journal(tmp_path, clock_ms=lambda: NOON_MS)
    forwarder.Forwarder(SETTINGS, journal, Preparer(SETTINGS, journal.id), Telemetry(), lambda: NOON_MS)
    await journal.close()
    assert told == [PLACES]
