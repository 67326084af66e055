"""Bounds in time, size and number: nobody can hold the ingress up, or make it read or remember without end."""

import asyncio
import contextlib
import time

import pytest
from structlog.testing import capture_logs

from bridge.ingress import connection
from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, TOKEN, Client, door, request, settings

QUICK = settings(server={"header_timeout": "300ms", "body_timeout": "300ms", "keepalive_timeout": "300ms"})


async def drip(client: Client, data: bytes) -> None:
    """Send a byte at a time until the server has had enough."""
    for byte in data * 1000:
        if client.reader.at_eof() or client.writer.is_closing():
            return
        client.writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def test_a_body_that_does_not_arrive_in_time_is_408_and_the_connection_closes() -> None:
    async with door(QUICK) as d:
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED)[:-5])
        reply = await client.reply()
        assert (reply.status, reply.problem, reply.headers["Connection"]) == (408, "body-timeout", "close")
        assert await client.ended() == b""
        assert not d.journal.submissions
        assert d.requests == {("treble", "timed_out"): 1}


async def test_a_body_that_drips_has_the_same_time_as_a_whole() -> None:
    async with door(QUICK) as d:
        client = await d.connect()
        await client.send(request(PATH, b"x" * 100_000, AUTHORIZED)[:-100_000])
        dripping = asyncio.create_task(drip(client, b"x"))
        assert (await client.reply()).status == 408
        dripping.cancel()


@pytest.mark.parametrize("before", [b"", request(PATH, READ, AUTHORIZED)])
async def test_a_head_that_drips_is_closed_after_the_header_timeout(before: bytes) -> None:
    async with door(QUICK) as d:
        client = await d.connect()
        if before:
            await client.send(before)
            assert (await client.reply()).status == 200
        started = time.monotonic()
        dripping = asyncio.create_task(drip(client, b"GET / HTTP/1.1\r\nX-Slow: " + b"x" * 1000))
        assert await client.ended() == b""
        assert 0.2 < time.monotonic() - started < 5
        dripping.cancel()


async def test_a_connection_that_says_nothing_is_closed_and_one_at_rest_has_its_own_time() -> None:
    patient = settings(server={"header_timeout": "2s", "keepalive_timeout": "1h"})
    async with door(patient) as d:
        silent, used = await d.connect(), await d.connect()
        await used.send(request(PATH, READ, AUTHORIZED))
        assert (await used.reply()).status == 200
        assert await silent.ended() == b""
        await used.send(request(PATH, READ, AUTHORIZED))
        assert (await used.reply()).status == 200
    async with door(QUICK) as d:
        used = await d.connect()
        await used.send(request(PATH, READ, AUTHORIZED))
        assert (await used.reply()).status == 200
        assert await used.ended() == b""


async def test_without_a_keepalive_time_each_answer_is_the_last_of_its_connection() -> None:
    async with door(settings(server={"keepalive_timeout": "0"})) as d:
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED))
        assert (await client.reply()).headers["Connection"] == "close"
        assert await client.ended() == b""


async def test_a_request_that_waits_for_the_journal_is_not_idle() -> None:
    async with door(QUICK) as d:
        d.journal.mode = "holding"
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED))
        await d.until(lambda: d.journal.held)
        await asyncio.sleep(0.8)  # well over all three bounds
        d.journal.release()
        assert (await client.reply()).status == 200


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "tls"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" + request(PATH, READ), "proxy_protocol"),
        (b"PROXY UNKNOWN\r\n" + request(PATH, READ), "proxy_protocol"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12) + request(PATH, READ), "proxy_protocol"),
        (b"hello\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/1.1\r\n\r\n", "malformed"),  # no Host
        (b"POST /webhooks/treble HTTP/9.9\r\nHost: x\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/0.9\r\nHost: x\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/2.0\r\nHost: x\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "malformed"),
        (
            b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            "malformed",
        ),
        (b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\nX: \x00secret\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/1.1\r\nHost : x\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"x" * 17_000 + b"\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble/" + b"x" * 17_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "malformed"),
        (b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\n" + b"X-Many: x\r\n" * 101 + b"\r\n", "malformed"),
        (b"POST http:// HTTP/1.1\r\nHost: x\r\n\r\n", "malformed"),
    ],
)
async def test_what_is_not_http_is_400_without_a_word_on_what_was_sent(data: bytes, outcome: str) -> None:
    async with door() as d:
        with capture_logs() as lines:
            client = await d.connect()
            await client.send(data)
            reply = await client.reply()
            assert (reply.status, reply.problem) == (400, "malformed-request")
            assert await client.ended() == b""
        (line,) = lines
        assert (line["event"], line["reason"], line["remote"]) == ("request.refused", outcome, "127.0.0.1")
        assert set(line) - {"path"} == {"event", "log_level", "source", "reason", "remote"}
        assert line.get("path", PATH) == PATH
        assert d.requests == {("-", outcome): 1}
        assert (await d.post()).status == 200


