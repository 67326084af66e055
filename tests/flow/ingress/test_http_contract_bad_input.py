"""Whatever is sent, the answer is one of the contract's, no traceback anywhere, and the next request is served."""

import asyncio
import random
import re

import pytest

from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, Door, door, request, settings

QUICK = settings(server={"header_timeout": "100ms", "body_timeout": "100ms", "keepalive_timeout": "100ms"})
CONTRACT = {100, 200, 400, 401, 404, 405, 408, 413, 501, 503}
WHOLE = request(f"{PATH}/read?a=b", READ, {**AUTHORIZED, "Content-Type": "application/json", "Expect": "x"})
CHUNKED = WHOLE.split(b"\r\n\r\n", maxsplit=1)[0].replace(
    b"Content-Length: %d" % len(READ), b"Transfer-Encoding: chunked"
) + b"\r\n\r\n5\r\n%s\r\n%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (READ[:5], len(READ) - 5, READ[5:])


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The request with some bytes changed, doubled, left out, or pieces of it swapped."""
    text = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        kind = chance.randrange(5)
        if kind == 0:
            text[at] = chance.randrange(256)
        elif kind == 1:
            del text[at : at + chance.randint(1, 20)]
        elif kind == 2:
            text[at:at] = text[at : at + chance.randint(1, 20)]
        elif kind == 3:
            text[at:at] = chance.choice([b"\r\n", b"\r", b"\n", b"\x00", b"\xff", b"%", b": ", b"\r\n\r\n", b"POST "])
        else:
            other = chance.randrange(len(text))
            text[at : at + 5], text[other : other + 5] = text[other : other + 5], text[at : at + 5]
        if not text:
            return b"\r\n"
    return bytes(text)


async def statuses(d: Door, data: bytes, chance: random.Random) -> list[int]:
    """What is answered to the bytes, sent in random pieces."""
    client = await d.connect()
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(4)))
    try:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            await client.send(data[start:end])
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    got = await client.ended()
    client.close()
    assert got == b"" or got.startswith(b"HTTP/")
    return [int(code) for code in re.findall(rb"^HTTP/\d\.\d (\d{3}) ", got, re.MULTILINE)]


@pytest.mark.parametrize("original", [WHOLE, CHUNKED, WHOLE * 3], ids=["whole", "chunked", "pipelined"])
async def test_mutated_requests_get_answers_of_the_contract(original: bytes) -> None:
    chance = random.Random(len(original))
    async with door(QUICK) as d:
        seen: set[int] = set()
        for _ in range(5):
            answers = await asyncio.gather(*(statuses(d, mutated(original, chance), chance) for _ in range(60)))
            seen.update(*answers)
        assert seen <= CONTRACT
        assert seen >= {200, 400}
        await d.until(lambda: not d.open)
        assert d.ingress._budget.held == 0
        assert (await d.post()).status == 200


@pytest.mark.parametrize("original", [WHOLE, CHUNKED], ids=["whole", "chunked"])
async def test_however_a_request_is_cut_into_pieces_it_is_taken_once(original: bytes) -> None:
    chance = random.Random(1)
    async with door(QUICK) as d:
        answers = await asyncio.gather(*(statuses(d, original, chance) for _ in range(100)))
        assert answers == [[200]] * 100
        assert [entry.body for entry in d.journal.stored] == [READ] * 100


async def test_random_bytes_get_400_or_nothing() -> None:
    chance = random.Random(2)
    async with door(QUICK) as d:
        answers = await asyncio.gather(
            *(statuses(d, chance.randbytes(chance.randint(1, 3000)), chance) for _ in range(60))
        )
        assert {status for each in answers for status in each} <= {400}
        assert not d.journal.submissions


async def test_a_body_of_any_bytes_leaves_exactly_these_bytes() -> None:
    chance = random.Random(3)
    bodies = [chance.randbytes(chance.randint(0, 300)) for _ in range(50)]
    bodies += [b"[" * 100_000, b'"\\ud83d"', b"\xef\xbb\xbf{}", b"null", b'{"a":1e999}', b"1" * 5000, b'{"a":"\x00"}']
    async with door() as d:
        answers = [(await d.post(body=body)).status for body in bodies]
        assert set(answers) <= {200, 400}
        assert [entry.body for entry in d.journal.stored] == bodies
