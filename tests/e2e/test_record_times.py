"""The time of a record is one that the broker takes, however wrong a clock was: no event is refused for it."""

import time
from collections.abc import Mapping

import orjson
import pytest

from tests.e2e.bridge_process import Bridge
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, delivered, name_of, value_of
from tests.e2e.load import Name, webhook
from tests.kafka_broker import create_topics, read_records
from tests.unit.journal.making import HOUR_MS, storage_in, submission

pytestmark = pytest.mark.kafka

READS = "message.read"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def taken_at(bridge: Bridge, times_ms: Mapping[int, int]) -> set[Name]:
    """Put webhooks into the journal of a bridge that doesn't run: number → when it came."""
    hooks = {number: webhook(f"s-{number % 5}", number) for number in times_ms}
    with storage_in(bridge.journal) as storage:
        storage.append([submission(hooks[number].body, at_ms=at_ms) for number, at_ms in times_ms.items()])
    return {hook.name for hook in hooks.values()}


async def times_on(bridge: Bridge) -> dict[int, int]:
    """Number of a read → its record's time."""
    return {
        name_of(record).number: record.timestamp_ms
        for record in await read_records(bridge.bootstrap, bridge.topic(READS))
    }


async def test_events_that_a_clock_two_hours_ahead_stamped_are_delivered_as_events_at_once(
    make_bridge: MakeBridge,
) -> None:
    bridge = make_bridge()
    began_ms = now_ms()
    ahead_ms = began_ms + 2 * HOUR_MS
    names = taken_at(bridge, dict.fromkeys(range(40), ahead_ms) | dict.fromkeys(range(40, 45), began_ms))
    with storage_in(bridge.journal) as storage:
        storage.append([submission(b"no JSON", at_ms=ahead_ms)])
    await bridge.start()
    await bridge.drained()
    assert_exactly_once(await delivered(bridge, READS), names)
    times = await times_on(bridge)
    assert all(began_ms <= times[number] <= now_ms() for number in range(40))
    assert {times[number] for number in range(40, 45)} == {began_ms}
    records = await read_records(bridge.bootstrap, bridge.topic(READS))
    assert sum(value_of(record)["received_at"] > value_of(record)["occurred_at"] for record in records) == 45
    (kept,) = await read_records(bridge.bootstrap, bridge.quarantine)
    assert orjson.loads(kept.value or b"")["reason"] == "not_json"
    assert began_ms <= kept.timestamp_ms <= now_ms()
    assert (await bridge.status())["forwarder"]["producer_rebuilds"] == 0


async def test_a_backlog_that_its_topic_finds_too_old_is_delivered_with_the_time_of_sending(
    make_bridge: MakeBridge,
) -> None:
    bridge = make_bridge(kafka={"batch_entries": 20})
    await create_topics(bridge.bootstrap, bridge.topic(READS), config={"message.timestamp.before.max.ms": str(HOUR_MS)})
    began_ms = now_ms()
    arrivals = {number: began_ms - (200 - number) * HOUR_MS // 10 for number in range(201)}  # from 20 hours ago to now
    names = taken_at(bridge, arrivals)
    await bridge.start()
    await bridge.drained()
    assert_exactly_once(await delivered(bridge, READS), names)
    times = await times_on(bridge)
    assert all(times[number] >= began_ms for number in range(201))
    assert await read_records(bridge.bootstrap, bridge.quarantine) == []
    assert (await bridge.status())["forwarder"]["producer_rebuilds"] == 1