async def test_a_head_is_bounded_as_a_whole_even_if_each_line_is() -> None:
    async with door(settings(server={"max_header": 1024})) as d:
        client = await d.connect()
        await client.send(b"POST /webhooks/treble HTTP/1.1\r\nHost: x\r\n")
        lines = [b"X-%d: %s\r\n" % (n, b"x" * 900) for n in range(60)]
        await client.send(b"".join(lines[:3]))
        await asyncio.sleep(0.05)
        assert d.in_flight, "three lines are well below the bound"
        await client.send(b"".join(lines[3:]))
        assert (await client.reply()).problem == "malformed-request"
        assert await client.ended() == b""


LARGE_HEAD = (
    b"GET /large HTTP/1.1\r\nHost: b\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 900) for n in range(9)) + b"\r\n"
)


@pytest.mark.parametrize("before", [b"", request(PATH, READ, AUTHORIZED)], ids=["alone", "pipelined"])
@pytest.mark.parametrize("cut", [None, 5000, -3], ids=["in one piece", "in two", "but for its end"])
async def test_the_bound_on_a_head_holds_however_it_arrives(before: bytes, cut: int | None) -> None:
    async with door(settings(server={"max_header": 1024})) as d:
        d.journal.mode = "holding"
        client = await d.connect()
        await client.send(before + LARGE_HEAD[:cut])
        if before:
            await d.until(lambda: d.journal.held)
        if cut == 5000:
            await client.send(LARGE_HEAD[cut:])
        await asyncio.sleep(0.05)
        d.journal.release()
        if before:
            assert (await client.reply()).status == 200
        assert (await client.reply()).problem == "malformed-request"
        assert await client.ended() == b""


async def test_heads_behind_answers_that_nobody_takes_are_not_read() -> None:
    async with door(settings(responses={"message.read": {"filler": "x" * 100_000}})) as d:
        client = await d.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await d.until(lambda: d.open == 1)
        (served,) = d.ingress._connections.open
        while not served.writing_paused:
            await client.send(request(PATH, READ, AUTHORIZED) * 4)
            await asyncio.sleep(0.005)
        assert served.transport is not None
        sending = asyncio.create_task(flood(client))
        await asyncio.sleep(0.3)
        assert not served.transport.is_reading()
        assert len(served._messages) <= 32
        assert not sending.done(), "what the client still says waits with the system"
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        taken = len(d.journal.submissions)
        reading = asyncio.create_task(client.reader.read(-1))
        await d.until(lambda: len(d.journal.submissions) > taken + 100)
        sending.cancel()
        reading.cancel()


@pytest.mark.parametrize("large", [False, True], ids=["fast path", "slow path"])
@pytest.mark.parametrize("whole", [False, True], ids=["a head behind it", "nothing behind it"])
async def test_a_head_that_begins_behind_a_whole_request_has_the_time_of_a_head(whole: bool, large: bool) -> None:
    patient = settings(server={"header_timeout": "2s", "keepalive_timeout": "1h"})
    async with door(patient) as d:
        client = await d.connect()
        sent = request(PATH, b'"' + b"x" * 300_000 + b'"' if large else READ, AUTHORIZED)
        await client.send(sent + (b"" if whole else b"POST /webhooks/treble HTTP/1.1\r\nHos"))
        assert (await client.reply()).status == 200
        if whole:
            await asyncio.sleep(2.5)  # longer than a head may take
            await client.send(sent)
            assert (await client.reply()).status == 200
            assert not d.in_flight
        else:
            async with asyncio.timeout(5):
                assert await client.ended() == b""


