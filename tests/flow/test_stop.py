"""The end in order: nobody gets a broken answer, nothing that was answered is lost."""

import asyncio
import json
import signal
import time

import aiohttp
import pytest

from tests.fakes.sink import ScriptedSink
from tests.flow.conftest import StartInside, StartProcess
from tests.flow.running import PATH, Bridge, BridgeProcess, authorized, until, webhook


async def refuses_connections(bridge: Bridge) -> bool:
    """Whether the ingress port is closed."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was in the queue of the port when that closed: the next one says
        return False
    writer.close()
    return False


async def until_refused(bridge: Bridge) -> None:
    """Wait until the ingress port is closed."""
    async with asyncio.timeout(10):
        while not await refuses_connections(bridge):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)


async def test_sigterm_unready_first_and_requests_are_taken_until_drain_delay_is_over(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process(server={"drain_delay": "1s", "drain_deadline": "1s"})
    await bridge.started()
    assert (await bridge.get(http, "/readyz"))[0] == 200
    began_s = time.monotonic()
    bridge.signal(signal.SIGTERM)
    await until(lambda: bridge.log.lines("service.stopping"), "the stop")
    status, ready = await bridge.get(http, "/readyz")
    assert (status, ready["checks"]["stopping"]) == (503, {"status": "unready", "cause": "SIGTERM"})
    assert (await bridge.get(http, "/livez"))[0] == 200
    assert await bridge.post(http) == 200
    await until_refused(bridge)
    assert time.monotonic() - began_s >= 1
    assert await bridge.ended() == 0
    (stopped,) = bridge.log.lines("service.stopped")
    assert (stopped["exit_code"], stopped["pending"]) == (0, 1)


async def test_a_request_in_flight_at_the_stop_gets_its_200(start_process: StartProcess) -> None:
    bridge = start_process()
    await bridge.started()
    body = json.dumps(webhook()).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorized()['Authorization']}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(head.encode() + body[:20])
    await writer.drain()
    assert await taken_by(bridge)
    bridge.signal(signal.SIGTERM)
    await until_refused(bridge)
    writer.write(body[20:])
    answer = await asyncio.wait_for(reader.read(), timeout=10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer.lower()
    assert await bridge.ended() == 0
    assert bridge.log.lines("service.stopped")[0]["pending"] == 1


async def taken_by(bridge: Bridge) -> bool:
    """Whether the bridge has seen the connection: another request on it has been answered meanwhile."""
    async with aiohttp.ClientSession() as other:
        return await bridge.post(other, path="/nothing") == 404


async def test_with_kafka_away_the_stop_takes_drain_deadline_and_the_next_start_has_everything(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process(server={"drain_deadline": "300ms"})
    await bridge.started()
    for number in range(20):
        assert await bridge.post(http, webhook(f"s-{number}")) == 200
    bridge.signal(signal.SIGTERM)
    assert await bridge.ended(timeout_s=10) == 0
    again = start_process(bridge.config)
    await again.started()
    assert await again.pending(http) == 20


async def test_a_second_signal_ends_the_waiting_but_not_the_order(
    start_process: StartProcess, http: aiohttp.ClientSession
) -> None:
    bridge = start_process(server={"drain_delay": "60s", "drain_deadline": "60s"})
    await bridge.started()
    assert await bridge.post(http) == 200
    bridge.signal(signal.SIGTERM)
    await until(lambda: bridge.log.lines("service.stopping"), "the stop")
    bridge.signal(signal.SIGINT)
    assert await bridge.ended(timeout_s=10) == 0
    assert bridge.log.lines("shutdown.forced")
    assert bridge.log.lines("service.stopped")[0]["pending"] == 1


async def test_the_stop_forwards_what_is_there_before_it_ends(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    sink = ScriptedSink(up=False)
    bridge = await start_inside(sink=sink, server={"drain_deadline": "20s"}, kafka={"backoff": "50ms"})
    for number in range(50):
        assert await bridge.post(http, webhook(f"s-{number}")) == 200
    sink.up, sink.send_s = True, 0.2
    bridge.service.shutdown.request("test")
    assert await bridge.ended() == 0
    assert len(sink.taken) == 50
    assert bridge.log.lines("service.stopped")[0]["pending"] == 0


async def test_a_paused_topic_does_not_hold_up_the_stop(start_inside: StartInside, http: aiohttp.ClientSession) -> None:
    sink = ScriptedSink(blocked={"treble.message.read"})
    bridge = await start_inside(sink=sink, server={"drain_deadline": "60s"})
    assert await bridge.post(http) == 200
    await until(lambda: bridge.log.lines("topic.paused"), "the topic queue")
    began_s = time.monotonic()
    bridge.service.shutdown.request("test")
    assert await bridge.ended() == 0
    assert time.monotonic() - began_s < 10
    assert bridge.log.lines("service.stopped")[0]["pending"] == 1


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_bridge_ends_at_once(start_process: StartProcess, stop: signal.Signals) -> None:
    bridge: BridgeProcess = start_process(server={"drain_deadline": "30s"})
    await bridge.started()
    began_s = time.monotonic()
    bridge.signal(stop)
    assert await bridge.ended(timeout_s=15) == 0
    assert time.monotonic() - began_s < 10
