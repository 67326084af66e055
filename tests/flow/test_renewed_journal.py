"""A restored copy of a journal goes on under a new id, and from then on is called by it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import pytest

from bridge.catalogue import TABLE
from bridge.forward import forwarder
from bridge.journal.offline.inspect import read_standing
from bridge.kafka.positions import Found
from bridge.model import PendingMarker, Positions
from bridge.service.drain import Drain
from bridge.settings.load import load
from bridge.telemetry import Telemetry
from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import Configure, StartInside
from tests.flow.running import until
from tests.unit.journal.making import storage_in, submission


@dataclass
class KnowsMore(ScriptedSink):
    """Says once that Kafka counts entries that the journal never held; under the new id, it knows nothing.

    `meanwhile` is called just before.
    """

    told: bool = False
    meanwhile: Callable[[], None] = lambda: None

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Say it."""
        await super().open(known_offset, pending)
        if self.told:
            return Found(None, None, 0)
        self.told = True
        self.meanwhile()
        return Found(Positions(10), None, 0)


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> KnowsMore:
    """The sink, which is also that of the new id."""
    sink = KnowsMore(up=False)
    monkeypatch.setattr(forwarder, "build_sink", lambda *_: sink)
    return sink


def journals(sink: ScriptedSink) -> list[str]:
    return [orjson.loads(record.value)["journal_id"] for record in sink.taken]


async def test_quarantine_records_name_a_renewed_journal_as_it_is_called_now(
    start_inside: StartInside, http: aiohttp.ClientSession, sink: KnowsMore
) -> None:
    bridge = await start_inside(sink=sink, kafka={"backoff": "10ms", "backoff_max": "20ms"})
    assert await bridge.post(http, ["not", "an", "object"]) == 200
    sink.up = True
    await until(lambda: sink.taken, "the quarantine's record")
    (renewed,) = bridge.log.lines("journal.renewed")
    assert journals(sink) == [renewed["journal_id"]] != [renewed["former_id"]]


async def test_a_configuration_that_is_read_while_the_journal_is_renewed_names_it_as_well(
    start_inside: StartInside, http: aiohttp.ClientSession, sink: KnowsMore
) -> None:
    bridge = await start_inside(sink=sink, kafka={"backoff": "10ms", "backoff_max": "20ms"})
    assert await bridge.post(http, ["not", "an", "object"]) == 200
    stages = bridge.service.health.stages
    sink.meanwhile = lambda: stages.apply(bridge.settings, [])
    sink.up = True
    await until(lambda: sink.taken, "the quarantine's record")
    assert journals(sink) == [stages.journal.id]


async def test_a_drain_names_a_renewed_journal_as_it_is_called_now(
    tmp_path: Path, configure: Configure, sink: KnowsMore
) -> None:
    folder = tmp_path / "abandoned"
    with storage_in(folder) as storage:
        storage.append([submission("[1]")])
        former_id = storage.journal_id
    sink.up = True
    settings = load(configure(kafka={"backoff": "10ms", "backoff_max": "20ms"}), TABLE).settings
    drained = await Drain(settings, folder, telemetry=Telemetry(), sink=sink).run(wait_s=0, deadline_s=10)
    assert drained.quarantined == 1
    assert journals(sink) == [read_standing(folder).journal_id] != [former_id]