@pytest.mark.parametrize("body", [READ, b'"' + b"x" * 300_000 + b'"'], ids=["fast path", "slow path"])
async def test_a_request_whose_head_began_behind_another_is_taken(body: bytes) -> None:
    async with door() as d:
        client = await d.connect()
        sent = request(PATH, body, AUTHORIZED)
        await client.send(sent + sent[:40])
        assert (await client.reply()).status == 200
        assert d.in_flight == 1, "a stop waits for it"
        await client.send(sent[40:])
        assert (await client.reply()).status == 200
        await d.until(lambda: not d.in_flight)
        assert [entry.body for entry in d.journal.stored] == [body, body]


async def test_upgrades_and_tunnels_are_answered_like_any_request() -> None:
    upgrade = {**AUTHORIZED, "Connection": "Upgrade", "Upgrade": "websocket"}
    async with door() as d:
        assert (await d.post(headers=upgrade)).status == 200
        assert (
            await d.post(headers={**AUTHORIZED, "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"})
        ).status == 200
        assert (await d.ask(b"CONNECT bridge.test:80 HTTP/1.1\r\nHost: bridge.test:80\r\n\r\n")).status == 404
        assert [entry.body for entry in d.journal.stored] == [READ, READ]


async def test_http_1_0_is_answered_and_closed() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await client.reply()).status == 200
        assert await client.ended() == b""
        assert d.journal.stored[0].body == READ


async def test_who_asks_for_the_end_of_the_connection_gets_it() -> None:
    async with door() as d:
        for _ in range(2):
            client = await d.connect()
            for closing in ({}, {"Connection": "close"}):
                await client.send(request(PATH, READ, {**AUTHORIZED, **closing}))
                reply = await client.reply()
                assert (reply.status, reply.headers.get("Connection")) == (200, closing.get("Connection"))
            assert await client.ended() == b""


async def test_above_the_number_of_connections_a_new_one_is_told_503_and_closed() -> None:
    async with door(settings(server={"max_connections": 3})) as d:
        clients = [await d.connect() for _ in range(3)]
        for client in clients:
            await client.send(request(PATH, READ, AUTHORIZED))
            assert (await client.reply()).status == 200
        for _ in range(2):
            refused = await d.connect()
            reply = await refused.reply()  # before it has said anything
            assert (reply.status, reply.problem, reply.headers["Connection"]) == (503, "not-accepted", "close")
            assert reply.headers["Retry-After"] == "1"
            assert await refused.ended() == b""
        loud = await d.connect()
        await loud.send(request(PATH, READ, AUTHORIZED))
        assert (await loud.reply()).status == 503
        assert d.requests[("-", "too_many_connections")] == 3
        assert d.telemetry.metrics.connections._value.get() == 3
        clients[0].close()
        await d.until(lambda: d.open == 2)
        assert (await d.post()).status == 200


async def test_a_refused_connection_that_stays_is_cut_off() -> None:
    async with door(settings(server={"max_connections": 1})) as d:
        first = await d.connect()
        await d.until(lambda: d.open == 1)
        staying = await d.connect()
        assert (await staying.reply()).status == 503
        await d.until(lambda: not d.ingress._connections.refused)
        first.close()


async def test_a_flood_of_refused_connections_is_closed_without_waiting() -> None:
    async with door(settings(server={"max_connections": 1})) as d:
        await d.connect()
        await d.until(lambda: d.open == 1)
        flood = [await d.connect() for _ in range(130)]
        for client in flood:
            assert (await client.reply()).status == 503
        assert len(d.ingress._connections.refused) <= 101


async def test_an_unwanted_body_is_not_read_without_end() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(request(PATH, b"", {"Authorization": "Bearer wrong"}).replace(b": 0", b": 1000000000"))
        assert (await client.reply()).status == 401
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100 << 20:
                await client.send(b"x" * 65536)
                sent += 65536
        assert sent < 40 << 20, "a megabyte is dropped, the rest is in the system's buffers"
        await d.until(lambda: not d.open)


