"""How a body may come: chunked, compressed, announced by Expect; and its bounds in each of these ways."""

import asyncio
import gzip
import zlib

import orjson
import pytest

from bridge.transform.prepare import Preparer
from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, TOKEN, Door, door, request, settings

SMALL = settings(server={"max_body": 1000})


def head(*lines: str, path: str = PATH, token: str = TOKEN) -> bytes:
    first = [f"POST {path} HTTP/1.1", "Host: bridge.test", f"Authorization: Bearer {token}"]
    return "\r\n".join([*first, *lines, "\r\n"]).encode()


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


async def test_a_chunked_body_is_taken() -> None:
    async with door() as d:
        for pieces in ([READ], [READ[:5], READ[5:]], [bytes([byte]) for byte in READ]):
            reply = await d.ask(head("Transfer-Encoding: chunked") + chunked(*pieces))
            assert reply.status == 200
        assert [entry.body for entry in d.journal.stored] == [READ] * 3


async def test_a_chunked_body_above_the_bound_is_413_as_soon_as_that_shows() -> None:
    async with door(SMALL) as d:
        client = await d.connect()
        await client.send(head("Transfer-Encoding: chunked") + chunked(b"x" * 600, b"y" * 600, end=b""))
        reply = await client.reply()  # although the body has no end yet
        assert (reply.status, reply.problem, reply.headers["Connection"]) == (413, "too-large", "close")
        assert await client.ended() == b""
        assert (await d.ask(head("Transfer-Encoding: chunked") + chunked(b"x" * 1001))).status == 413
        assert (await d.ask(head("Transfer-Encoding: chunked") + chunked(b"x" * 1000))).status == 400
        assert [len(entry.body) for entry in d.journal.stored] == [1000]


@pytest.mark.parametrize("broken", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}oops\r\n", b"-2\r\n{}\r\n0\r\n\r\n"])
async def test_broken_chunks_are_400_and_nothing_is_stored(broken: bytes) -> None:
    async with door() as d:
        for whole in (True, False):
            client = await d.connect()
            await client.send(head("Transfer-Encoding: chunked") + (broken if whole else b""))
            if not whole:
                await d.until(lambda: d.in_flight)
                await client.send(broken)
            reply = await client.reply()
            assert (reply.status, reply.problem) == (400, "malformed-request")
            assert await client.ended() == b""
        assert not d.journal.submissions


async def test_100_continue_is_said_once_the_credentials_hold_and_the_size_fits() -> None:
    async with door(SMALL) as d:
        client = await d.connect()
        for _ in range(2):
            await client.send(head("Expect: 100-continue", f"Content-Length: {len(READ)}"))
            assert (await client.reply()).status == 100
            await client.send(READ)
            assert (await client.reply()).status == 200
        assert [entry.body for entry in d.journal.stored] == [READ] * 2


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head("Expect: 100-continue", "Content-Length: 2", token="wrong"), 401),
        (head("Expect: 100-continue", "Content-Length: 2", path="/elsewhere"), 404),
        (head("Expect: 100-continue", "Content-Length: 1001"), 413),
        (head("Expect: 100-continue", "Transfer-Encoding: chunked", token="wrong"), 401),
    ],
)
async def test_who_waits_for_100_continue_and_may_not_go_on_gets_the_refusal_at_once(data: bytes, status: int) -> None:
    async with door(SMALL) as d:
        client = await d.connect()
        await client.send(data)
        assert (await client.reply()).status == status
        assert await client.ended() == b""


async def test_who_does_not_wait_is_not_told_to_continue() -> None:
    async with door() as d:
        reply = await d.ask(head("Expect: 100-continue", f"Content-Length: {len(READ)}") + READ)
        assert reply.status == 200


def zipped(body: bytes) -> bytes:
    """Compressed without the time: the names of tests have these bytes in them."""
    return gzip.compress(body, mtime=0)


CODED = [
    ("gzip", zipped(READ)),
    ("GZIP", zipped(READ[:5]) + zipped(READ[5:])),
    ("x-gzip", zipped(READ)),
    ("deflate", zlib.compress(READ)),
    ("deflate", zlib.compress(READ, wbits=-15)),
    ("identity", READ),
    ("gzip, identity", zipped(READ)),
    ("Identity,deflate ,", zlib.compress(READ)),
    ("gzip\r\nContent-Encoding: identity", zipped(READ)),
]


