"""Kafka comes back, after a start without it or a restart in order: what was answered is delivered once, in order."""

import asyncio

import pytest

from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, delivered
from tests.e2e.load import OTHERS, READS, UNANSWERED, Load, conversations, webhook
from tests.kafka_broker import Broker
from tests.kafka_broker.process import ProcessBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

RATE = 100
PASSED_OVER = "likely deleted already"
"""What Kafka logs of a partition without a leader in which it does not end a transaction."""


async def test_a_broker_that_is_shut_down_in_order_under_load_takes_nothing_back(
    make_bridge: MakeBridge, controllable_kafka: Broker, process_kafka: ProcessBroker
) -> None:
    """A commit that it acknowledges while its partitions lose their leaders may never come into effect.

    The second time the bridges are stopped, too, before it is back.
    """
    bridges = [make_bridge(server={"drain_deadline": "0s"}) for _ in range(3)]
    for bridge in bridges:
        await bridge.start()
        await bridge.connected()
    loads = [Load(bridge.port) for bridge in bridges]
    sending = [asyncio.create_task(load.at_rate(conversations(RATE * 10, 40), RATE)) for load in loads]
    for stopped in ([], bridges):
        await asyncio.sleep(1.5)
        await asyncio.to_thread(process_kafka.terminate)
        await asyncio.gather(*(bridge.stop() for bridge in stopped))
        await asyncio.gather(*(bridge.start() for bridge in stopped))
        await asyncio.to_thread(controllable_kafka.start)
    await asyncio.gather(*sending)
    found = []
    for bridge, load in zip(bridges, loads, strict=True):
        await bridge.drained()
        found.append(await delivered(bridge, READS, OTHERS))
        print(f"not from {bridge.port}:", sorted(load.names() - set(found[-1])))
    print(*(line for line in process_kafka.log.read_text().splitlines() if PASSED_OVER in line), sep="\n")
    for load, seen in zip(loads, found, strict=True):
        assert load.statuses() <= {200, UNANSWERED}
        assert_exactly_once(seen, load.names(), load.names(UNANSWERED))


async def test_a_backlog_of_50000_from_a_start_without_kafka_survives_a_restart_and_is_drained_in_order(
    make_bridge: MakeBridge, controllable_kafka: Broker
) -> None:
    connections, sessions_each, numbers = 32, 25, 63
    bridge = make_bridge()
    await asyncio.to_thread(controllable_kafka.kill)
    await bridge.start()
    load = Load(bridge.port)
    await load.in_order(
        *(
            [
                webhook(f"s-{connection}-{session}", number, READS if number % 2 else OTHERS)
                for number in range(numbers)
                for session in range(sessions_each)
            ]
            for connection in range(connections)
        )
    )
    assert load.statuses() == {200}
    assert len(load.names()) > 50_000
    assert (await bridge.status())["journal"]["pending"] == len(load.names())
    await bridge.restart()
    assert (await bridge.status())["journal"]["pending"] == len(load.names())
    await asyncio.to_thread(controllable_kafka.start)
    await bridge.drained()
    assert_exactly_once(await delivered(bridge, READS, OTHERS), load.names())
