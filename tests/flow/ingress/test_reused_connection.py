"""What one request leaves behind on its connection: nothing that the next one is judged by."""

import asyncio

import pytest

from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, TOKEN, Client, door, request

RIGHT, WRONG = f"Authorization: Bearer {TOKEN}".encode(), b"Authorization: Bearer wrong"
GOOD, BARE = request(PATH, READ, AUTHORIZED), request(PATH, READ)


def chunked(path: str = "/nowhere", trailer: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """A request in one chunk; the last line behind it is a trailer, if there is to be one."""
    head, _, _ = request(path, b"", headers).partition(b"\r\n\r\n")
    head = head.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    lines = b"X-First: 1\r\n" + trailer + b"\r\n" if trailer else b""
    return head + b"\r\n\r\n" + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(READ), READ, lines)


async def say(client: Client, sent: bytes, *, pieces: int) -> None:
    """Send it whole, or cut before its last bytes, so that its body is still coming when its head is here."""
    if pieces == 1:
        await client.send(sent)
        return
    await client.send(sent[:-9])
    await asyncio.sleep(0.05)
    await client.send(sent[-9:])


@pytest.mark.parametrize("pieces", [1, 2], ids=["fast path", "slow path"])
@pytest.mark.parametrize(("trailer", "next_one"), [(RIGHT, BARE), (WRONG, GOOD)], ids=["lets in", "keeps out"])
async def test_a_trailer_is_never_a_header_of_the_next_request(trailer: bytes, next_one: bytes, pieces: int) -> None:
    async with door() as d:
        client = await d.connect()
        await say(client, chunked(trailer=trailer), pieces=pieces)
        reply = await client.reply()
        assert (reply.status, reply.headers["Connection"]) == (404, "close")
        assert await client.ended() == b""
        own = await d.ask(next_one)
        assert own.status == (200 if next_one is GOOD else 401)
        assert len(d.journal.stored) == (1 if next_one is GOOD else 0)


@pytest.mark.parametrize("before", [b"", GOOD], ids=["first", "second"])
@pytest.mark.parametrize(("trailer", "behind"), [(RIGHT, BARE), (WRONG, GOOD)], ids=["lets in", "keeps out"])
async def test_what_is_pipelined_behind_a_chunked_request_is_not_read(
    trailer: bytes, behind: bytes, before: bytes
) -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(before + chunked(trailer=trailer) + behind + behind)
        statuses = [(await client.reply()).status for _ in range(2 if before else 1)]
        assert statuses == ([200, 404] if before else [404])
        assert await client.ended() == b""
        assert len(d.journal.stored) == bool(before)
        assert d.requests == {("-", "not_found"): 1} | ({("treble", "accepted"): 1} if before else {})


@pytest.mark.parametrize("pieces", [1, 2], ids=["fast path", "slow path"])
@pytest.mark.parametrize("trailer", [b"", b"X-T: 1"], ids=["no trailer", "trailer"])
async def test_a_chunked_request_is_taken_and_the_last_of_its_connection(trailer: bytes, pieces: int) -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(GOOD)
        assert "Connection" not in (await client.reply()).headers
        await say(client, chunked(PATH, trailer, AUTHORIZED), pieces=pieces)
        reply = await client.reply()
        assert (reply.status, reply.headers["Connection"]) == (200, "close")
        assert await client.ended() == b""
        assert [entry.body for entry in d.journal.stored] == [READ, READ]


@pytest.mark.parametrize("offer", ["Connection: upgrade\r\nUpgrade: tcp", "Connection: upgrade\r\nUpgrade: websocket"])
async def test_a_trailer_behind_an_offer_to_switch_protocols_stays_out_of_the_next_request(offer: str) -> None:
    async with door() as d:
        client = await d.connect()
        first = chunked(trailer=RIGHT).replace(b"Host:", f"{offer}\r\nHost:".encode(), 1)
        await client.send(GOOD + first + BARE)
        assert [(await client.reply()).status for _ in range(2)] == [200, 404]
        assert await client.ended() == b""
        assert len(d.journal.stored) == 1


LARGEST = b"18446744073709551615"  # aiohttp's parser takes this length for none, and then waits for all those bytes


@pytest.mark.parametrize("headers", [AUTHORIZED, {}], ids=["authorized", "not"])
@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("cut", [None, 30, -2], ids=["fast path", "slow path", "end of head apart"])
async def test_a_length_without_bounds_is_too_large_and_ends_the_connection(
    headers: dict[str, str], method: str, cut: int | None
) -> None:
    async with door() as d:
        client = await d.connect()
        sent = request(PATH, b"", headers, method).replace(b"Length: 0", b"Length: " + LARGEST)
        await client.send(sent[:cut])
        if cut:
            await asyncio.sleep(0.05)
            await client.send(sent[cut:])
        reply = await client.reply()
        assert reply.status == (405 if method == "GET" else 413 if headers else 401)
        assert reply.headers["Connection"] == "close"
        assert await client.ended() == b""


async def test_a_length_without_bounds_behind_another_request_ends_the_connection_too() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(GOOD + GOOD.replace(b"Length: %d" % len(READ), b"Length: " + LARGEST) + GOOD)
        assert [(await client.reply()).status for _ in range(2)] == [200, 413]
        assert await client.ended() == b""
        assert len(d.journal.stored) == 1


@pytest.mark.parametrize("pieces", [1, 2], ids=["fast path", "slow path"])
@pytest.mark.parametrize(
    ("offer", "closes"),
    [
        ({"Upgrade": "h2c"}, False),
        ({"Upgrade": "h2c", "Connection": "keep-alive"}, False),
        ({"Upgrade": "h2c", "Connection": "Upgrade"}, True),
        ({"Upgrade": "websocket", "Connection": "upgrade"}, True),
        ({"Connection": "upgrade"}, False),
    ],
    ids=str,
)
async def test_what_offers_another_protocol_is_the_same_in_one_piece_and_in_two(
    offer: dict[str, str], closes: bool, pieces: int
) -> None:
    async with door() as d:
        client = await d.connect()
        await say(client, request(PATH, READ, AUTHORIZED | offer), pieces=pieces)
        reply = await client.reply()
        assert (reply.status, reply.headers.get("Connection")) == (200, "close" if closes else None)
        if not closes:
            await client.send(GOOD)
            assert (await client.reply()).status == 200
        else:
            assert await client.ended() == b""
