"""The answers of the ingress, and the order of the checks behind them."""

import asyncio

import pytest
from structlog.testing import capture_logs

from bridge.auth import REASONS
from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, door, request, settings

WRONG = {"Authorization": "Bearer wrong"}
HUGE = {"Content-Length": str(1 << 40)}


async def test_a_webhook_is_answered_200_with_an_empty_object_and_is_in_the_journal_as_it_came() -> None:
    async with door(clock_ms=lambda: 1_700_000_000_123) as d:
        reply = await d.post(f"{PATH}/read", headers={**AUTHORIZED, "Content-Type": "application/json"})
        assert (reply.status, reply.headers["Content-Type"], reply.body) == (200, "application/json", b"{}")
        assert reply.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        (entry,) = d.journal.stored
        assert (entry.source, entry.hint, entry.body, entry.received_at_ms) == (
            "treble",
            "read",
            READ,
            1_700_000_000_123,
        )
        assert d.requests == {("treble", "accepted"): 1}


async def test_a_body_in_pieces_is_answered_like_one_in_one_piece() -> None:
    async with door() as d:
        whole = await d.post()
        client = await d.connect()
        data = request(f"{PATH}/read", READ, AUTHORIZED)
        for piece in (data[:20], data[20 : -len(READ)], READ[:7], READ[7:]):
            await client.send(piece)
            await asyncio.sleep(0.01)  # most likely a packet of its own; the assertion holds either way
        pieces = await client.reply()
        assert (pieces.status, pieces.body) == (whole.status, whole.body)
        assert set(pieces.headers) == set(whole.headers)
        assert [entry.body for entry in d.journal.stored] == [READ, READ]


async def test_a_connection_is_kept_for_the_next_request_and_pipelined_requests_are_answered_in_order() -> None:
    async with door() as d:
        client = await d.connect()
        for count in (1, 1, 3, 1, 50):
            await client.send(b"".join(request(f"{PATH}/read", b'{"n":%d}' % n, AUTHORIZED) for n in range(count)))
            assert [(await client.reply()).status for _ in range(count)] == [200] * count
        assert [entry.body for entry in d.journal.stored[-50:]] == [b'{"n":%d}' % n for n in range(50)]


async def test_requests_that_arrive_while_an_answer_waits_for_the_journal_are_answered_after_it() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(request(PATH, b"{}", AUTHORIZED))
        assert (await client.reply()).status == 200  # from now on the connection is at rest before each request
        d.journal.mode = "holding"
        await client.send(request(PATH, b'{"n":1}', AUTHORIZED))
        await d.until(lambda: d.journal.held)
        d.journal.mode = "taking"
        await client.send(request(PATH, b'{"n":2}', WRONG) + request(PATH, b'{"n":3}', AUTHORIZED))
        await asyncio.sleep(0.05)
        assert len(d.journal.submissions) == 2, "the second waits for the first"
        d.journal.release()
        assert [(await client.reply()).status for _ in range(3)] == [200, 401, 200]


ORDER = [
    # what is wrong with the request → which of it is told
    ("path and token", "POST", "/elsewhere", {**WRONG, **HUGE}, 404, "not-found"),
    ("path and method", "GET", "/elsewhere", {}, 404, "not-found"),
    ("two segments after the path", "POST", f"{PATH}/read/more", AUTHORIZED, 404, "not-found"),
    ("method and token", "PUT", f"{PATH}/read", {**WRONG, **HUGE}, 405, "method-not-allowed"),
    ("token and size", "POST", f"{PATH}/read", {**WRONG, **HUGE}, 401, "unauthorized"),
    ("no token, and size", "POST", PATH, HUGE, 401, "unauthorized"),
    ("size", "POST", PATH, {**AUTHORIZED, **HUGE}, 413, "too-large"),
    ("size by one byte", "POST", PATH, {**AUTHORIZED, "Content-Length": str((1 << 20) + 1)}, 413, "too-large"),
]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "problem"), [row[1:] for row in ORDER], ids=lambda _: ""
)
async def test_the_first_check_that_fails_decides_and_nothing_is_read(
    method: str, path: str, headers: dict[str, str], status: int, problem: str
) -> None:
    async with door() as d:
        client = await d.connect()
        lines = [f"{method} {path} HTTP/1.1", "Host: bridge.test", *(f"{n}: {v}" for n, v in headers.items())]
        await client.send("\r\n".join([*lines, "\r\n"]).encode())  # a body is announced, and never sent
        reply = await client.reply()
        assert (reply.status, reply.problem) == (status, problem)
        if "Content-Length" in headers:
            assert reply.headers["Connection"] == "close"
            assert await client.ended() == b""
        assert not d.journal.submissions


