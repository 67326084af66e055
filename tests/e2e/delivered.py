"""What read_committed consumers see of a test's webhooks, and whether that is what was promised."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from tests.e2e.bridge_process import Bridge
from tests.e2e.load import Name
from tests.kafka_broker import ReadRecord, read_records


def value_of(record: ReadRecord) -> Any:
    """The record's value."""
    return orjson.loads(record.value or b"")


def name_of(record: ReadRecord) -> Name:
    """Which webhook the event comes from."""
    envelope = value_of(record)
    return Name(envelope["type"], envelope["session_id"], int(envelope["session_keys"]["number"]))


async def delivered(bridge: Bridge, *event_types: str, topics: Sequence[str] = ()) -> list[Name]:
    """The webhooks whose events are on the topics of these types now; partition by partition, in order."""
    names = [*topics, *(bridge.topic(event_type) for event_type in event_types)]
    records = await read_records(bridge.bootstrap, names)
    records.sort(key=lambda record: (record.topic, record.partition, record.offset))
    return [name_of(record) for record in records]


def assert_exactly_once(
    seen: Sequence[Name], acknowledged: Collection[Name], unanswered: Collection[Name] = ()
) -> None:
    """Each acknowledged one is there once, each unanswered one at most once, nothing else; each session in order."""
    twice = {name: times for name, times in Counter(seen).items() if times > 1}
    assert not twice, f"{len(twice)} events are there more than once, such as {_some(twice)}"
    assert_none_missing(seen, acknowledged)
    foreign = set(seen) - set(acknowledged) - set(unanswered)
    assert not foreign, f"{len(foreign)} events come from nowhere, such as {_some(foreign)}"
    last: dict[tuple[str, str], int] = {}
    for event_type, session, number in seen:
        before = last.get((event_type, session), -1)
        assert number > before, f"{event_type} of session {session}: {number} comes after {before}"
        last[event_type, session] = number


def assert_none_missing(seen: Sequence[Name], acknowledged: Collection[Name]) -> None:
    """Each acknowledged one is there at least once."""
    missing = set(acknowledged) - set(seen)
    assert not missing, f"{len(missing)} acknowledged webhooks are missing, such as {_some(missing)}"


def _some(names: Collection[Name]) -> list[Name]:
    return sorted(names)[:3]