@pytest.mark.parametrize(("coding", "body"), CODED)
async def test_a_compressed_body_is_kept_as_the_json_that_it_holds(coding: str, body: bytes) -> None:
    async with door() as d:
        assert (await d.post(body=body, headers={**AUTHORIZED, "Content-Encoding": coding})).status == 200
        assert d.journal.stored[0].body == READ


UNREADABLE = [
    ("gzip", b"\x1f\x8b not really"),
    ("gzip", zipped(READ)[:-12]),
    ("gzip", zipped(READ) + b"and more"),
    ("gzip", zipped(b"") * 20),
    ("deflate", zlib.compress(READ) + b"x"),
    ("deflate", b""),
    ("br", b"\x0b\x02\x80{}\x03"),
    ("gzip, br", zipped(READ)),
    ("gzip\r\nContent-Encoding: br", zipped(READ)),
    ("zstd", b"\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00{}\xef\x46\xdb\x37"),
    ("gzip, gzip", zipped(zipped(READ))),
]


@pytest.mark.parametrize(("coding", "body"), UNREADABLE)
async def test_a_coding_that_cant_be_undone_is_not_json_and_kept_as_it_came(coding: str, body: bytes) -> None:
    async with door() as d:
        reply = await d.post(body=body, headers={**AUTHORIZED, "Content-Encoding": coding})
        assert (reply.status, reply.problem) == (400, "not-json")
        assert [entry.body for entry in d.journal.stored] == [body]
        kept = orjson.loads(d.journal.stored[0].headers)
        assert kept == {"content-encoding": coding.replace("\r\nContent-Encoding:", ",")}
        assert fate(d) == ("quarantined", "not_json")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "br", "gzip, gzip"])
async def test_json_under_a_coding_that_it_does_not_have_is_answered_as_what_it_is(coding: str) -> None:
    async with door() as d:
        assert (await d.post(body=READ, headers={**AUTHORIZED, "Content-Encoding": coding})).status == 200
        assert d.journal.stored[0].body == READ
        assert fate(d) == ("forwarded", "")


@pytest.mark.parametrize(
    ("levels", "status", "reason"), [(300, 200, "invalid"), (1000, 200, "invalid"), (2000, 400, "not_json")]
)
async def test_json_of_any_depth_is_kept_and_taken_down_to_1024_levels(levels: int, status: int, reason: str) -> None:
    body = READ[:-1] + b',"z":' + b"[" * levels + b"]" * levels + b"}"
    async with door() as d:
        assert (await d.post(body=body)).status == status
        assert [entry.body for entry in d.journal.stored] == [body]
        assert (await d.post(body=body[:-1])).status == 400
        assert fate(d) == ("quarantined", reason)


def fate(d: Door) -> tuple[str, str]:
    """What becomes of the first entry that was stored."""
    found = Preparer(settings(), "j").prepare(d.journal.stored[0]._replace(id=1))
    return found.outcome, found.reason


async def test_a_small_body_that_inflates_above_the_bound_is_413() -> None:
    async with door(SMALL) as d:
        bomb = zipped(b"0" * 400_000)
        assert len(bomb) < 1000
        headers = {**AUTHORIZED, "Content-Encoding": "gzip"}
        assert (await d.post(body=bomb, headers=headers)).status == 413
        assert (await d.post(body=zipped(b"1" * 1001), headers=headers)).status == 413
        assert (await d.post(body=zipped(b"1" * 1000), headers=headers)).status == 200
        assert len(d.journal.stored) == 1


async def test_a_large_body_in_many_pieces_is_taken_up_to_the_bound() -> None:
    async with door() as d:
        body = b'"' + b"x" * ((1 << 20) - 2) + b'"'
        client = await d.connect()
        await client.send(request(PATH, b"", AUTHORIZED).replace(b"Content-Length: 0", b"Content-Length: 1048576"))
        for start in range(0, len(body), 100_000):
            await client.send(body[start : start + 100_000])
            await asyncio.sleep(0)
        assert (await client.reply()).status == 200
        assert d.journal.stored[0].body == body