@pytest.mark.parametrize(
    ("status", "headers", "body"), [(401, WRONG, b"{}"), (401, WRONG, b"no json"), (400, AUTHORIZED, b"no json")]
)
async def test_credentials_come_before_json(status: int, headers: dict[str, str], body: bytes) -> None:
    async with door() as d:
        assert (await d.post(body=body, headers=headers)).status == status
        assert len(d.journal.stored) == (status == 400)


async def test_a_signature_needs_the_bytes_so_their_size_is_checked_before_it() -> None:
    auth = [{"hmac": {"header": "X-Signature", "secret": "secret"}}]
    async with door(settings(auth=auth, server={"max_body": 100})) as d:
        assert (await d.post(body=b"x" * 101, headers={"X-Signature": "00"})).status == 413
        assert (await d.post(body=b"x" * 101, headers={})).status == 401, "nothing that could hold was sent"
        assert (await d.post(body=b"x" * 100, headers={"X-Signature": "00"})).status == 401
        assert not d.journal.submissions


async def test_405_names_the_method_and_head_gets_no_body() -> None:
    async with door() as d:
        for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
            reply = await d.ask(request(PATH, headers=AUTHORIZED, method=method))
            assert (reply.status, reply.headers["Allow"], reply.problem) == (405, "POST", "method-not-allowed")
        client = await d.connect()
        await client.send(request(PATH, method="HEAD") + request(PATH, headers=AUTHORIZED, method="GET"))
        assert (await client.reply(head_only=True)).status == 405
        assert (await client.reply()).json["status"] == 405, "what follows the head is the next answer"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        (PATH, ""),
        (f"{PATH}/", ""),
        (f"{PATH}/read", "read"),
        (f"{PATH}/read/", "read"),
        (f"{PATH}/session-close", "session-close"),
        (f"{PATH}/raed", "raed"),
        (f"{PATH}/Raed.", "Raed."),
        (f"{PATH}/Session-Close", "session-close"),
        (f"{PATH}/SESSION_CLOSE", "session-close"),
        (f"{PATH}/session%20close", "session-close"),
        (f"{PATH}/Read%0A", "read"),
        (f"{PATH}/read%0D%0A", "read"),
        (f"{PATH}/read%20", "read"),
        (f"{PATH}/%C2%A0read%E2%80%8B", "read"),
        (f"{PATH}/read...", "read"),
        (f"{PATH}/read./", "read"),
        (f"{PATH}/read%2F", "read"),
        (f"{PATH}/%22read%22,", "read"),
        (f"{PATH}//read", "read"),
        (f"{PATH}///READ///", "read"),
        (f"{PATH}/read/%20", "read"),
        ("//webhooks//treble//read", "read"),
        ("//webhooks/treble", ""),
        (f"{PATH}%0A", ""),
        (f"{PATH}.", ""),
        (f"{PATH}%20/read", "read"),
        (f"http://bridge.test/{PATH}//Read", "read"),
        (f"{PATH}/" + "_" * 16_000 + "x", "_" * 64),
        (f"{PATH}/%72ead", "read"),
        (f"{PATH}/a%2Fb%20c", "a_b_c"),
        (f"{PATH}/" + "x" * 100, "x" * 64),
        (f"{PATH}/read?utm=1&x=%00#fragment", "read"),
        ("/webhooks/%74reble/read", "read"),
        (f"http://bridge.test{PATH}/read", "read"),
    ],
)
async def test_a_configured_path_takes_any_hint(path: str, hint: str) -> None:
    async with door() as d:
        assert (await d.post(path)).status == 200
        assert d.journal.stored[0].hint == hint


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks",
        "/webhooks/other",
        f"{PATH}s//read",
        f"/x{PATH}",
        "*",
        f"{PATH}/a/b/c",
        "//",
        f"{PATH}//a//b",
        "/Webhooks/treble",
    ],
)
async def test_other_paths_are_not_found(path: str) -> None:
    async with door() as d:
        reply = await d.post(path)
        assert (reply.status, d.journal.submissions) in ((404, []), (400, []))


async def test_sources_have_paths_and_credentials_of_their_own() -> None:
    sources = {
        "one": {"path": "/in", "auth": [{"bearer": "first-token"}]},
        "two": {"path": "/of/two", "auth": [{"bearer": "second-token"}]},
        "three": {"auth": "none"},
    }
    async with door(settings(sources=sources)) as d:
        first, second = {"Authorization": "bearer first-token"}, {"Authorization": "BEARER second-token"}
        assert (await d.post("/in/delivered", headers=first)).status == 200
        assert (await d.post("/in/delivered", headers=second)).status == 401
        assert (await d.post("/of/two", headers=second)).status == 200
        assert (await d.post("/of/two", headers=first)).status == 401
        assert (await d.post("/of", headers=first)).status == 404
        assert (await d.post("/webhooks/three/timeout", headers={})).status == 200
        assert [(entry.source, entry.hint) for entry in d.journal.stored] == [
            ("one", "delivered"),
            ("two", ""),
            ("three", "timeout"),
        ]


