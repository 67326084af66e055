"""The fast path through aiohttp is there, is taken, and has the slow path behind it."""

import asyncio
from typing import Any

import pytest
from aiohttp import StreamReader, web

from bridge.ingress import fast_path
from bridge.ingress.connection import Connection
from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, door, request


def test_this_aiohttp_has_the_inside_that_the_fast_path_needs() -> None:
    """Fails when an aiohttp is built otherwise: `fast_path` must be looked at before it is used with that version."""
    assert fast_path.FAST_PATH


async def test_a_plain_post_takes_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    fast: list[bytes] = []
    on_request = Connection.on_request

    def noting(self: Connection, message: Any, content: StreamReader) -> None:
        fast.append(fast_path.body_of(content))
        on_request(self, message, content)

    monkeypatch.setattr(Connection, "on_request", noting)
    async with door() as d:
        client = await d.connect()
        for _ in range(20):
            await client.send(request(f"{PATH}/read", READ, AUTHORIZED))
            assert (await client.reply()).status == 200
        assert len(fast) >= 19, "all but the first, which may come before aiohttp's loop is at rest"
        assert set(fast) == {READ}
        await client.send(request(PATH, method="GET") + request(PATH, READ, AUTHORIZED))
        assert [(await client.reply()).status for _ in range(2)] == [405, 200]
        count = len(fast)
        await client.send(request(PATH, READ, AUTHORIZED))
        assert (await client.reply()).status == 200
        assert len(fast) == count + 1, "back on the fast path after the slow one"


async def test_without_the_fast_path_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> list[tuple[int, bytes, set[str]]]:
        async with door() as d:
            client = await d.connect()
            answers = []
            for _ in range(2):
                for body, headers in (
                    (READ, AUTHORIZED),
                    (b"no json", AUTHORIZED),
                    (READ, {"Authorization": "Bearer x"}),
                ):
                    await client.send(request(f"{PATH}/read", body, headers))
                    reply = await client.reply()
                    answers.append((reply.status, reply.body, set(reply.headers)))
            return answers

    with_it = await ask()
    monkeypatch.setattr(fast_path, "FAST_PATH", False)
    assert await ask() == with_it
    assert [status for status, _, _ in with_it] == [200, 400, 401] * 2


async def test_a_connection_without_requests_is_left_to_aiohttp() -> None:
    """`reattach_waiter` without a request is harmless: the answer of a request may come when its connection is gone."""
    server = web.Server(lambda request: asyncio.sleep(0))  # type: ignore[arg-type, return-value]
    lonely = fast_path.FastPathHandler(server, 1000, loop=asyncio.get_running_loop())
    lonely.reattach_waiter()
    with pytest.raises(NotImplementedError):
        lonely.on_partial_head(1)
