"""Clients that are slow, many, silent, or that never stop: bounded time, bounded memory, and others served."""

import random
import threading
import time
from collections import Counter

import pytest

from tests.fuzz.cases import MALFORMED, OK
from tests.fuzz.sturdy import Sturdy
from tests.fuzz.talking import BODY, LIMIT_S, Client, Reply, ask, chunk, chunked, request

HEAD = request(BODY).split(b"\r\n\r\n", maxsplit=1)[0]
ENDLESS = {
    "a head that drips": (b"", b"POST / HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 10_000),
    "a body that drips": (HEAD + b"\r\n\r\n", BODY),
    "chunks that drip": (chunked(end=b""), chunk(b" ") * 10_000),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_drips_byte_by_byte_is_cut_off_in_time(bridge: Sturdy, name: str) -> None:
    bridge.newly_kept()
    at_once, slowly = ENDLESS[name]
    started_s = time.monotonic()
    with Client(bridge.port) as client:
        client.say(at_once)
        for byte in slowly:
            if not client.say(bytes([byte])):
                break
            time.sleep(0.02)  # the drip is the scenario
        assert time.monotonic() - started_s < LIMIT_S
        assert client.replies() in ([], [Reply(408, "body-timeout")])
    bridge.has_kept([])


def test_silent_connections_are_closed_and_meanwhile_others_are_served(bridge: Sturdy) -> None:
    clients = [Client(bridge.port) for _ in range(300)]
    for number, client in enumerate(clients):
        client.say((b"", b"POST", HEAD, HEAD + b"\r\n\r\n{")[number % 4])
    assert ask(bridge.port, request()) == [OK]
    heard = Counter(tuple(client.replies()) for client in clients)
    assert heard == {(): 225, (Reply(408, "body-timeout"),): 75}
    for client in clients:
        client.socket.close()


@pytest.mark.parametrize("ends_its_side", [False, True])
def test_a_flood_of_pipelined_requests_is_answered_in_order_and_kept(bridge: Sturdy, ends_its_side: bool) -> None:
    bridge.newly_kept()
    count = 700
    flood = b"".join(request(b"%d" % number) if number % 3 else request(b"{%d" % number) for number in range(count))
    with Client(bridge.port) as client:
        speaking = threading.Thread(target=_say_it_all, args=(client, flood, ends_its_side))
        speaking.start()
        got = client.replies(None if ends_its_side else count)
        speaking.join()
    assert got == [OK if number % 3 else Reply(400, "not-json") for number in range(count)]
    assert bridge.newly_kept() == [b"%d" % number if number % 3 else b"{%d" % number for number in range(count)]


def _say_it_all(client: Client, flood: bytes, ends_its_side: bool) -> None:
    client.say(flood)
    if ends_its_side:
        client.end_of_speech()


def test_who_never_reads_answers_is_held_back_and_costs_no_memory(bridge: Sturdy) -> None:
    with Client(bridge.port) as client:
        client.socket.settimeout(1.0)
        try:
            for _ in range(300):
                client.socket.sendall(request() * 500)
        except TimeoutError:
            pass  # held back
        else:
            pytest.fail("60 MB were taken from someone who reads nothing")
        assert ask(bridge.port, request()) == [OK]


def test_broken_connections_amid_a_request_leave_nothing_but_whole_requests(bridge: Sturdy) -> None:
    bridge.newly_kept()
    whole = request()
    for cut in range(1, len(whole), 7):
        with Client(bridge.port) as client:
            client.say(whole[:cut])
            client.reset()
    assert ask(bridge.port, whole) == [OK]
    bridge.has_kept([BODY])


def test_many_at_once_with_broken_and_good_ones_mixed(bridge: Sturdy) -> None:
    bridge.newly_kept()
    heard: list[list[Reply]] = [[] for _ in range(40)]

    def client(number: int) -> None:
        for turn in range(10):
            sent = request(b"[%d,%d]" % (number, turn)) if turn % 2 else b"\x16\x03garbage\r\n\r\n"
            heard[number] += ask(bridge.port, sent)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(len(heard))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [[MALFORMED, OK] * 5] * len(heard)
    bridge.has_kept(b"[%d,%d]" % (number, turn) for number in range(len(heard)) for turn in range(1, 10, 2))


def test_large_bodies_from_many_stay_within_the_bound(bridge: Sturdy) -> None:
    body = b"[" + b" " * 1_000_000 + b"]"
    threads = [threading.Thread(target=ask, args=(bridge.port, request(body))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in bridge.newly_kept() if each == body]) == 30


H2C = ("Connection: Upgrade", "Upgrade: h2c")
ORIGINALS = (
    request(),
    chunked(chunk(BODY)),
    request(b"{", "Expect: 100-continue"),
    request() * 3,
    request(BODY, *H2C) + request(),
    request(BODY, "Connection: Upgrade", "Upgrade: websocket") + request(),
    request(BODY, "Connection: close") + request(),
    chunked(chunk(BODY[:9]), chunk(BODY[9:]), end=b"0\r\nX-Trailer: 1\r\n\r\n") * 2,
    request(version="HTTP/1.0"),
    request(b"", method="GET", length=False) + request(),
    request(path="http://bridge.test/webhooks/treble?a#b"),
)
PIECES = (
    b"\r\n", b"\r", b"\n", b"\x00", b"\xff", b":", b" ", b"\t", b"0", b"%", b"?", b",", b"\r\n\r\n", b"5\r\n",
    b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: tcp\r\nConnection: upgrade\r\n", b"Content-Encoding: deflate\r\n", b"POST / HTTP/1.1\r\n", b"CONNECT ",
)  # fmt: skip


def mutated(chance: random.Random) -> list[bytes]:
    """A request, or several, with some bytes changed, in a few pieces."""
    text = bytearray(chance.choice(ORIGINALS))
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(text) + 1), chance.randint(1, 30)
        match chance.randrange(5):
            case 0:
                text[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del text[at : at + size]
            case 2:
                text[at:at] = text[at : at + size]
            case _:
                text[at : at + chance.randint(0, 3)] = chance.choice(PIECES)
    cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(4)))
    return [bytes(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@pytest.mark.parametrize("seed", range(3))
def test_mutated_requests_keep_exactly_what_is_answered_as_kept(bridge: Sturdy, seed: int) -> None:
    chance = random.Random(seed)
    bridge.newly_kept()
    heard = [reply for _ in range(300) for reply in ask(bridge.port, *mutated(chance))]
    assert {reply.status for reply in heard} <= {200, 400, 401, 404, 405, 408, 413}
    assert len(bridge.newly_kept()) == sum(reply.kept for reply in heard)
    assert sum(reply.status == 200 for reply in heard) > 20