async def test_the_answer_of_an_event_type_can_be_configured() -> None:
    body = {"user_session_keys": [{"key": "seen", "value": "yes"}]}
    async with door(settings(responses={"message.read": body})) as d:
        reply = await d.post()
        assert (reply.status, reply.headers["Content-Type"], reply.json) == (200, "application/json", body)
        assert (await d.post(body=b'{"session_id":"s","delivered_at":"2026-06-22 15:19:08"}')).body == b"{}"
        assert (await d.post(body=b"[]", path=PATH)).body == b"{}", "well-formed JSON of any shape is accepted"
        assert (await d.post(body=b"no json")).status == 400


async def test_what_helps_to_trace_a_request_is_kept_and_nothing_that_proves_who_called() -> None:
    auth = [{"bearer": "a-token", "header": {"name": "X-Request-Id", "value": "secret-in-an-odd-place"}}]
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {
        "Authorization": "Bearer a-token",
        "X-Request-Id": "secret-in-an-odd-place",
        "Content-Type": "application/json",
        "User-Agent": "Treble/1 \udce9",  # a byte that is not UTF-8
        "Traceparent": trace,
        "Tracestate": "v=" + "x" * 1000,
        "Cookie": "session=1",
    }
    async with door(settings(auth=auth)) as d:
        assert (await d.post(headers=headers)).status == 200
        kept = d.journal.stored[0].headers
        assert b"secret" not in kept
        assert b"a-token" not in kept
        assert b'"traceparent":"%s"' % trace.encode() in kept
        assert '"user-agent":"Treble/1 \ufffd"'.encode() in kept
        assert b'"tracestate":"v=%s"' % (b"x" * 510) in kept
        assert b"cookie" not in kept
        await d.post(headers={"Authorization": "Bearer a-token", "X-Request-Id": "secret-in-an-odd-place"})
        assert d.journal.stored[1].headers == b""


async def test_above_the_rate_of_a_source_the_answer_is_429_and_other_sources_go_on() -> None:
    sources = {
        "slow": {"auth": [{"bearer": "a-token"}], "rate_limit": {"rate": "6/m", "burst": 3}},
        "free": {"auth": [{"bearer": "a-token"}]},
    }
    headers = {"Authorization": "Bearer a-token"}
    async with door(settings(sources=sources)) as d:
        for _ in range(5):
            assert (await d.post("/webhooks/slow", headers=WRONG)).status == 401, "strangers take no tokens"
        replies = [await d.post("/webhooks/slow", headers=headers) for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        assert replies[3].problem == "rate-limited"
        assert 1 <= int(replies[3].headers["Retry-After"]) <= 10
        assert (await d.post("/webhooks/free", headers=headers)).status == 200
        assert len(d.journal.stored) == 4


async def test_what_nobody_else_tells_of_is_a_line_by_reason_once_in_a_while() -> None:
    async with door(settings(server={"max_body": 100})) as d:
        with capture_logs() as lines:
            for _ in range(3):
                await d.post("/webhooks/trebel/read")
                await d.ask(request(PATH, method="GET"))
                await d.post(body=b"x" * 101)
                await d.ask(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + request(PATH, READ, AUTHORIZED))
                await d.ask(b"POST / HTTP/1.1\r\n\r\n")
                await d.post(body=b"no json")
        assert {line["event"] for line in lines} == {"request.refused"}
        assert [(line["source"], line["reason"], line.get("path")) for line in lines] == [
            ("-", "not_found", "/webhooks/***/***"),
            ("treble", "method_not_allowed", PATH),
            ("treble", "too_large", f"{PATH}/read"),
            ("-", "proxy_protocol", None),
            ("-", "malformed", None),
        ]
        assert d.requests["-", "proxy_protocol"] == d.requests["-", "not_found"] == 3


async def test_every_refusal_is_counted_under_a_bounded_word() -> None:
    async with door() as d:
        await d.post("/secret-path-of-someone")
        await d.ask(request(PATH, method="GET"))
        await d.post(headers=WRONG)
        await d.post(body=b"no json")
        assert d.requests == {
            ("-", "not_found"): 1,
            ("treble", "method_not_allowed"): 1,
            ("treble", "unauthorized"): 1,
            ("treble", "not_json"): 1,
        }
        assert set(REASONS) >= {"missing", "wrong"}
