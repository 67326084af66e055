"""`health` against the real admin port, and against what is none."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge.cli import cli
from bridge.errors import ExitCode
from bridge.service.admin import AdminServer
from bridge.service.health import Check, Health
from bridge.settings.units import Address
from bridge.telemetry import Telemetry

HEAVY = ("aiohttp", "aiokafka", "apsw", "asyncio", "orjson", "pydantic", "prometheus_client", "rich", "yaml")


class Patient(Health):
    """A health that is as a test wants it."""

    def __init__(self) -> None:
        self.lives = True
        self.parts: dict[str, Check] = {"journal": Check("ok", {"fill": 0.1})}
        self.url = ""

    def alive(self) -> bool:
        return self.lives

    def checks(self) -> Mapping[str, Check]:
        return self.parts

    def status(self) -> Mapping[str, Any]:
        return {}


@pytest.fixture
async def patient() -> AsyncIterator[Patient]:
    subject = Patient()
    server = AdminServer(Address("127.0.0.1", 0), subject, Telemetry())
    await server.start()
    subject.url = f"http://{server.addresses[0]}"
    yield subject
    await server.close()


async def health(url: str, *arguments: str, **variables: str) -> Result:
    given = ("--url", url) if url else ()
    return await asyncio.to_thread(CliRunner(env=variables).invoke, cli, ["health", *given, *arguments])


async def test_ready_is_code_0(patient: Patient) -> None:
    result = await health(patient.url)
    assert (result.exit_code, result.stdout, result.stderr) == (ExitCode.OK, "ok\n", "")


async def test_unready_is_code_8_with_the_cause(patient: Patient) -> None:
    patient.parts["journal"] = Check("unready", {"state": "full", "fill": 1.0})
    patient.parts["kafka"] = Check("degraded", {"connected": False}, reported=True)
    result = await health(patient.url)
    assert result.exit_code == ExitCode.MISMATCH
    assert result.stdout == "unready: journal (state=full, fill=1.0), kafka (connected=False)\n"


async def test_a_degraded_bridge_is_ready(patient: Patient) -> None:
    patient.parts["kafka"] = Check("degraded", {"connected": False}, reported=True)
    patient.parts["journal"] = Check("degraded", {"state": "nearly_full"})
    result = await health(patient.url)
    assert (result.exit_code, result.stdout.partition(":")[0]) == (ExitCode.OK, "degraded")


async def test_a_part_that_only_reports_is_said_to_be_degraded_and_the_whole_to_be_ready(patient: Patient) -> None:
    patient.parts["config"] = Check("degraded", {"error": "bridge.yaml:3: wrong"}, reported=True)
    result = await health(patient.url)
    assert (result.exit_code, result.stdout) == (
        ExitCode.OK,
        "ok, but degraded: config (error=bridge.yaml:3: wrong)\n",
    )


async def test_whether_events_reach_kafka_is_asked_on_demand_and_each_reason_is_a_line(patient: Patient) -> None:
    patient.parts["kafka"] = Check("ok", {"connected": True}, reported=True)
    patient.parts["topics"] = Check("ok", {"state": "ok", "waiting": []}, reported=True)
    assert (await health(patient.url, "--forwarding")).exit_code == ExitCode.OK

    gone = "treble.message.read: is missing; create it with: kafka-topics.sh --create"
    patient.parts["topics"] = Check("degraded", {"state": "differ", "waiting": [gone]}, reported=True)
    patient.parts["kafka"] = Check("degraded", {"connected": False, "reason": "no broker"}, reported=True)
    assert (await health(patient.url)).exit_code == ExitCode.OK
    result = await health(patient.url, "--forwarding")
    assert result.exit_code == ExitCode.MISMATCH
    assert result.stdout.splitlines() == [
        "ok, but degraded: kafka (connected=False, reason=no broker), topics (state=differ)",
        "webhooks are taken, and their events wait in the journal:",
        "  Kafka: no broker",
        f"  {gone}",
    ]


async def test_topics_that_differ_without_holding_anything_up_do_not_fail(patient: Patient) -> None:
    patient.parts["kafka"] = Check("ok", {"connected": True}, reported=True)
    patient.parts["topics"] = Check("degraded", {"state": "differ", "waiting": []}, reported=True)
    assert (await health(patient.url, "--forwarding")).exit_code == ExitCode.OK


async def test_topics_that_nobody_has_looked_at_yet_prove_nothing(patient: Patient) -> None:
    patient.parts["kafka"] = Check("ok", {"connected": True}, reported=True)
    patient.parts["topics"] = Check("ok", {"state": "unknown", "problem": None, "waiting": []}, reported=True)
    result = await health(patient.url, "--forwarding")
    assert result.exit_code == ExitCode.MISMATCH
    assert "  the topics were not looked at yet" in result.stdout
    del patient.parts["kafka"]
    assert (await health(patient.url, "--forwarding")).exit_code == ExitCode.MISMATCH


async def test_a_bridge_that_is_not_ready_is_not_asked_about_kafka(patient: Patient) -> None:
    patient.parts = {"stages": Check("unready", {"reason": "starting"})}
    result = await health(patient.url, "--forwarding")
    assert (result.exit_code, result.stdout) == (ExitCode.MISMATCH, "unready: stages (reason=starting)\n")


async def test_live_and_forwarding_are_two_questions(patient: Patient) -> None:
    assert (await health(patient.url, "--live", "--forwarding")).exit_code == ExitCode.USAGE


async def test_live_does_not_ask_whether_it_is_ready(patient: Patient) -> None:
    patient.parts["journal"] = Check("unready", {"state": "full"})
    assert (await health(patient.url, "--live")).exit_code == ExitCode.OK
    patient.lives = False
    result = await health(patient.url, "--live")
    assert (result.exit_code, result.stdout) == (ExitCode.MISMATCH, "stuck\n")


async def test_the_url_may_come_from_the_environment_and_no_proxy_of_it_is_asked(patient: Patient) -> None:
    result = await health("", TREBLE_BRIDGE_ADMIN_URL=patient.url, http_proxy="http://127.0.0.1:1")
    assert result.exit_code == ExitCode.OK


async def test_another_server_is_no_bridge(patient: Patient) -> None:
    result = await health(f"{patient.url}/elsewhere")
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "answers 404: not the admin port of a bridge" in result.stderr


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_nobody_there_is_code_7(listener: socket.socket) -> None:
    url = url_of(listener)
    listener.close()
    result = await health(url)
    assert (result.exit_code, result.stdout) == (ExitCode.UNREACHABLE, "")
    assert "does not answer (Connection refused)" in result.stderr


async def test_no_answer_in_time_is_code_7(listener: socket.socket) -> None:
    result = await health(url_of(listener), "--timeout", "50ms")
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "does not answer (no answer in time)" in result.stderr


async def test_what_is_no_http_is_code_7(listener: socket.socket) -> None:
    def babble() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"+OK ready\r\n")

    other = threading.Thread(target=babble)
    other.start()
    result = await health(url_of(listener))
    other.join(5)
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "does not answer (BadStatusLine)" in result.stderr


@pytest.mark.parametrize(
    "url",
    [
        "8081",
        "https://127.0.0.1:8081",
        "http://127.0.0.1:99999",
        "http://u:p@host",
        "http:",
        "http://a:1/é",
        "http://a:1/a b",
    ],
)
async def test_a_url_that_is_not_the_admin_ports_is_a_usage_error(url: str) -> None:
    result = await health(url)
    assert result.exit_code == ExitCode.USAGE
    assert "Invalid value for '--url'" in result.stderr


@pytest.mark.parametrize("duration", ["2", "0s", "-1s", "2h"])
async def test_a_timeout_has_a_unit_and_ends(duration: str) -> None:
    result = await health("", "--timeout", duration)
    assert result.exit_code == ExitCode.USAGE
    assert "expected a duration above 0, such as 500ms or 2s" in result.stderr


async def test_the_admin_port_may_be_that_of_a_configuration(patient: Patient, tmp_path: Path) -> None:
    port = patient.url.rpartition(":")[2]
    (tmp_path / "bridge.yaml").write_text(f"admin: {{listen: '0.0.0.0:{port}'}}\nlgo: {{}}\n", encoding="utf-8")
    result = await health("", "--config", str(tmp_path / "bridge.yaml"))
    assert (result.exit_code, result.stdout) == (ExitCode.OK, "ok\n")


@pytest.mark.parametrize("text", [None, "admin: {listen: nowhere}\n", "admin: [\n"])
async def test_a_configuration_without_an_admin_port_is_a_usage_error(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "bridge.yaml").write_text(text, encoding="utf-8")
    result = await health("", "--config", str(tmp_path / "bridge.yaml"))
    assert result.exit_code == ExitCode.USAGE
    assert "Invalid value for" in result.stderr


def test_it_loads_nothing_that_makes_its_start_slow() -> None:
    script = f"""
import sys
from bridge.cli import cli
try:
    cli(["health", "--url", "http://127.0.0.1:1"])
except SystemExit as end:
    print(end.code, sorted(set({HEAVY}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "7 []\n"
