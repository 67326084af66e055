"""The admin port says how the bridge is, truthfully and without secrets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from bridge.errors import ConfigError, ExitCode
from bridge.service.admin import AdminServer
from bridge.service.health import Check, Health
from bridge.settings.units import Address
from bridge.telemetry import Telemetry


class Patient(Health):
    """A health that is as a test wants it."""

    def __init__(self) -> None:
        self.lives = True
        self.parts: dict[str, Check] = {"journal": Check("ok", {"fill": 0.1})}

    def alive(self) -> bool:
        return self.lives

    def checks(self) -> Mapping[str, Check]:
        return self.parts

    def status(self) -> Mapping[str, Any]:
        if not self.lives:
            raise RuntimeError("geheim")
        return {"version": "1"}


class Probe:
    """A client of an admin server."""

    def __init__(self, session: aiohttp.ClientSession, patient: Patient) -> None:
        self.session, self.patient = session, patient

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        async with self.session.request(method, path, headers=headers) as response:
            return response.status, response.content_type, await response.text()

    async def json(self, path: str) -> tuple[int, Any]:
        async with self.session.get(path) as response:
            return response.status, await response.json()


@pytest.fixture
async def probe() -> AsyncIterator[Probe]:
    patient = Patient()
    server = AdminServer(Address("127.0.0.1", 0), patient, Telemetry())
    await server.start()
    async with aiohttp.ClientSession(f"http://{server.addresses[0]}") as session:
        yield Probe(session, patient)
    await server.close()


async def test_livez_is_200_while_the_process_does_its_work_and_503_when_it_is_stuck(probe: Probe) -> None:
    assert await probe.json("/livez") == (200, {"status": "ok"})
    probe.patient.lives = False
    assert await probe.json("/livez") == (503, {"status": "stuck"})


@pytest.mark.parametrize(
    ("checks", "status", "overall"),
    [
        ([Check("ok", {})], 200, "ok"),
        ([Check("ok", {}), Check("degraded", {})], 200, "degraded"),
        ([Check("degraded", {}), Check("unready", {})], 503, "unready"),
        ([Check("ok", {}), Check("unready", {}, reported=True)], 200, "ok"),
    ],
)
async def test_readyz_is_as_its_worst_deciding_check(
    probe: Probe, checks: list[Check], status: int, overall: str
) -> None:
    probe.patient.parts = {str(number): check for number, check in enumerate(checks)}
    answered, body = await probe.json("/readyz")
    assert (answered, body["status"]) == (status, overall)
    assert list(body["checks"]) == list(probe.patient.parts)


async def test_metrics_come_in_the_format_that_is_asked_for(probe: Probe) -> None:
    status, content_type, text = await probe.get("/metrics")
    assert (status, content_type) == (200, "text/plain")
    assert "treble_bridge_build_info" in text
    status, content_type, text = await probe.get("/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert (status, content_type) == (200, "application/openmetrics-text")
    assert text.endswith("# EOF\n")


@pytest.mark.parametrize("accept", ["application/openmetrics-text;version=x.y", "text/plain;version=", "*/*", "x" * 99])
async def test_no_accept_header_makes_metrics_fail(probe: Probe, accept: str) -> None:
    assert (await probe.get("/metrics", Accept=accept))[0] == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/status", 405)])
async def test_an_error_is_a_problem_document(probe: Probe, method: str, path: str, status: int) -> None:
    answered, content_type, text = await probe.get(path, method)
    assert (answered, content_type) == (status, "application/problem+json")
    assert f'"status":{status}' in text


async def test_an_unforeseen_error_shows_nothing_of_itself(probe: Probe) -> None:
    probe.patient.lives = False
    status, content_type, text = await probe.get("/status")
    assert (status, content_type) == (500, "application/problem+json")
    assert "geheim" not in text


@pytest.mark.parametrize("sent", [b"GET /status HTTP/1.1\r\nContent-Length: +1\r\n\r\n", b"\x16\x03\x01\r\n\r\n"])
async def test_what_is_no_http_gets_400_and_no_traceback_is_logged(
    probe: Probe, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection(probe.session._base_url.host, probe.session._base_url.port)  # type: ignore[union-attr]
    writer.write(sent)
    got = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b" 400 Bad Request\r\n" in got
    assert not caplog.records


async def test_a_taken_address_is_an_error_that_names_key_and_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = AdminServer(Address("127.0.0.1", port), Patient(), Telemetry())
        with pytest.raises(ConfigError, match=rf"admin\.listen: can't listen on 127\.0\.0\.1:{port}") as raised:
            await server.start()
    assert raised.value.exit_code is ExitCode.PORT_TAKEN


async def test_an_open_connection_does_not_hold_up_the_close() -> None:
    server = AdminServer(Address("127.0.0.1", 0), Patient(), Telemetry())
    await server.start()
    _, writer = await asyncio.open_connection(*server.addresses[0])
    await asyncio.wait_for(server.close(), timeout=5)
    writer.close()


@pytest.mark.parametrize("version", ["0.9", "2.0"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_version_that_is_not_http_1_gets_no_answer_in_that_version(
    probe: Probe, version: str, method: str
) -> None:
    reader, writer = await asyncio.open_connection(probe.session._base_url.host, probe.session._base_url.port)  # type: ignore[union-attr]
    writer.write(f"{method} /livez HTTP/{version}\r\nHost: x\r\n\r\n".encode())
    got = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert f"HTTP/{version}".encode() not in got
