"""Stopping and changing the configuration while requests are on their way."""

import asyncio
import socket
import time

import pytest

from bridge.errors import ConfigError
from bridge.ingress import Ingress
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from tests.fakes.journal import FakeJournal
from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, door, request, settings


async def test_a_stop_lets_requests_in_flight_finish_and_closes_kept_connections_with_their_answer() -> None:
    async with door(settings(server={"ack_deadline": "4500ms"})) as d:
        kept, waiting, sending = [await d.connect() for _ in range(3)]
        await kept.send(request(PATH, READ, AUTHORIZED))
        assert "Connection" not in (await kept.reply()).headers
        d.journal.mode = "holding"
        await waiting.send(request(PATH, READ, AUTHORIZED))
        await sending.send(request(PATH, READ, AUTHORIZED)[:-3])
        await d.until(lambda: d.journal.held and d.in_flight == 2)
        port = d.port
        d.ingress.stop_listening()
        assert d.ingress.addresses == []
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        finishing = asyncio.create_task(d.ingress.finish(10))
        d.journal.release()
        d.journal.mode = "taking"
        await kept.send(request(PATH, READ, AUTHORIZED))
        await sending.send(READ[-3:])
        for client in (kept, waiting, sending):
            reply = await client.reply()
            assert (reply.status, reply.headers["Connection"]) == (200, "close")
            assert await client.ended() == b""
        await finishing
        assert d.in_flight == 0
        assert len(d.journal.stored) == 4


async def test_while_it_drains_it_still_takes_connections_and_closes_each_with_its_answer() -> None:
    async with door(settings()) as d:
        kept = await d.connect()
        await kept.send(request(PATH, READ, AUTHORIZED))
        assert "Connection" not in (await kept.reply()).headers
        d.ingress.start_draining()
        d.ingress.reconfigure(settings())
        for client in (kept, await d.connect()):
            await client.send(request(PATH, READ, AUTHORIZED))
            reply = await client.reply()
            assert (reply.status, reply.headers["Connection"]) == (200, "close")
            assert await client.ended() == b""


async def test_the_end_closes_idle_connections_at_once() -> None:
    async with door(settings()) as d:
        fresh, kept = [await d.connect() for _ in range(2)]
        await kept.send(request(PATH, READ, AUTHORIZED))
        assert (await kept.reply()).status == 200
        d.ingress.stop_listening()
        await d.ingress.finish(1)
        began_s = time.monotonic()
        await d.ingress.close()
        assert time.monotonic() - began_s < 0.3, "nobody is kept waiting for an answer that won't come"
        for client in (fresh, kept):
            assert await client.ended() == b""


async def test_finish_gives_up_after_its_time_and_close_ends_what_is_left() -> None:
    async with door(settings(server={"ack_deadline": "4500ms"})) as d:
        d.journal.mode = "holding"
        short, long, idle = [await d.connect() for _ in range(3)]
        await short.send(request(PATH, READ, AUTHORIZED))
        await long.send(request(PATH, READ, AUTHORIZED)[:-3])
        await d.until(lambda: d.journal.held and d.in_flight == 2)
        d.ingress.stop_listening()
        async with asyncio.timeout(5):
            await d.ingress.finish(0.1)
            assert d.in_flight == 2
            await d.ingress.close()
        for client in (short, long, idle):
            assert b"200" not in await client.ended()
        d.journal.release()
        assert len(d.journal.stored) == 1, "the entry that was handed over is not taken back"


async def test_a_reload_changes_sources_credentials_responses_and_limits_at_once() -> None:
    async with door(settings(server={"max_body": 1000})) as d:
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED))
        assert (await client.reply()).status == 200
        d.ingress.reconfigure(
            settings(
                server={"max_body": 10},
                sources={
                    "treble": {"auth": [{"bearer": "new-token"}], "responses": {"message.read": {"ok": True}}},
                    "more": {"path": "/more", "auth": "none"},
                },
            )
        )
        for path, headers, body, status in (
            (PATH, AUTHORIZED, b"{}", 401),
            (PATH, {"Authorization": "Bearer new-token"}, b"{}", 200),
            (PATH, {"Authorization": "Bearer new-token"}, b'{"a": "0123456789"}', 413),
            ("/more", {}, b"{}", 200),
        ):
            await client.send(request(path, body, headers))
            assert (await client.reply()).status == status
        d.ingress.reconfigure(settings())
        await client.send(request("/more", b"{}") + request(PATH, b"{}", AUTHORIZED))
        assert [(await client.reply()).status for _ in range(2)] == [404, 200]


async def test_a_request_finishes_under_the_rules_it_came_in_under() -> None:
    async with door() as d:
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED)[:-3])
        await d.until(lambda: d.in_flight)
        d.ingress.reconfigure(settings(server={"max_body": 10}, sources={"other": {"auth": "none"}}))
        await client.send(READ[-3:])
        assert (await client.reply()).status == 200
        await client.send(request(PATH, READ, AUTHORIZED))
        assert (await client.reply()).status == 404
        assert [entry.source for entry in d.journal.stored] == ["treble"]


async def test_a_reload_hands_out_no_fresh_burst_unless_the_limit_changed() -> None:
    def limited(burst: int) -> Settings:
        return settings(rate_limit={"rate": "1/h", "burst": burst})

    async with door(limited(2)) as d:
        assert [(await d.post()).status for _ in range(3)] == [200, 200, 429]
        d.ingress.reconfigure(limited(2))
        assert (await d.post()).status == 429
        d.ingress.reconfigure(limited(1))
        assert [(await d.post()).status for _ in range(2)] == [200, 429]


async def test_an_address_that_is_taken_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ingress = Ingress(settings(server={"listen": address}), FakeJournal(), Telemetry(), lambda: 0)
        with pytest.raises(ConfigError, match=address):
            await ingress.start()
        await ingress.close()


@pytest.mark.parametrize("listen", ["localhost:0", ":0", "[::1]:0"])
async def test_any_form_of_address_is_listened_on(listen: str) -> None:
    if "::" in listen and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with door(settings(server={"listen": listen})) as d:
        for address in d.ingress.addresses:
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
            reader, writer = await asyncio.open_connection(host, address.port)
            writer.write(request(PATH, READ, AUTHORIZED))
            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
            writer.close()
            await writer.wait_closed()


async def test_before_start_and_after_close_every_call_is_harmless() -> None:
    ingress = Ingress(settings(), FakeJournal(), Telemetry(), lambda: 0)
    assert ingress.addresses == []
    ingress.pause("early")
    ingress.reconfigure(settings())
    await ingress.start()
    ingress.stop_listening()
    ingress.reconfigure(settings())
    await ingress.finish(0)
    await ingress.close()
    await ingress.close()
