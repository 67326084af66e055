"""200 means stable storage: nothing else is answered with it, and what can't be stored now is answered 503."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from bridge.errors import JournalFailedError
from bridge.ingress import checks
from tests.fakes.journal import FakeJournal, Mode
from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, Client, Door, door, request, settings

PATIENT = settings(server={"ack_deadline": "4500ms"})
HASTY = settings(server={"ack_deadline": "100ms"})


async def in_pieces(client: Client, body: bytes = READ) -> None:
    """A POST whose body comes later, so that it takes the slow path."""
    data = request(f"{PATH}/read", body, AUTHORIZED)
    await client.send(data[: -len(body)])
    await asyncio.sleep(0.02)
    await client.send(body)


async def at_once(client: Client, body: bytes = READ) -> None:
    """A POST in one piece."""
    await client.send(request(f"{PATH}/read", body, AUTHORIZED))


Way = Callable[..., Awaitable[None]]
WAYS = pytest.mark.parametrize("way", [at_once, in_pieces])


@WAYS
async def test_the_200_waits_for_the_confirmation_of_the_journal(way: Way) -> None:
    journal = FakeJournal()
    journal.mode = "holding"
    async with door(PATIENT, journal) as d:
        client = await d.connect()
        await way(client)
        await d.until(lambda: journal.held)
        answer = asyncio.create_task(client.reply())
        await asyncio.sleep(0.05)
        assert not answer.done()
        journal.release()
        assert (await answer).status == 200


@WAYS
@pytest.mark.parametrize("body", [b"", b"no json", b"\xff\xfe", b'{"a":undefined}', b'{"a":1'])
async def test_an_authentic_body_that_is_not_json_is_stored_before_it_is_answered_400(way: Way, body: bytes) -> None:
    async with door(PATIENT) as d:
        d.journal.mode = "holding"
        client = await d.connect()
        await way(client, body or b" ")
        await d.until(lambda: d.journal.held)
        d.journal.release()
        reply = await client.reply()
        assert (reply.status, reply.problem) == (400, "not-json")
        assert [entry.body for entry in d.journal.stored] == [body or b" "]


async def test_a_post_without_any_body_is_not_json_and_kept() -> None:
    async with door() as d:
        reply = await d.ask(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZED['Authorization']}\r\n\r\n".encode()
        )
        assert (reply.status, [entry.body for entry in d.journal.stored]) == (400, [b""])


@WAYS
@pytest.mark.parametrize("body", [READ, b"no json"])
@pytest.mark.parametrize("mode", ["full", "failing", "odd"])
async def test_what_the_journal_cant_take_is_answered_503_without_the_reason(way: Way, body: bytes, mode: Mode) -> None:
    async with door() as d:
        d.journal.mode = mode
        with capture_logs() as lines:
            client = await d.connect()
            await way(client, body)
            reply = await client.reply()
        assert (reply.status, reply.problem) == (503, "not-accepted")
        assert int(reply.headers["Retry-After"]) >= 1
        assert b"hunter2" not in reply.body
        assert "hunter2" not in str([{**line, "exc_info": ""} for line in lines])
        reasons = {"full": "journal_full", "failing": "journal_failed", "odd": "unforeseen_error"}
        assert reasons[mode] in [line.get("reason") for line in lines]
        assert d.requests == {("treble", "not_accepted"): 1}
        d.journal.mode = "taking"
        await way(client)
        assert (await client.reply()).status == 200, "the connection and the ingress go on"


@WAYS
async def test_a_mistake_of_ours_is_answered_503_and_told_in_the_log(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> None:
        raise ZeroDivisionError("hunter2")

    async with door() as d:
        with monkeypatch.context() as patched, capture_logs() as lines:
            patched.setattr(checks, "decode", broken)
            client = await d.connect()
            await way(client)
            reply = await client.reply()
        assert (reply.status, reply.problem) == (503, "not-accepted")
        assert b"hunter2" not in reply.body
        assert "request.failed" in [line["event"] for line in lines]
        assert not d.journal.submissions
        assert (await d.post()).status == 200


@WAYS
async def test_without_a_confirmation_in_time_the_answer_is_503_and_the_entry_may_still_be_stored(way: Way) -> None:
    async with door(HASTY) as d:
        d.journal.mode = "holding"
        client = await d.connect()
        await way(client)
        reply = await client.reply()
        assert (reply.status, reply.problem) == (503, "not-accepted")
        assert d.journal.held == 1, "the journal's work is not cancelled"
        d.journal.release()  # FakeJournal checks that its future is not cancelled
        d.journal.mode = "taking"
        await way(client)
        assert (await client.reply()).status == 200
        assert len(d.journal.stored) == 2


async def test_a_failure_after_the_deadline_disturbs_nobody() -> None:
    async with door(HASTY) as d:
        d.journal.mode = "holding"
        assert (await d.post()).status == 503
        d.journal.release(JournalFailedError("late"))
        d.journal.mode = "taking"
        assert (await d.post()).status == 200


@WAYS
async def test_a_client_that_goes_away_does_not_take_its_entry_with_it(way: Way) -> None:
    async with door(PATIENT) as d:
        d.journal.mode = "holding"
        client = await d.connect()
        await way(client)
        await d.until(lambda: d.journal.held)
        client.vanish()
        await d.until(lambda: not d.open)
        d.journal.release()
        assert len(d.journal.stored) == 1
        d.journal.mode = "taking"
        assert (await d.post()).status == 200


async def test_a_client_that_goes_away_amid_its_body_leaves_nothing() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED)[:-5])
        await d.until(lambda: d.in_flight)
        client.vanish()
        await d.until(lambda: d.requests)
        assert d.requests == {("treble", "client_gone"): 1}
        assert not d.journal.submissions


@WAYS
async def test_a_client_that_ends_its_side_still_gets_its_answer_and_the_connection_ends(way: Way) -> None:
    async with door() as d:
        client = await d.connect()
        await way(client)
        client.writer.write_eof()
        assert (await client.reply()).status == 200
        assert await client.ended() == b""
        assert len(d.journal.stored) == 1


async def test_a_client_that_ends_its_side_amid_its_body_is_told_so_at_once() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED)[:-5])
        client.writer.write_eof()
        reply = await client.reply()
        assert (reply.status, reply.problem) == (400, "malformed-request")
        assert await client.ended() == b""
        assert not d.journal.submissions


async def test_what_comes_behind_a_request_that_closes_the_connection_is_dropped_without_a_word() -> None:
    async with door() as d:
        d.journal.mode = "holding"
        client = await d.connect()
        await client.send(request(PATH, READ, {**AUTHORIZED, "Connection": "close"}))
        await d.until(lambda: d.journal.held)
        await client.send(request(PATH, READ, AUTHORIZED))
        (connection,) = d.ingress._connections.open
        await d.until(lambda: connection._messages)
        d.journal.release()
        assert (await client.reply()).status == 200
        assert await client.ended() == b""
        assert len(d.journal.stored) == 1


async def test_while_paused_the_answer_is_503_for_those_who_may_post_and_nothing_is_stored() -> None:
    async with door() as d:
        d.ingress.pause("journal_failed")
        assert d.ingress.accepting is False
        assert (await d.post()).status == 503
        assert (await d.post(body=b"no json")).status == 503
        assert (await d.post(headers={})).status == 401
        assert not d.journal.submissions


async def test_bodies_that_wait_for_a_hanging_journal_have_a_bound_in_memory() -> None:
    async with door(PATIENT) as d:
        d.ingress._budget.bytes_max = 100_000
        d.journal.mode = "holding"
        body = b'"' + b"x" * 30_000 + b'"'
        waiting = [await d.connect() for _ in range(3)]
        for client in waiting:
            await at_once(client, body)
        await d.until(lambda: d.journal.held == 3)
        reply = await d.post(body=body)
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        d.journal.release()
        assert [(await client.reply()).status for client in waiting] == [200] * 3
        d.journal.mode = "taking"
        assert (await d.post(body=body)).status == 200
        assert d.ingress._budget.held == 0


async def test_many_clients_at_once_each_get_the_answer_of_their_own_entry() -> None:
    async def talk(d: Door, name: int) -> list[int]:
        client = await d.connect()
        statuses = []
        for n in range(20):
            body = b'{"client":%d,"n":%d}' % (name, n) if n % 5 else b"no json %d" % name
            await (at_once if (n + name) % 3 else in_pieces)(client, body)
            statuses.append((await client.reply()).status)
        return statuses

    async with door() as d:
        answers = await asyncio.gather(*(talk(d, name) for name in range(16)))
        assert answers == [[200 if n % 5 else 400 for n in range(20)]] * 16
        assert len({entry.body for entry in d.journal.stored if b"client" in entry.body}) == 16 * 16
