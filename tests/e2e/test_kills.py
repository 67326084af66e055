"""`kill -9` of the bridge: what was acknowledged is on its topic exactly once, in order per session."""

import asyncio
import itertools
import random
from collections.abc import Iterator

import pytest

from bridge.errors import ExitCode
from tests.e2e.bridge_process import Bridge
from tests.e2e.commits import watching
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, assert_none_missing, delivered
from tests.e2e.load import UNANSWERED, Load, Webhook, webhook

pytestmark = pytest.mark.kafka

TYPES = ("message.delivered", "message.read")


async def test_20000_webhooks_under_32_connections_and_three_kills_arrive_exactly_once(
    make_bridge: MakeBridge,
) -> None:
    connections, sessions_each, numbers = 32, 5, 125  # 32 * 5 * 125 = 20,000

    def stream(connection: int) -> Iterator[Webhook]:
        # Round and round over its sessions, so that every session lives through every kill.
        for number in range(numbers):
            for session in range(sessions_each):
                yield webhook(f"s-{connection}-{session}", number, TYPES[number % 2])

    bridge = make_bridge()
    await bridge.start()
    load = Load(bridge.port)
    sending = asyncio.create_task(load.in_order(*map(stream, range(connections))))
    for count in (4_000, 9_000, 15_000):
        await load.acknowledged(count)
        await bridge.restart()
    await sending
    await bridge.drained()
    assert load.statuses() <= {200, UNANSWERED}
    acknowledged, unanswered = load.names(), load.names(UNANSWERED)
    assert len(acknowledged) + len(unanswered) == 20_000
    assert len(unanswered) <= 3 * connections
    assert_exactly_once(await delivered(bridge, *TYPES), acknowledged, unanswered)


async def test_kills_and_stops_within_20_ms_of_a_commit_neither_lose_nor_double(make_bridge: MakeBridge) -> None:
    chance = random.Random(20)
    # No time to drain: a SIGTERM, too, ends a transaction wherever it is.
    hasty = {"drain_deadline": "0s"}
    exactly, at_least = make_bridge(server=hasty), make_bridge(server=hasty, kafka={"delivery": "at_least_once"})

    def endless(connection: int) -> Iterator[Webhook]:
        return (webhook(f"s-{connection}", number, TYPES[connection % 2]) for number in itertools.count())

    async def end(bridge: Bridge, *, in_order: bool) -> None:
        if in_order:
            assert await bridge.stop() == ExitCode.OK
        else:
            bridge.kill()

    bridges, loads = (exactly, at_least), (Load(exactly.port), Load(at_least.port))
    for bridge in bridges:
        await bridge.start()
        await bridge.connected()
    sending = [asyncio.create_task(load.in_order(*map(endless, range(6)))) for load in loads]
    async with watching(exactly) as commits:
        for round_ in range(18):
            await commits.next()
            await asyncio.sleep(chance.uniform(0, 0.02))
            await asyncio.gather(*(end(bridge, in_order=round_ % 6 == 5) for bridge in bridges))
            await asyncio.gather(*(bridge.start() for bridge in bridges))
        await commits.next()
    for load in loads:
        load.enough()
    await asyncio.gather(*sending)
    for bridge, load in zip(bridges, loads, strict=True):
        await bridge.drained()
        assert load.statuses() <= {200, 503, UNANSWERED}
        assert len(load.names()) > 1000, "there was load while it was killed"
        seen = await delivered(bridge, *TYPES)
        if bridge is exactly:
            assert_exactly_once(seen, load.names(), load.names(UNANSWERED))
        else:
            assert_none_missing(seen, load.names())
