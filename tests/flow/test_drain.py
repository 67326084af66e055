"""A drained journal: everything leaves it that can, and what can't is named."""

import asyncio
from pathlib import Path

import pytest

from bridge.catalogue import TABLE
from bridge.errors import ExitCode, FencedError
from bridge.journal.offline.inspect import read_state
from bridge.service.drain import Drain, Left
from bridge.settings.load import load
from bridge.telemetry import Telemetry
from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import Configure
from tests.flow.running import until
from tests.unit.journal.making import storage_in, submission

READ, QUARANTINE = "treble.message.read", "treble.quarantine"
BODIES = ('{"session_id": "s-%d", "read_at": "2026-06-22 15:19:08"}', "no JSON: %d")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An abandoned journal: ten reads, one of them twice, and ten bodies that are no JSON."""
    with storage_in(tmp_path / "abandoned") as storage:
        storage.append([submission(body % number) for number in range(10) for body in BODIES])
        storage.append([submission(BODIES[0] % 3)])
    return tmp_path / "abandoned"


def drain_of(folder: Path, configure: Configure, sink: ScriptedSink) -> Drain:
    """A drain that isn't started yet."""
    settings = load(
        configure(kafka={"topic_retry_interval": "100ms", "backoff_max": "200ms", "batch_entries": 5}), TABLE
    ).settings
    return Drain(settings, folder, telemetry=Telemetry(), sink=sink)


async def test_everything_leaves_and_is_accounted_for(folder: Path, configure: Configure) -> None:
    sink = ScriptedSink()
    drained = await drain_of(folder, configure, sink).run(wait_s=0, deadline_s=30)
    assert (drained.exit_code, drained.cause, drained.left) == (ExitCode.OK, "nothing left", ())
    assert (drained.pending, drained.forwarded, drained.quarantined, drained.duplicates) == (21, 10, 10, 1)
    assert [record.topic for record in sink.taken] == [READ, QUARANTINE] * 10
    again = await drain_of(folder, configure, sink).run(wait_s=0, deadline_s=30)
    assert (again.pending, again.forwarded, len(sink.taken)) == (0, 0, 20)


async def test_a_paused_topic_is_waited_for_until_the_deadline_and_then_named(
    folder: Path, configure: Configure
) -> None:
    sink = ScriptedSink(blocked={QUARANTINE})
    drained = await drain_of(folder, configure, sink).run(wait_s=0, deadline_s=1)
    assert (drained.exit_code, drained.cause, drained.forwarded) == (ExitCode.UNREACHABLE, "deadline", 10)
    assert drained.left == (Left(QUARANTINE, 10, "missing", f"{QUARANTINE} is missing"),)
    draining = asyncio.create_task(drain_of(folder, configure, sink).run(wait_s=0, deadline_s=30))
    await asyncio.sleep(0.2)
    sink.blocked.clear()
    drained = await draining
    assert (drained.exit_code, drained.pending, drained.quarantined) == (ExitCode.OK, 10, 10)
    assert [record.topic for record in sink.taken] == [READ] * 10 + [QUARANTINE] * 10


async def test_a_stop_ends_it_in_order_and_the_next_one_goes_on(folder: Path, configure: Configure) -> None:
    sink = ScriptedSink(send_s=0.2)
    drain = drain_of(folder, configure, sink)
    draining = asyncio.create_task(drain.run(wait_s=0, deadline_s=30))
    await until(lambda: sink.taken, "the first batch")
    drain.shutdown.request("SIGTERM")
    stopped = await draining
    assert (stopped.exit_code, stopped.cause, stopped.left[0].state) == (ExitCode.UNREACHABLE, "SIGTERM", "time")
    assert stopped.entries_left == 22 - read_state(folder).positions.next_id > 0
    rest = await drain_of(folder, configure, sink).run(wait_s=0, deadline_s=30)
    assert (rest.pending, rest.entries_left) == (stopped.entries_left, 0)
    assert len(sink.taken) == 20


async def test_two_at_the_same_time_one_waits_for_the_other(folder: Path, configure: Configure) -> None:
    sink = ScriptedSink(send_s=0.05)
    first = asyncio.create_task(drain_of(folder, configure, sink).run(wait_s=0, deadline_s=30))
    await until(lambda: sink.taken, "the first batch")
    second = await drain_of(folder, configure, sink).run(wait_s=30, deadline_s=30)
    assert (await first).entries_left == 0
    assert (second.pending, len(sink.taken)) == (0, 20)


async def test_another_process_that_took_over_ends_it(folder: Path, configure: Configure) -> None:
    with pytest.raises(FencedError):
        await drain_of(folder, configure, ScriptedSink(fenced=True)).run(wait_s=0, deadline_s=30)
