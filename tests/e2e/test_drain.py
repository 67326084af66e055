"""An abandoned journal is drained: each acknowledged webhook is on its topic once, whatever happens to the drain."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.errors import ExitCode
from bridge.journal.offline.inspect import read_state
from tests.e2e.bridge_process import Bridge, until
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, delivered
from tests.e2e.load import Load, webhook
from tests.kafka_broker import Broker

pytestmark = pytest.mark.kafka

READS = "message.read"


class Drains:
    """Processes of `treble-bridge journal drain`, killed with the test."""

    def __init__(self) -> None:
        self._started: list[Process] = []

    async def start(self, bridge: Bridge, *options: str) -> Process:
        """Start one on the bridge's folder. Its configuration's own `journal.path` leads elsewhere."""
        config = bridge.folder / "drain.yaml"
        config.write_text(bridge.config.read_text().replace(str(bridge.journal), str(bridge.folder / "elsewhere")))
        command = ("journal", "drain", str(bridge.journal), "--config", str(config), "--json", *options)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=_ROOT
        )
        self._started.append(process)
        return process

    async def ended(self, bridge: Bridge, *options: str) -> tuple[int, Any, str]:
        """Start one and wait for its end: exit code, account, and what it said beside that."""
        return await end_of(await self.start(bridge, *options))

    async def close(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.wait()


_ROOT = Path(__file__).parents[2]


async def end_of(process: Process) -> tuple[int, Any, str]:
    """Exit code, account (None when there is none), and what it said beside that."""
    out, said = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, orjson.loads(out) if out.startswith(b"{") else None, said.decode()


@pytest.fixture
async def drains() -> AsyncIterator[Drains]:
    """Drains."""
    drains = Drains()
    yield drains
    await drains.close()


async def test_what_a_killed_bridge_left_is_forwarded_once_by_drains_and_a_later_bridge(
    make_bridge: MakeBridge, controllable_kafka: Broker, drains: Drains
) -> None:
    bridge = make_bridge()
    load = Load(bridge.port)
    await bridge.start()
    await load.in_order([webhook("s-1", number) for number in range(20)])
    await bridge.drained()
    await asyncio.to_thread(controllable_kafka.pause)
    await load.in_order(*([webhook(f"s-{stream}", number) for number in range(20, 60)] for stream in range(4)))
    await load.in_order([webhook("s-1", 30)])  # again, the same: a duplicate
    refused, account, said = await drains.ended(bridge)
    assert (refused, account) == (ExitCode.JOURNAL_LOCKED, None)
    assert f"belongs to process {bridge.process.pid} on host" in said
    bridge.kill()
    left, account, _ = await drains.ended(bridge, "--deadline", "1s")
    assert (left, account["left"]["entries"], account["left"]["paused_topics"][0]["state"]) == (7, 161, "kafka")

    await asyncio.to_thread(controllable_kafka.resume)
    code, account, said = await drains.ended(bridge)
    assert (code, account["left"], account["removable"]) == (0, {"entries": 0, "paused_topics": []}, True), said
    assert account["forwarded"] + account["known"] + account["duplicates"] == account["pending"] == 161
    assert_exactly_once(await delivered(bridge, READS), load.names())
    code, account, said = await drains.ended(bridge)
    assert (code, account["pending"], account["forwarded"]) == (0, 0, 0), said

    await bridge.start()
    await load.in_order([webhook("s-1", 40), webhook("s-1", 60)])
    await bridge.drained()
    assert load.statuses() == {200}
    assert_exactly_once(await delivered(bridge, READS), load.names())
    assert not (bridge.folder / "elsewhere").exists()


async def test_drains_that_are_killed_stopped_or_started_twice_neither_lose_nor_double(
    make_bridge: MakeBridge, controllable_kafka: Broker, drains: Drains
) -> None:
    bridge = make_bridge(kafka={"batch_entries": 20})
    load = Load(bridge.port)
    await bridge.start()
    await bridge.connected()
    await asyncio.to_thread(controllable_kafka.pause)
    await load.in_order(*([webhook(f"s-{stream}", number) for number in range(250)] for stream in range(8)))
    bridge.kill()

    first = await drains.start(bridge)
    await until(lambda: owned_by(first.pid, bridge), "its lock of the journal")
    refused, _, said = await drains.ended(bridge)
    assert (refused, f"belongs to process {first.pid} on" in said) == (ExitCode.JOURNAL_LOCKED, True)
    first.send_signal(signal.SIGTERM)
    stopped, account, said = await end_of(first)
    assert (stopped, account["cause"], account["left"]["entries"]) == (7, "SIGTERM", 2000), said

    await asyncio.to_thread(controllable_kafka.resume)
    for count in (100, 600, 1100):
        draining = await drains.start(bridge)
        await until(lambda count=count: forwarded(bridge, count), f"{count} entries forwarded")  # type: ignore[misc]
        draining.kill()
        assert (await end_of(draining))[0] == -signal.SIGKILL
    code, account, said = await drains.ended(bridge)
    assert (code, account["left"]["entries"]) == (0, 0), said
    assert load.statuses() == {200}
    assert_exactly_once(await delivered(bridge, READS), load.names())


async def owned_by(pid: int, bridge: Bridge) -> bool:
    """Whether the lock of the bridge's journal names this process."""
    return bool(orjson.loads((bridge.journal / "owner.lock").read_bytes())["pid"] == pid)


async def forwarded(bridge: Bridge, count: int) -> bool:
    """Whether so many entries are forwarded, by the journal's own copy of the positions."""
    return read_state(bridge.journal).positions.next_id > count
