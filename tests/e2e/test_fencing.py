"""Two processes on copies of one journal: one of them stops and says why, the other goes on."""

import asyncio
import itertools
import shutil
import signal
from collections.abc import Iterator

import pytest

from bridge.errors import ExitCode
from tests.e2e.commits import watching
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, delivered
from tests.e2e.load import Load, Webhook, webhook

pytestmark = pytest.mark.kafka

READS = "message.read"


async def test_of_two_processes_on_copies_of_a_journal_the_superseded_one_stops_with_exit_code_6(
    make_bridge: MakeBridge,
) -> None:
    original = make_bridge()
    await original.start()
    load = Load(original.port)
    await load.in_order([webhook("s-1", number) for number in range(20)])
    await original.drained()
    assert await original.stop() == ExitCode.OK

    sharing = {"default": original.topic("{event_type}"), "quarantine": original.quarantine}
    copy = make_bridge(kafka={"positions_topic": original.positions_topic}, topics=sharing)
    shutil.copytree(original.journal, copy.journal)
    await original.start()
    await original.connected()
    await copy.start()
    await copy.connected()

    late, going_on = Load(original.port), Load(copy.port)
    await late.in_order([webhook("s-2", 1)])
    assert late.statuses() == {200}
    assert await original.process.ended() == ExitCode.FENCED
    (said,) = original.said("kafka.fenced")
    assert f"process {copy.process.pid} on " in said["error.message"]
    assert "copies of a journal" in said["error.message"]
    assert original.said("service.stopped")

    await going_on.in_order([webhook("s-1", number) for number in range(20, 40)])
    assert going_on.statuses() == {200}
    await copy.drained()
    assert copy.process.running
    assert_exactly_once(await delivered(original, READS), load.names() | going_on.names())


async def test_a_bridge_that_stood_still_beyond_its_transactions_time_limit_goes_on_and_does_not_stop(
    make_bridge: MakeBridge,
) -> None:
    limits = {"transaction_timeout": "2s", "call_timeout": "1s", "request_timeout": "1s"}
    bridge = make_bridge(kafka=limits)
    await bridge.start()
    await bridge.connected()
    load = Load(bridge.port)

    def endless(stream: int) -> Iterator[Webhook]:
        return (webhook(f"s-{stream}", number) for number in itertools.count())

    sending = asyncio.create_task(load.in_order(*map(endless, range(16))))
    async with watching(bridge) as commits:
        for _ in range(3):
            await commits.next()
            bridge.process.signal(signal.SIGSTOP)
            await asyncio.sleep(3.5)  # Kafka ends the transaction, and fences its producer as another process would
            bridge.process.signal(signal.SIGCONT)
            await bridge.connected()
    load.enough()
    await sending
    await bridge.drained()
    assert (await bridge.status())["forwarder"]["producer_rebuilds"], "it stood still in a transaction at least once"
    assert not (await bridge.status())["paused_topics"]
    assert load.statuses() <= {200, 503}  # 503: no confirmation in time, so it may be there, as one without an answer
    assert_exactly_once(await delivered(bridge, READS), load.names(), load.names(503))