async def test_an_unwanted_body_that_comes_after_all_does_not_destroy_the_answer() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(request(PATH, b"x" * 300_000, {"Authorization": "Bearer wrong"}))
        reply = await client.reply()
        assert (reply.status, reply.problem) == (401, "unauthorized")


async def test_bodies_that_arrive_have_a_bound_in_memory_all_together() -> None:
    async with door() as d:
        d.ingress._budget.bytes_max = 250_000
        slow = [await d.connect() for _ in range(3)]
        for count, client in enumerate(slow):
            await d.until(lambda: d.ingress._budget.held == count * 90_000)  # noqa: B023 - the loop waits for it
            await client.send(request(PATH, b"x" * 100_000, AUTHORIZED)[:-10_000])
        full = await slow[2].reply()  # the last of them did not fit
        assert (full.status, full.problem) == (503, "not-accepted")
        assert d.ingress._budget.held == 180_000
        for client in slow[:2]:
            client.writer.transport.abort()
        await d.until(lambda: d.ingress._budget.held == 0)
        assert (await d.post()).status == 200


SIGNED = {
    "signed": {"auth": [{"hmac": {"header": "X-Sig", "secret": "k" * 16}}]},
    "treble": {"auth": [{"bearer": TOKEN}]},
}


async def test_bodies_of_strangers_never_take_the_room_of_webhooks_whose_credentials_hold() -> None:
    """A signature needs the body: whoever may call a signed source may send one, right or wrong."""
    async with door(settings(sources=SIGNED)) as d:
        budget, unproven = d.ingress._budget, d.ingress._unauthenticated
        assert unproven.bytes_max == budget.bytes_max // 4
        budget.bytes_max, unproven.bytes_max = 400_000, 100_000
        strangers = [await d.connect() for _ in range(6)]
        for stranger in strangers:
            await stranger.send(request("/webhooks/signed", b"x" * 40_000, {"X-Sig": "00"})[:-1])
        await d.until(lambda: sum(d.requests.values()) == 4)
        refused = d.requests[("signed", "not_accepted")]
        assert (refused, unproven.held, budget.held) == (4, 2 * 39_999, 0)
        slow = await d.connect()
        sent = request(PATH, b'"' + b"x" * 300_000 + b'"', AUTHORIZED)
        await slow.send(sent[:-1])
        await d.until(lambda: budget.held == 300_001)
        await slow.send(sent[-1:])
        assert (await slow.reply()).status == 200
        for stranger in strangers:
            stranger.vanish()
        await d.until(lambda: unproven.held == 0)


async def test_a_reload_changes_both_bounds_of_bodies_in_memory() -> None:
    async with door(settings(sources=SIGNED)) as d:
        d.ingress.reconfigure(settings(sources=SIGNED, server={"max_body": "64MiB"}))
        assert (d.ingress._budget.bytes_max, d.ingress._unauthenticated.bytes_max) == (256 << 20, 64 << 20)


async def test_a_client_that_takes_no_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNREAD_S_MAX", 0.3)
    body = {"filler": "x" * 100_000}
    async with door(settings(responses={"message.read": body})) as d:
        client = await d.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        sending = asyncio.create_task(flood(client))
        await d.until(lambda: d.open == 1)
        await d.until(lambda: d.open == 0)
        sending.cancel()


async def flood(client: Client) -> None:
    """Requests without end, whose answers nobody takes."""
    with contextlib.suppress(ConnectionError):
        while True:
            await client.send(request(PATH, READ, AUTHORIZED) * 10)


async def test_the_sweep_survives_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with door(settings(server={"ack_deadline": "100ms"})) as d:
        monkeypatch.setattr(d.ingress._connections, "sweep", lambda: 1 / 0)
        with capture_logs() as lines:
            await d.until(lambda: lines)
        assert lines[0]["event"] == "request.failed"
        d.journal.mode = "holding"
        assert (await d.post()).status == 503
        d.journal.release()
