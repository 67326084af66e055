"""Kafka goes away under load: webhooks are answered as ever, and what was answered is delivered when it is back."""

import asyncio

import pytest

from tests.e2e.bridge_process import Bridge
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, assert_none_missing, delivered
from tests.e2e.load import OTHERS, READS, Load, conversations
from tests.kafka_broker import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

OUTAGE_S = 20
RATE = 100


async def send_through_outage(broker: Broker, how: str, *bridges: Bridge) -> list[Load]:
    """Load on all bridges, from before the outage until after it."""
    seconds = OUTAGE_S + 12 if how == "killed" else OUTAGE_S + 5  # a killed broker takes some seconds to come back
    loads = [Load(bridge.port) for bridge in bridges]
    sending = [asyncio.create_task(load.at_rate(conversations(RATE * seconds, 40), RATE)) for load in loads]
    await asyncio.sleep(2)
    await asyncio.to_thread(broker.kill if how == "killed" else broker.pause)
    await asyncio.sleep(OUTAGE_S)
    await asyncio.to_thread(broker.start if how == "killed" else broker.resume)
    await asyncio.gather(*sending)
    return loads


@pytest.mark.parametrize("how", ["paused", "killed"])
async def test_20_s_without_kafka_under_load_every_webhook_is_answered_in_under_1_s_and_delivered(
    make_bridge: MakeBridge, controllable_kafka: Broker, how: str
) -> None:
    exactly = make_bridge()
    at_least = make_bridge(kafka={"delivery": "at_least_once"})
    for bridge in (exactly, at_least):
        await bridge.start()
        await bridge.connected()
    loads = await send_through_outage(controllable_kafka, how, exactly, at_least)
    for bridge, load in zip((exactly, at_least), loads, strict=True):
        assert load.statuses() == {200}
        assert load.slowest_s() < 1
        await bridge.drained()
        assert bridge.process.running
    assert_exactly_once(await delivered(exactly, READS, OTHERS), loads[0].names())
    seen = await delivered(at_least, READS, OTHERS)
    assert_none_missing(seen, loads[1].names())
    assert set(seen) == loads[1].names()
