"""`kill -9` of the bridge: what was acknowledged is on its topic exactly once, in order per session."""

import asyncio
import itertools
import random
from collections.abc import Iterator

import pytest

from bridge.errors import ExitCode
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


def endless(connection: int) -> Iterator[Webhook]:
    return (webhook(f"s-{connection}", number, TYPES[connection % 2]) for number in itertools.count())


async def test_kills_and_stops_within_20_ms_of_a_commit_neither_lose_nor_double(make_bridge: MakeBridge) -> None:
    chance = random.Random(20)
    # No time to drain: a SIGTERM, too, ends a transaction wherever it is.
    bridge = make_bridge(server={"drain_deadline": "0s"})
    await bridge.start()
    await bridge.connected()
    load = Load(bridge.port)
    sending = asyncio.create_task(load.in_order(*map(endless, range(8))))
    async with watching(bridge) as commits:
        for round_ in range(18):
            await commits.next()
            await asyncio.sleep(chance.uniform(0, 0.02))
            if round_ % 6 == 5:
                assert await bridge.stop() == ExitCode.OK
            else:
                bridge.kill()
            await bridge.start()
        await commits.next()
    load.enough()
    await sending
    await bridge.drained()
    assert load.statuses() <= {200, UNANSWERED}
    assert len(load.names()) > 1000, "there was load while it was killed"
    assert_exactly_once(await delivered(bridge, *TYPES), load.names(), load.names(UNANSWERED))


async def test_at_least_once_loses_nothing_by_kills(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(kafka={"delivery": "at_least_once"})
    await bridge.start()
    load = Load(bridge.port)
    sending = asyncio.create_task(load.in_order(*map(endless, range(8))))
    for _ in range(5):
        await bridge.connected()
        await load.acknowledged(len(load.names()) + 300)
        await bridge.restart()
    load.enough()
    await sending
    await bridge.drained()
    assert_none_missing(await delivered(bridge, *TYPES), load.names())
