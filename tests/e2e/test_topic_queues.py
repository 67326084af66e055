"""A topic that can't take records holds up its own queue only, which catches up by itself, in order, exactly once."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator

import pytest

from tests.e2e.bridge_process import Bridge, until
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, delivered
from tests.e2e.load import Load, Name, Webhook, webhook
from tests.kafka_broker import create_topics, delete_topics, unique

pytestmark = pytest.mark.kafka

FINE, DELETED, MISSING = "message.read", "message.delivered", "message.timed_out"
TYPES = (FINE, DELETED, MISSING)
STREAMS = 4


def mixed(stream: int, numbers: Iterable[int]) -> Iterator[Webhook]:
    """Webhooks of three types in turn, of two sessions."""
    for number in numbers:
        for event_type in TYPES:
            yield webhook(f"s-{stream}-{number % 2}", number, event_type)


def endless(stream: int) -> Iterator[Webhook]:
    return mixed(stream, itertools.count())


async def send(bridge: Bridge, numbers: range) -> set[Name]:
    """Mixed webhooks over some connections; those acknowledged, which are all."""
    load = Load(bridge.port)
    await load.in_order(*(mixed(stream, numbers) for stream in range(STREAMS)))
    assert load.statuses() == {200}
    return load.names()


def of(names: set[Name], event_type: str) -> set[Name]:
    return {name for name in names if name.event_type == event_type}


async def create(bridge: Bridge, *event_types: str, partitions: int = 3) -> None:
    await create_topics(bridge.bootstrap, *map(bridge.topic, event_types), partitions=partitions)


async def create_positions(bridge: Bridge) -> None:
    await create_topics(bridge.bootstrap, bridge.positions_topic, config={"cleanup.policy": "compact"})


async def made_ready(make_bridge: MakeBridge, *event_types: str, **topics: object) -> Bridge:
    """A bridge that makes no topics, started, with those of these types at hand."""
    bridge = make_bridge(topics={"create": "off", **topics})
    await create_positions(bridge)
    await create(bridge, "quarantine", *event_types)
    await bridge.start()
    await bridge.connected()
    return bridge


async def all_there(bridge: Bridge, event_type: str, names: set[Name], within_s: float) -> None:
    """Wait until the events of this type have arrived."""
    wanted = of(names, event_type)

    async def arrived() -> bool:
        return set(await delivered(bridge, event_type)) == wanted

    await until(arrived, f"{len(wanted)} events of {event_type}", within_s)


async def test_a_missing_topic_and_a_deleted_one_hold_up_their_own_topic_queues_also_across_a_restart(
    make_bridge: MakeBridge,
) -> None:
    bridge = await made_ready(make_bridge, FINE, DELETED)
    first = await send(bridge, range(50))
    await all_there(bridge, FINE, first, 5)
    await all_there(bridge, DELETED, first, 5)
    await bridge.topic_paused(bridge.topic(MISSING), "missing", len(of(first, MISSING)))

    await delete_topics(bridge.bootstrap, bridge.topic(DELETED))
    second = await send(bridge, range(50, 100))
    await all_there(bridge, FINE, first | second, 20)  # a send to a topic that is gone fails after request_timeout
    await bridge.topic_paused(bridge.topic(DELETED), "missing", len(of(second, DELETED)))

    await bridge.restart()
    third = await send(bridge, range(100, 150))
    await all_there(bridge, FINE, first | second | third, 5)
    waiting = of(second | third, DELETED)
    await bridge.topic_paused(bridge.topic(DELETED), "missing", len(waiting))
    await bridge.topic_paused(bridge.topic(MISSING), "missing", len(of(first | second | third, MISSING)))

    await create(bridge, MISSING)
    await all_there(bridge, MISSING, first | second | third, 10)
    await bridge.topic_paused(bridge.topic(DELETED), "missing", len(waiting))
    await create(bridge, DELETED)
    await bridge.drained(10)
    everything = await delivered(bridge, *TYPES)
    assert_exactly_once(everything, of(first | second | third, FINE) | of(first | second | third, MISSING) | waiting)
    assert not (await bridge.status())["forwarder"]["topics_behind"]


async def test_a_topic_deleted_and_made_anew_under_load_is_written_on_in_order(make_bridge: MakeBridge) -> None:
    bridge = await made_ready(make_bridge, *TYPES)
    load = Load(bridge.port)
    sending = asyncio.create_task(load.in_order(*map(endless, range(STREAMS))))
    await load.acknowledged(500)
    for _ in range(2):
        await delete_topics(bridge.bootstrap, bridge.topic(DELETED))
        await create(bridge, DELETED)
        await load.acknowledged(len(load.answers) + 500)
    before = load.names()  # what is acknowledged from now on can't have gone with the topic
    await load.acknowledged(len(before) + 1000)
    load.enough()
    await sending
    await bridge.drained()
    assert load.statuses() == {200}
    seen = await delivered(bridge, *TYPES)
    gone = of(before, DELETED) - set(seen)
    assert_exactly_once(seen, load.names() - gone)


@pytest.mark.parametrize("how", ["reload", "restart"])
async def test_what_waits_for_a_misspelt_topic_goes_to_the_right_one_once_the_map_is_corrected(
    make_bridge: MakeBridge, how: str
) -> None:
    misspelt = unique("misspelt")
    bridge = await made_ready(make_bridge, *TYPES, map={DELETED: misspelt})
    load = Load(bridge.port)
    sending = asyncio.create_task(load.in_order(*map(endless, range(STREAMS))))
    await load.acknowledged(4500)
    await bridge.topic_paused(misspelt, "missing", 1200)  # more than a batch: it takes several to catch up
    bridge.configure(topics={"map": {}})
    if how == "reload":
        bridge.reload()
    else:
        await bridge.restart()
    await load.acknowledged(len(load.answers) + 1500)
    load.enough()
    await sending
    await bridge.drained(15)
    acknowledged, unanswered = load.names(), load.names(0)
    assert load.statuses() <= {200, 0}
    assert_exactly_once(await delivered(bridge, *TYPES), acknowledged, unanswered)


async def test_a_positions_topic_deleted_and_made_anew_under_load_loses_and_doubles_nothing(
    make_bridge: MakeBridge,
) -> None:
    bridge = await made_ready(make_bridge, *TYPES)
    load = Load(bridge.port)
    sending = asyncio.create_task(load.in_order(*map(endless, range(STREAMS))))
    await load.acknowledged(500)
    await delete_topics(bridge.bootstrap, bridge.positions_topic)
    await load.acknowledged(1500)
    await bridge.until("no connection", lambda status: not status["forwarder"]["connected"])
    await create_positions(bridge)
    await load.acknowledged(2000)
    load.enough()
    await sending
    await bridge.drained()
    assert load.statuses() == {200}
    assert_exactly_once(await delivered(bridge, *TYPES), load.names())


async def test_a_deleted_positions_topic_is_made_again_where_the_configuration_lets_the_bridge_make_topics(
    make_bridge: MakeBridge,
) -> None:
    bridge = make_bridge()
    await bridge.start()
    load = Load(bridge.port)
    await load.in_order([webhook("s", number) for number in range(10)])
    await bridge.drained()
    await delete_topics(bridge.bootstrap, bridge.positions_topic)
    await load.in_order([webhook("s", number) for number in range(10, 30)])
    await bridge.drained()
    assert_exactly_once(await delivered(bridge, "message.read"), load.names())
