"""Whatever is sent, no secret and no phone number comes out: in no log line, no answer, no page of the admin port."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import StartInside, StartProcess
from tests.flow.running import Bridge, BridgeProcess, until, webhook

BEARER, QUERY, IN_PATH, HEADER = "canary-bearer-1", "canary-query-2", "canary-path-3", "canary-header-4"
NEARLY = "canary-wrong-5"
PHONE, NATIONAL = "573176477608", "3176477608"
FORBIDDEN = [BEARER, QUERY, IN_PATH, HEADER, NEARLY, PHONE, NATIONAL]

SOURCES = {
    "treble": {"auth": [{"bearer": [BEARER]}, {"header": {"name": "X-Key", "value": HEADER}}]},
    "by_query": {"auth": [{"query": {"name": "token", "value": QUERY}}]},
    "by_path": {"auth": [{"path_secret": [IN_PATH]}]},
}

ODD_BODIES: list[bytes] = [
    b"",
    b"not json " + NATIONAL.encode(),
    b'{"cellphone": "3176477608", "country_code": "57"',
    b"\xff\xfe" + PHONE.encode(),
    b'{"session_id": "\\ud83d ' + NATIONAL.encode() + b'"}',
    b"[" * 5000,
    json.dumps({"event_type": PHONE, "event_id": NATIONAL}).encode(),
    json.dumps(webhook(read_at=f"not a time {NATIONAL}")).encode(),
    json.dumps(webhook(session="", cellphone=["3176477608"])).encode(),
    json.dumps({NATIONAL: {NATIONAL: NATIONAL}}).encode(),
]

REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("POST", "/webhooks/treble", {"Authorization": f"Bearer {BEARER}"}),
    ("POST", "/webhooks/treble/read", {"Authorization": f"Bearer {BEARER}"}),
    ("POST", "/webhooks/treble/read", {"X-Key": HEADER}),
    ("POST", "/webhooks/treble/read", {"Authorization": f"Bearer {NEARLY}"}),
    ("POST", "/webhooks/treble/read", {"Authorization": f"Basic {NEARLY}"}),
    ("POST", f"/webhooks/treble/{NATIONAL}", {"Authorization": f"Bearer {BEARER}"}),
    ("POST", f"/webhooks/by_query/read?token={QUERY}&phone={PHONE}", {}),
    ("POST", f"/webhooks/by_query/read?token={NEARLY}", {}),
    ("POST", f"/webhooks/by_path/{IN_PATH}/read", {}),
    ("POST", f"/webhooks/by_path/{NEARLY}/read", {}),
    ("GET", f"/webhooks/by_path/{IN_PATH}", {}),
    ("POST", f"/nothing/{IN_PATH}/{PHONE}?token={QUERY}", {"Referer": f"https://x/?token={QUERY}"}),
    ("POST", "/webhooks/treble", {"Authorization": f"Bearer {BEARER}", "traceparent": PHONE, "User-Agent": NATIONAL}),
]

RAW: list[bytes] = [
    f"POST /webhooks/by_query?token={QUERY} HTTP/9.9\r\n\r\n".encode(),
    f"{PHONE} {IN_PATH}\r\n\r\n".encode(),
    f"POST /webhooks/treble HTTP/1.1\r\nAuthorization: Bearer {BEARER}\r\nContent-Length: {NATIONAL}\r\n\r\n".encode(),
    f"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\nX-Key {HEADER}\r\n\r\n".encode(),
    f"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\nX-Key: {HEADER}\x00{NATIONAL}\r\n\r\n".encode(),
    f"POST /webhooks/treble?token={QUERY} HTTP/1.1\r\nX-Long: {NATIONAL * 3000}\r\n\r\n".encode(),
]


async def storm(bridge: BridgeProcess) -> str:
    """Everything odd, and all that was answered."""
    answers: list[str] = []
    async with aiohttp.ClientSession() as http:
        for method, path, headers in REQUESTS:
            for body in ODD_BODIES:
                async with http.request(method, bridge.url + path, data=body, headers=headers) as answer:
                    answers += [str(answer.headers), await answer.text()]
    for raw in RAW:
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
        writer.write(raw)
        answers.append((await asyncio.wait_for(reader.read(), timeout=20)).decode("latin-1"))
        writer.close()
    return "\n".join(answers)


async def admin_pages(bridge: Bridge, http: aiohttp.ClientSession) -> str:
    """All that the admin port shows."""
    pages: list[Any] = []
    for path in ("/status", "/readyz", "/livez", "/metrics", f"/nothing?token={QUERY}"):
        async with http.get(bridge.admin_url + path) as answer:
            pages.append(await answer.text())
    return "\n".join(pages)


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_no_secret_and_no_phone_comes_out_under_a_storm_of_odd_requests(
    start_process: StartProcess, http: aiohttp.ClientSession, level: str
) -> None:
    bridge = start_process(sources=SOURCES, log={"level": level}, server={"body_timeout": "1s", "header_timeout": "1s"})
    await bridge.started()
    answers = await storm(bridge)
    pages = await admin_pages(bridge, http)
    assert await bridge.post(http, webhook(), token=BEARER) == 200, "it still works"
    bridge.kill()
    log = bridge.log.text
    for secret in FORBIDDEN:
        assert secret not in answers
        assert secret not in pages
        assert secret not in log
    assert "Traceback" not in log
    assert "Traceback" not in answers


async def test_no_phone_comes_out_of_what_is_understood_quarantined_or_only_half_liked(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink()
    bridge = await start_inside(sink=sink, sources=SOURCES, log={"level": "debug"})
    for body in ODD_BODIES:
        for hint in ("read", "response", NATIONAL):
            url = f"{bridge.url}/webhooks/treble/{hint}"
            async with http.post(url, data=body, headers={"Authorization": f"Bearer {BEARER}"}) as answer:
                await answer.read()
    await bridge.all_forwarded(http)
    assert {record.topic for record in sink.taken} >= {"treble.quarantine", "treble.unknown"}
    assert any(PHONE.encode() in record.value or NATIONAL.encode() in record.value for record in sink.taken)
    assert bridge.log.lines("entry.quarantined")
    pages = await admin_pages(bridge, http)
    for secret in FORBIDDEN:
        assert secret not in pages
        assert secret not in bridge.log.text


async def test_a_storm_of_wrong_tokens_is_a_few_lines_not_one_a_request(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process()
    await bridge.started()
    for _ in range(200):
        assert await bridge.post(http, token=NEARLY) == 401
    assert len(bridge.log.lines("request.unauthorized")) == 1
    series = [line for line in (await admin_pages(bridge, http)).splitlines() if "unauthorized_total{" in line]
    assert sum(float(line.rpartition(" ")[2]) for line in series) == 200


async def test_with_kafka_away_the_log_stays_short(start_process: StartProcess, http: aiohttp.ClientSession) -> None:
    bridge = start_process(kafka={"backoff": "10ms", "backoff_max": "20ms"})
    await bridge.started()
    await until(lambda: bridge.log.lines("kafka.lost"), "a line about Kafka")
    async with asyncio.timeout(30):
        while (await bridge.metric(http, 'producer_rebuilds_total{cause="unavailable"}') or 0) < 30:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert len(bridge.log.lines("kafka.lost")) == 1
    assert len(bridge.log.lines()) < 10


async def test_a_reader_of_the_log_that_hangs_does_not_hold_up_a_request(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process(log={"level": "debug"})
    await bridge.started()
    bridge.stop_reading()
    for number in range(1500):  # a line each: more than a pipe holds
        assert await bridge.post(http, webhook(f"s-{number}")) == 200
    assert await bridge.get(http, "/livez") == (200, {"status": "ok"})
    bridge.go_on_reading()
    await until(lambda: len(bridge.log.lines("request.answered")) >= 1500, "the lines that waited")
