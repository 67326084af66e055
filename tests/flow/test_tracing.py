"""Traces: who decides on them, what they must not say, and that a collector has no part in taking webhooks."""

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.sink import ScriptedSink
from tests.flow.collector import Collector
from tests.flow.conftest import Configure, StartInside
from tests.flow.running import PATH, TOKEN, BridgeInside, authorized, until, webhook

ROOT = Path(__file__).parents[2]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
NOT_KEPT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]")
PATH_SECRET = "path-secret-0123456789"
COLLECTOR_TOKEN = "collector-token-0123456789"


async def post(
    bridge: BridgeInside,
    http: aiohttp.ClientSession,
    session: str,
    path: str = PATH,
    token: str = TOKEN,
    **headers: str,
) -> int:
    sent = {**authorized(token), **headers}
    async with http.post(bridge.url + path, json=webhook(session), headers=sent) as answer:
        return answer.status


def traceparents(sink: ScriptedSink) -> list[str]:
    return [dict(record.headers)["traceparent"].decode() for record in sink.taken]


async def test_a_trace_that_is_not_kept_has_no_spans_and_consumers_are_told(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink()
    async with Collector() as collector:
        bridge = await start_inside(sink=sink, tracing={"enabled": True, "endpoint": collector.endpoint, "sample": 0})
        assert await post(bridge, http, "a") == 200
        assert await post(bridge, http, "b", traceparent="nonsense", tracestate="vendor=1") == 200
        assert await post(bridge, http, "c", traceparent=f"00-{TRACE}-{CALLER}-00", tracestate="vendor=1") == 200
        await bridge.all_forwarded(http)
        await bridge.end()
    assert collector.requests == []
    new, also_new, callers = traceparents(sink)
    assert callers == f"00-{TRACE}-{CALLER}-00", "passed on as it came"
    assert all(NOT_KEPT.fullmatch(text) for text in (new, also_new))
    assert len({text.split("-")[1] for text in (new, also_new)} - {TRACE}) == 2
    states = [dict(record.headers).get("tracestate") for record in sink.taken]
    assert states == [None, None, b"vendor=1"], "a trace that begins here has none"


async def test_what_a_caller_keeps_is_kept_whatever_the_share_of_new_ones(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink()
    async with Collector() as collector:
        bridge = await start_inside(sink=sink, tracing={"enabled": True, "endpoint": collector.endpoint, "sample": 0})
        assert await post(bridge, http, "a", traceparent=f"00-{TRACE}-{CALLER}-01") == 200
        await bridge.all_forwarded(http)
        await bridge.end()
    request, event = sorted(
        (span for span in collector.spans if span.trace_id == TRACE), key=lambda span: span.name.startswith("send")
    )
    assert (request.kind, request.parent) == ("server", CALLER)
    assert (event.kind, event.parent) == ("producer", request.span_id)
    assert traceparents(sink) == [f"00-{TRACE}-{event.span_id}-01"]


async def test_only_those_whose_credentials_hold_make_spans(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    async with Collector() as collector:
        bridge = await start_inside(sink=ScriptedSink(), tracing={"enabled": True, "endpoint": collector.endpoint})
        kept = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        assert await post(bridge, http, "a", token="wrong", **kept) == 401
        assert await post(bridge, http, "a", path="/nowhere", **kept) == 404
        await bridge.end()
    assert collector.spans == []


async def test_no_span_says_a_secret_a_phone_a_query_or_what_a_sender_made_up(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    auth = [{"path_secret": PATH_SECRET}, {"bearer": TOKEN}, {"query": {"name": "key", "value": PATH_SECRET}}]
    headers = {"Authorization": f"Bearer {COLLECTOR_TOKEN}"}
    async with Collector() as collector:
        tracing = {"enabled": True, "endpoint": collector.endpoint, "headers": headers, "service_name": "hooks"}
        bridge = await start_inside(
            sink=ScriptedSink(), tracing=tracing, sources={"treble": {"auth": auth}, "plain": {"auth": "none"}}
        )
        assert await post(bridge, http, "session-of-ana", f"/webhooks/treble/{PATH_SECRET}/read", "-") == 200
        assert await post(bridge, http, "b", f"/webhooks/treble/read?key={PATH_SECRET}", "-") == 200
        assert await post(bridge, http, "c", "/webhooks/plain/made-up-by-a-sender?who=me") == 200
        await bridge.all_forwarded(http)
        await bridge.end()
    assert {request["Authorization"] for request in collector.requests} == {f"Bearer {COLLECTOR_TOKEN}"}
    raw = collector.raw + bridge.log.text.encode()
    private = (TOKEN, PATH_SECRET, COLLECTOR_TOKEN, "3176477608", "session-of-ana", "key=", "who=me", "made-up")
    assert [word for word in private if word.encode() in raw] == []
    assert {span.resource["service.name"] for span in collector.spans} == {"hooks"}
    callers = {span.attributes["client.address"] for span in collector.spans if span.kind == "server"}
    assert callers == {"127.0.0.1"}
    shown = Counter(
        (span.name, span.attributes["url.path"], span.attributes.get("treble_bridge.hint"))
        for span in collector.spans
        if span.kind == "server"
    )
    assert shown == Counter(
        [
            ("POST /webhooks/treble/{path_secret}/{hint}", "/webhooks/treble/***/read", "read"),
            ("POST /webhooks/treble/{hint}", "/webhooks/treble/read", "read"),
            ("POST /webhooks/plain/{hint}", "/webhooks/plain/***", "other"),
        ]
    )


@pytest.mark.parametrize("delay_s", [None, 60.0], ids=["dead", "slow"])
async def test_a_collector_that_does_not_answer_holds_up_nothing(
    start_inside: StartInside, http: aiohttp.ClientSession, delay_s: float | None
) -> None:
    sink, collector = ScriptedSink(), Collector(delay_s or 0.0)
    if delay_s is not None:
        await collector.__aenter__()
    bridge = await start_inside(sink=sink, tracing={"enabled": True, "endpoint": collector.endpoint})
    seconds = []
    for number in range(200):
        began_s = time.perf_counter()
        assert await post(bridge, http, f"s-{number}") == 200
        seconds.append(time.perf_counter() - began_s)
    await bridge.all_forwarded(http)
    assert len(sink.taken) == 200
    assert sorted(seconds)[100] < 0.1
    if delay_s is not None:
        await until(lambda: collector.requests, "that it is being asked")
    began_s = time.monotonic()
    await bridge.end()
    assert time.monotonic() - began_s < 4, "two seconds for the collector, and what a stop takes"
    said = [line for line in bridge.log.lines("library.message") if line["log.logger"].startswith("opentelemetry")]
    assert len(said) <= 3
    assert {line["log.level"] for line in said} <= {"warning"}
    if delay_s is not None:
        await collector.__aexit__()


async def test_spans_for_which_there_is_no_room_are_counted(
    start_inside: StartInside, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("WAITING_SPANS_MAX", "EXPORT_SPANS_MAX"):
        monkeypatch.setattr(f"bridge.telemetry.span_export.{bound}", 2)
    sink = ScriptedSink()
    async with Collector() as collector:
        bridge = await start_inside(sink=sink, tracing={"enabled": True, "endpoint": collector.endpoint})
        for number in range(5):
            assert await post(bridge, http, f"s-{number}") == 200
        await bridge.all_forwarded(http)
        assert len(sink.taken) == 5
        await bridge.end()
        text = bridge.service.telemetry.metrics.exposition("")[0].decode()
        counted = {
            outcome: float(line.rpartition(" ")[2])
            for outcome in ("exported", "dropped")
            for line in text.splitlines()
            if line.startswith(f'treble_bridge_trace_spans_total{{outcome="{outcome}"}}')
        }
    assert counted["exported"] == len(collector.spans) >= 2
    assert counted["dropped"] > 0
    assert bridge.log.lines("tracing.spans_dropped")


@pytest.mark.parametrize("form", ["cloudevents-structured", "plain"])
async def test_the_other_formats_carry_the_same_trace(
    start_inside: StartInside, http: aiohttp.ClientSession, form: str
) -> None:
    sink = ScriptedSink()
    async with Collector() as collector:
        bridge = await start_inside(
            sink=sink, tracing={"enabled": True, "endpoint": collector.endpoint}, kafka={"format": form}
        )
        assert await post(bridge, http, "a", traceparent=f"00-{TRACE}-{CALLER}-01") == 200
        await bridge.all_forwarded(http)
        await bridge.end()
    (event,) = collector.named("send treble.message.read")
    (record,) = sink.taken
    mine = f"00-{TRACE}-{event.span_id}-01".encode()
    assert dict(record.headers)["traceparent"] == mine
    assert (b'"traceparent":"' + mine in record.value) is (form == "cloudevents-structured")
    assert f'"id":"{event.attributes["messaging.message.id"]}"'.encode() in record.value


OFF = """
import asyncio, sys
from pathlib import Path
from tests.fakes.sink import ScriptedSink
from tests.flow.running import BridgeInside

async def live():
    bridge = BridgeInside(Path(sys.argv[1]), ScriptedSink())
    await bridge.start()
    await bridge.end()

asyncio.run(live())
print([name for name in sys.modules if name.partition(".")[0] in {"opentelemetry", "google", "requests"}])
"""


def test_where_traces_are_off_the_library_is_not_even_imported(configure: Configure) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF, str(configure())], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_without_the_extra_the_configuration_says_what_to_install(configure: Configure) -> None:
    # What an interpreter without the extra sees: a package of this name that can't be found.
    hide = "import sys; sys.modules['opentelemetry'] = None; from bridge.__main__ import main; main()"
    for command in ("check", "run"):
        done = subprocess.run(
            [sys.executable, "-c", hide, command, "--config", str(configure(tracing={"enabled": True}))],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 2
        assert "tracing.enabled: needs OpenTelemetry" in done.stderr + done.stdout
        assert "pip install 'treble-bridge[otel]'" in done.stderr + done.stdout


async def test_the_environment_counts_where_the_file_says_nothing(
    start_inside: StartInside, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Collector() as collector:
        said: dict[str, Any] = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{COLLECTOR_TOKEN},broken value {TOKEN}",
            "OTEL_SERVICE_NAME": "from-outside",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        }
        for name, value in said.items():
            monkeypatch.setenv(name, value)
        bridge = await start_inside(sink=ScriptedSink(), tracing={"enabled": True})
        assert await post(bridge, http, "a") == 200
        await bridge.all_forwarded(http)
        await bridge.end()
    assert collector.requests[0]["Authorization"] == f"Bearer {COLLECTOR_TOKEN}"
    resource = collector.spans[0].resource
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("from-outside", "test")
    assert bridge.log.lines("tracing.started")[0]["collector"] == f"127.0.0.1:{collector.port}"
    assert COLLECTOR_TOKEN not in bridge.log.text
    assert "broken value" not in bridge.log.text
