"""A bridge on a restored copy of a journal: it takes webhooks, and says why it forwards none."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import pytest
from click.testing import CliRunner

from bridge.catalogue import TABLE
from bridge.cli import cli
from bridge.errors import ExitCode, JournalRestoredError
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
    """Says that Kafka counts entries that the journal never held, until it `forgets` them: under a new id."""

    forgets: bool = False

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Say it."""
        await super().open(known_offset, pending)
        return Found(None if self.forgets else Positions(10), None, 0)


async def test_it_takes_webhooks_says_what_to_do_and_forwards_them_once_that_is_done(
    start_inside: StartInside, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink, folder = KnowsMore(), tmp_path / "journal"
    bridge = await start_inside(sink=sink)
    await until(lambda: bridge.log.lines("journal.restored"), "the reason")
    assert await bridge.post(http, ["not", "an", "object"]) == 200
    health = bridge.service.health
    assert f"treble-bridge journal renew {folder}" in health.status()["forwarder"]["stopped"]
    kafka = health.checks()["kafka"]
    assert (kafka.state, kafka.detail["connected"]) == ("degraded", False)
    assert "journal renew" in kafka.detail["stopped"]
    assert health.checks()["journal"].state == health.checks()["ingress"].state == "ok"
    await bridge.end()
    assert (bridge.exit_code, sink.taken) == (ExitCode.OK, [])

    done = CliRunner().invoke(cli, ["journal", "renew", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    renewed = orjson.loads(done.stdout)
    assert renewed["pending"] == 1
    sink.forgets = True
    await start_inside(sink=sink)
    await until(lambda: sink.taken, "the quarantine's record")
    assert orjson.loads(sink.taken[0].value)["journal_id"] == renewed["journal_id"] != renewed["former_id"]


async def test_a_drain_of_a_restored_copy_ends_with_the_reason(tmp_path: Path, configure: Configure) -> None:
    folder = tmp_path / "abandoned"
    with storage_in(folder) as storage:
        storage.append([submission("[1]")])
    sink = KnowsMore()
    settings = load(configure(), TABLE).settings
    with pytest.raises(JournalRestoredError, match="journal renew") as raised:
        await Drain(settings, folder, telemetry=Telemetry(), sink=sink).run(wait_s=0, deadline_s=10)
    assert raised.value.exit_code is ExitCode.MISMATCH
    assert sink.taken == []
