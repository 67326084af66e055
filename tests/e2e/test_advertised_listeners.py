"""A broker that answers and gives clients an address at which they can't reach it: the usual mistake of a first try."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from bridge.cli import cli
from bridge.errors import ExitCode
from tests.e2e.bridge_process import Bridge
from tests.kafka_broker.broker import free_port
from tests.kafka_broker.process import ProcessBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

ADVERTISED = {
    "UNKNOWN": ("ip-10-20-30-40.invalid:9092", ", but its host name is unknown (DNS)"),
    "CLOSED": ("127.0.0.1:1", ", but nothing listens there (connection refused)"),
}


@pytest.fixture(scope="module")
def misadvertised() -> Iterator[dict[str, str]]:
    """Listeners of one broker that give a wrong address, each by its own."""
    bound = {name: f"127.0.0.1:{free_port()}" for name in ("PLAINTEXT", *ADVERTISED)}
    advertised = {name: ADVERTISED[name][0] if name in ADVERTISED else address for name, address in bound.items()}
    controller = f"127.0.0.1:{free_port()}"
    broker = ProcessBroker(
        settings={
            "listeners": ",".join(f"{n}://{a}" for n, a in [*bound.items(), ("CONTROLLER", controller)]),
            "advertised.listeners": ",".join(f"{name}://{address}" for name, address in advertised.items()),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in [*bound, "CONTROLLER"]),
            "controller.quorum.voters": f"1@{controller}",
        }
    )
    broker.start()
    yield bound
    broker.close()


@pytest.mark.parametrize("listener", ADVERTISED)
@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
async def test_the_address_that_the_broker_gave_is_named_within_5_s_with_the_option(
    tmp_path: Path, misadvertised: dict[str, str], listener: str, delivery: str
) -> None:
    async with aiohttp.ClientSession() as http:
        bridge = Bridge(tmp_path / "b", misadvertised[listener], http, kafka={"delivery": delivery})
        try:
            await bridge.start()
            started = time.monotonic()
            while not (lost := bridge.process.log.lines("kafka.lost")):
                assert time.monotonic() - started < 5
                await asyncio.sleep(0.05)
        finally:
            bridge.kill()
    given, why = ADVERTISED[listener]
    said = lost[0]["error.message"]
    assert f"{misadvertised[listener]} answers, and names the broker {given}{why}: advertised.listeners" in said


@pytest.mark.parametrize("command", ["topics list", "topics verify", "tail", "quarantine ls", "check --live"])
def test_every_command_names_it_too(tmp_path: Path, misadvertised: dict[str, str], command: str) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(
        f"kafka: {{bootstrap_servers: ['{misadvertised['UNKNOWN']}']}}\nsources: {{treble: {{auth: none}}}}\n"
    )
    started = time.monotonic()
    result = CliRunner().invoke(cli, [*command.split(), "--config", str(file)])
    assert time.monotonic() - started < 10
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "names the broker ip-10-20-30-40.invalid:9092, but its host name is unknown (DNS)" in result.output
