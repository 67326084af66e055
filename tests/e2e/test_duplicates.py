"""Copies of a webhook become one event: at the same moment, after a restart, and across a kill."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from bridge.journal.offline.inspect import read_state
from bridge.journal.schema import DATABASE
from tests.e2e.bridge_process import Bridge, until
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import delivered
from tests.e2e.load import Load, webhook
from tests.kafka_broker import Broker

pytestmark = pytest.mark.kafka

READS = "message.read"
PAIRS = 300


async def test_two_copies_at_the_same_moment_become_one_event_also_after_a_restart(make_bridge: MakeBridge) -> None:
    bridge = make_bridge()
    await bridge.start()
    await bridge.connected()
    load = Load(bridge.port)
    pairs = [webhook(f"s-{number % 50}", number) for number in range(PAIRS)]
    for start in range(0, PAIRS, 20):  # twenty pairs at a time, each copy over its own connection
        statuses = await load.at_once(*(copy for one in pairs[start : start + 20] for copy in (one, one)))
        assert set(statuses) == {200}
    await bridge.drained()
    assert await bridge.metric('events_total{outcome="duplicate",type="message.read"}') == PAIRS
    assert Counter(await delivered(bridge, READS)) == {one.name: 1 for one in pairs}

    await bridge.restart()
    third = Load(bridge.port)
    await third.in_order(pairs)
    assert third.statuses() == {200}
    await bridge.drained()
    assert Counter(await delivered(bridge, READS)) == {one.name: 1 for one in pairs}


@contextmanager
def no_commits(journal: Path) -> Iterator[None]:
    """Hold SQLite's write lock on a journal: what its process wants to note waits, as on a disk that hangs."""
    connection = apsw.Connection(str(journal / DATABASE))
    try:
        connection.setbusytimeout(5000)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


async def test_copies_of_what_was_committed_right_before_a_kill_are_still_duplicates(
    make_bridge: MakeBridge, controllable_kafka: Broker
) -> None:
    bridge = make_bridge()
    await bridge.start()
    load = Load(bridge.port)
    before, across = webhook("s-1", 1), [webhook("s-1", number) for number in range(2, 50)]
    await load.in_order([before])
    await bridge.drained()
    await asyncio.to_thread(controllable_kafka.pause)
    await load.in_order(across)
    with no_commits(bridge.journal):
        await asyncio.to_thread(controllable_kafka.resume)
        await until(lambda: _arrived_after(bridge, 1), "a commit on Kafka, of what was in flight at the pause")
        bridge.kill()
    assert read_state(bridge.journal).positions.next_id == 2, "the journal did not note what Kafka has"
    await bridge.start()
    await load.in_order([before, *across])
    assert load.statuses() == {200}
    await bridge.drained()
    assert await bridge.metric('events_total{outcome="duplicate",type="message.read"}') == 1 + len(across)
    assert Counter(await delivered(bridge, READS)) == {one.name: 1 for one in (before, *across)}


async def _arrived_after(bridge: Bridge, count: int) -> bool:
    return len(await delivered(bridge, READS)) > count
