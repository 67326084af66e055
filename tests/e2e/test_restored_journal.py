"""An older copy of the journal, put back: what Kafka has is not sent again, and what comes now is not taken for it."""

import asyncio
import shutil

import pytest
from click.testing import CliRunner

from bridge.cli import cli
from tests.e2e.bridge_process import Bridge
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, delivered
from tests.e2e.load import Load, webhook
from tests.kafka_broker import Broker

pytestmark = pytest.mark.kafka

READS = "message.read"


async def renew(bridge: Bridge) -> None:
    """What an operator does where the log, readiness and status say that the journal is an older copy."""
    await bridge.until("the reason", lambda status: "journal renew" in status["forwarder"]["stopped"])
    assert (await bridge.get("/readyz"))[0] == 200, "webhooks are taken"
    assert await bridge.stop() == 0
    assert bridge.said("journal.restored")
    done = await asyncio.to_thread(CliRunner().invoke, cli, ["journal", "renew", str(bridge.journal)])
    assert done.exit_code == 0, done.output
    await bridge.start()


async def test_webhooks_taken_on_an_older_copy_before_kafka_answers_are_forwarded_once(
    make_bridge: MakeBridge, controllable_kafka: Broker
) -> None:
    bridge = make_bridge()
    load = Load(bridge.port)
    backup = bridge.folder / "backup"
    await bridge.start()
    await load.in_order([webhook("s-1", number) for number in range(20)])
    await bridge.drained()
    assert await bridge.stop() == 0
    shutil.copytree(bridge.journal, backup)
    await bridge.start()
    await load.in_order([webhook("s-1", number) for number in range(20, 60)])
    await bridge.drained()
    assert await bridge.stop() == 0

    shutil.rmtree(bridge.journal)
    shutil.copytree(backup, bridge.journal)
    await asyncio.to_thread(controllable_kafka.pause)
    await bridge.start()
    await load.in_order([webhook("s-1", number) for number in range(60, 66)])
    await asyncio.to_thread(controllable_kafka.resume)
    await renew(bridge)
    await bridge.drained()
    await load.in_order([webhook("s-1", number) for number in range(66, 70)])
    await bridge.restart()
    await load.in_order([webhook("s-1", number) for number in range(70, 75)])
    await bridge.drained()
    assert load.statuses() == {200}
    assert_exactly_once(await delivered(bridge, READS), load.names())


async def test_restarts_of_an_older_copy_before_kafka_answers_lose_nothing_of_what_it_took(
    make_bridge: MakeBridge, controllable_kafka: Broker
) -> None:
    bridge = make_bridge()
    load = Load(bridge.port)
    backup = bridge.folder / "backup"
    await bridge.start()
    await load.in_order([webhook("s-1", number) for number in range(5)])
    await bridge.drained()
    assert await bridge.stop() == 0
    shutil.copytree(bridge.journal, backup)
    await bridge.start()
    await load.in_order([webhook("s-1", number) for number in range(5, 15)])
    await bridge.drained()
    assert await bridge.stop() == 0

    shutil.rmtree(bridge.journal)
    shutil.copytree(backup, bridge.journal)
    await asyncio.to_thread(controllable_kafka.pause)
    await bridge.start()
    await load.in_order([webhook("s-1", number) for number in range(15, 20)])  # ids that Kafka counts as forwarded
    await bridge.restart()
    await load.in_order([webhook("s-1", number) for number in range(20, 40)])  # and beyond
    await bridge.restart()
    await load.in_order([webhook("s-1", number) for number in range(40, 42)])
    await asyncio.to_thread(controllable_kafka.resume)
    await renew(bridge)
    await bridge.drained()
    await bridge.restart()
    await bridge.connected()
    assert not bridge.said("journal.restored")
    assert load.statuses() == {200}
    assert_exactly_once(await delivered(bridge, READS), load.names())


async def test_both_copies_of_a_webhook_may_wait_longer_than_the_window(
    make_bridge: MakeBridge, controllable_kafka: Broker
) -> None:
    bridge = make_bridge(duplicates={"window": "1s"}, kafka={"batch_entries": 1})
    load = Load(bridge.port)
    await bridge.start()
    await bridge.connected()
    await asyncio.to_thread(controllable_kafka.pause)
    for number in range(5):
        await load.in_order([webhook("s-1", number)] * 2)
    await asyncio.sleep(3)  # the outage is longer than the window: that is the case
    await asyncio.to_thread(controllable_kafka.resume)
    await bridge.drained()
    assert load.statuses() == {200}
    assert_exactly_once(await delivered(bridge, READS), load.names())
