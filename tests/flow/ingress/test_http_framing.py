"""Where a request ends, and for whom it is: what HTTP says on it holds, however several requests come in one piece."""

import asyncio
import gzip
import hashlib
import hmac
import zlib

import pytest

from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, TOKEN, Client, Door, door, request, settings

GOOD = request(f"{PATH}/read", READ, AUTHORIZED)
CLOSING = request(f"{PATH}/read", READ, {**AUTHORIZED, "Connection": "close"})
JUNK = [b"junk\r\n\r\n", b"\0", b"\x16\x03\x01", b"POST / HTTP/1.1\r\nNo Colon\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"]


def post(*lines: str, host: str | None = "bridge.test", version: str = "1.1") -> bytes:
    first = [f"POST {PATH}/read HTTP/{version}", f"Authorization: Bearer {TOKEN}"]
    return "\r\n".join([*first, *([] if host is None else [f"Host: {host}"]), *lines, "\r\n"]).encode()


def in_one_chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


async def statuses(d: Door, *pieces: bytes) -> list[int]:
    """What is answered until the connection ends."""
    client = await d.connect()
    for piece in pieces:
        await client.send(piece)
        await asyncio.sleep(0.02)
    answers = (await client.ended()).split(b"HTTP/1.1 ")
    assert answers[0] == b""
    return [int(answer[:3]) for answer in answers[1:]]


@pytest.mark.parametrize("cut", [None, 10, len(GOOD) - 5], ids=["one piece", "amid the head", "amid the body"])
@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("count", [1, 2, 3, 70])
async def test_what_is_complete_is_served_whatever_follows_it(count: int, junk: bytes, cut: int | None) -> None:
    async with door() as d:
        sent = GOOD * count + junk
        assert await statuses(d, *([sent] if cut is None else [sent[:cut], sent[cut:]])) == [200] * count + [400]
        assert len(d.journal.stored) == count


async def test_what_is_complete_is_served_behind_a_refusal_too() -> None:
    async with door() as d:
        sent = request("/nowhere", method="GET") + GOOD + request(PATH, READ) + GOOD + JUNK[0]
        assert await statuses(d, sent) == [404, 200, 401, 200, 400]


@pytest.mark.parametrize("behind", [GOOD, GOOD * 3, *JUNK, GOOD * 100], ids=lambda sent: f"{len(sent)} bytes")
@pytest.mark.parametrize("before", [b"", GOOD], ids=["first", "second"])
@pytest.mark.parametrize("cut", [None, 10, -5], ids=["one piece", "amid the head", "amid the body"])
async def test_behind_a_request_that_closes_the_connection_nothing_is_read(
    before: bytes, behind: bytes, cut: int | None
) -> None:
    async with door() as d:
        at = len(before) + (len(CLOSING) + cut if cut is not None and cut < 0 else cut or 0)
        sent = before + CLOSING + behind
        client = await d.connect()
        for piece in [sent] if cut is None else [sent[:at], sent[at:]]:
            await client.send(piece)
            await asyncio.sleep(0.02)
        assert [(await client.reply()).status for _ in range(2 if before else 1)] == ([200, 200] if before else [200])
        assert await client.ended() == b""
        assert len(d.journal.stored) == (2 if before else 1)


@pytest.mark.parametrize(
    "host", ["bridge.test", "bridge.test:8080", "BRIDGE", "a_b.c-d.", "192.0.2.1:80", "[::1]:80", ""]
)
async def test_a_host_is_a_name_or_an_address_with_a_port_perhaps(host: str) -> None:
    async with door() as d:
        assert (await d.ask(post(f"Content-Length: {len(READ)}", host=host) + READ)).status == 200


@pytest.mark.parametrize("pieces", [1, 2], ids=["fast path", "slow path"])
@pytest.mark.parametrize(
    "host",
    [
        "me@bridge.test",
        "@b",
        "a b",
        "a,b",
        "a:b",
        "a:1:2",
        ":80",
        "http://a",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "[::1",
        "é",
        "%zz",
    ],
)
async def test_a_host_that_is_none_is_400_and_the_end_of_the_connection(host: str, pieces: int) -> None:
    async with door() as d:
        sent = post(f"Content-Length: {len(READ)}", host=host) + READ
        assert await statuses(d, *([sent] if pieces == 1 else [sent[:-5], sent[-5:]])) == [400]
        assert not d.journal.submissions
        assert d.requests == {("-", "malformed"): 1}


@pytest.mark.parametrize(
    "lines",
    [
        ["Transfer-Encoding: ", "Content-Length: 2"],
        ["Content-Length: 2", "Transfer-Encoding: "],
        ["Transfer-Encoding:\t", "Content-Length: 2"],
        ["Transfer-Encoding: ,", "Content-Length: 2"],
        ["Transfer-Encoding: identity", "Content-Length: 2"],
        ["Transfer-Encoding: gzip", "Content-Length: 2"],
        ["Transfer-Encoding: gzip, chunked", "Content-Length: 2"],
        ["Transfer-Encoding: chunked, gzip"],
    ],
)
async def test_a_transfer_encoding_that_tells_no_end_is_400(lines: list[str]) -> None:
    async with door() as d:
        assert await statuses(d, post(*lines) + b"{}") == [400]
        assert not d.journal.submissions


async def test_http_1_0_has_no_chunked_bodies() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(post("Transfer-Encoding: chunked", version="1.0") + in_one_chunk(READ))
        assert (await client.reply()).problem == "malformed-request"
        assert await client.ended() == b""


@pytest.mark.parametrize("length", ["0" * 4299 + str(len(READ)), "0" * 5000, "0" * 30 + "1"])
@pytest.mark.parametrize("pieces", [1, 2], ids=["fast path", "slow path"])
async def test_a_length_of_thousands_of_digits_is_refused_without_a_traceback(length: str, pieces: int) -> None:
    async with door() as d:
        client = await d.connect()
        head = post(f"Content-Length: {length}")
        for piece in [head + READ] if pieces == 1 else [head, READ]:
            await client.send(piece)
            await asyncio.sleep(0.02)
        assert (await client.reply()).problem == "too-large"
        assert not d.journal.submissions


@pytest.mark.parametrize(
    "bad", [b"POST / HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"x\r\n\r\n"]
)
async def test_a_head_that_cant_be_read_is_answered_in_http_1_1(bad: bytes) -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(bad)
        assert (await client.ended()).startswith(b"HTTP/1.1 400 Bad Request\r\n")


UNDONE = [
    ("gzip, chunked", gzip.compress(READ, mtime=0)),
    ("GZIP,Chunked", gzip.compress(READ, mtime=0)),
    ("x-gzip , chunked", gzip.compress(READ, mtime=0)),
    ("deflate, chunked", zlib.compress(READ)),
    ("identity, chunked", READ),
    (", chunked", READ),
]


async def ask(d: Door, coding: str, body: bytes, pieces: int, *more: str) -> Client:
    client = await d.connect()
    sent = post(f"Transfer-Encoding: {coding}", *more) + in_one_chunk(body)
    for piece in [sent] if pieces == 1 else [sent[:-9], sent[-9:]]:
        await client.send(piece)
        await asyncio.sleep(0.02)
    return client


@pytest.mark.parametrize("pieces", [1, 2], ids=["fast path", "slow path"])
@pytest.mark.parametrize(("coding", "body"), UNDONE)
async def test_a_transfer_coding_is_undone(coding: str, body: bytes, pieces: int) -> None:
    async with door() as d:
        client = await ask(d, coding, body, pieces)
        assert (await client.reply()).status == 200
        assert await client.ended() == b""
        assert [(entry.body, entry.headers) for entry in d.journal.stored] == [(READ, b"")]


async def test_a_transfer_coding_is_undone_before_a_content_coding_and_before_a_signature() -> None:
    zipped = gzip.compress(READ, mtime=0)
    signed = hmac.new(b"secret", zipped, hashlib.sha256).hexdigest()
    async with door(settings(auth=[{"hmac": {"header": "X-Signature", "secret": "secret"}}])) as d:
        headers = ["Content-Encoding: gzip", f"X-Signature: {signed}"]
        client = await ask(d, "gzip, chunked", gzip.compress(zipped, mtime=0), 1, *headers)
        assert (await client.reply()).status == 200
        assert [entry.body for entry in d.journal.stored] == [READ]


@pytest.mark.parametrize(
    ("coding", "body"),
    [("br, chunked", READ), ("gzip, gzip, chunked", READ), ("gzip;q=1, chunked", READ), ("gzip, chunked", b"no gzip")],
)
async def test_a_transfer_coding_that_cant_be_undone_is_501(coding: str, body: bytes) -> None:
    async with door() as d:
        client = await ask(d, coding, body, 1)
        reply = await client.reply()
        assert (reply.status, reply.problem) == (501, "not-implemented")
        assert await client.ended() == b""
        assert not d.journal.submissions


async def test_a_transfer_coding_is_undone_within_the_bound_of_bodies() -> None:
    async with door(settings(server={"max_body": 1000})) as d:
        client = await ask(d, "gzip, chunked", gzip.compress(b"1" * 400_000), 1)
        assert (await client.reply()).status == 413
        client = await ask(d, "gzip, chunked", gzip.compress(b"1" * 1000), 1)
        assert (await client.reply()).status == 200
