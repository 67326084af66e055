"""Kafka acknowledged a commit and did not end it everywhere: what has no end goes again, and nothing else does."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka.structs import TopicPartition

from bridge.kafka import producer
from bridge.model import NOTHING_IN_DOUBT
from bridge.settings.models import Settings
from tests.e2e.endless import coordinator_not_asked
from tests.flow.running import until
from tests.kafka_broker import Broker, create_topics, read_records, unique
from tests.unit.forward.running import Running, configured, delivered, read

pytestmark = pytest.mark.kafka

SESSIONS, NUMBERS = 9, 4
PARTITIONS = 3
PassedOver = Callable[[TopicPartition], bool]


class Place:
    """Topics of their own for two types, and the settings of a bridge that uses them."""

    def __init__(self, broker: Broker, **kafka: Any) -> None:
        self.bootstrap = broker.bootstrap
        self.reads, self.others, self.positions = unique("reads"), unique("others"), unique("positions")
        self.settings: Settings = configured(
            {"bootstrap_servers": [broker.bootstrap], "positions_topic": self.positions, "linger": "50ms", **kafka},
            topics={"map": {"message.read": self.reads, "message.delivered": self.others}},
        )

    async def create(self) -> None:
        """Make the topics."""
        await create_topics(self.bootstrap, self.reads, self.others, partitions=PARTITIONS)
        await create_topics(self.bootstrap, self.positions, config={"cleanup.policy": "compact"})

    async def arrived(self) -> list[tuple[str, str, int]]:
        """What a reader of committed records sees, in order within each session. Waits for what is without an end."""
        records = await read_records(self.bootstrap, [self.reads, self.others])
        records.sort(key=lambda record: (record.topic, record.partition, record.offset))
        values = [orjson.loads(record.value or b"") for record in records]
        seen = [(value["type"], value["session_id"], value["raw"]["n"]) for value in values]
        return sorted(seen, key=lambda name: name[:2])  # a stable sort: numbers stay as they came


def pass_over(running: Running, which: PassedOver, *, answered: bool) -> None:
    """Let the coordinator not know of some partitions of the next transaction, and its answer get lost."""
    inner: Any = running.forwarder._sink.producer._inner
    manager = inner._txn_manager
    add, commit = manager.maybe_add_partition_to_txn, inner.commit_transaction

    def add_some(place: TopicPartition) -> None:
        if which(place):
            manager._txn_partitions.add(place)
        else:
            add(place)

    async def commit_without_an_answer() -> None:
        await commit()
        raise TimeoutError

    manager.maybe_add_partition_to_txn = add_some
    if not answered:
        inner.commit_transaction = commit_without_an_answer


async def never(*_: Any) -> None:
    """Wait until the process is killed."""
    await asyncio.Event().wait()


CASES: dict[str, tuple[Callable[[Place], PassedOver], bool]] = {
    "one partition": (lambda at: lambda place: place == (at.reads, 0), True),
    "one partition, and no answer": (lambda at: lambda place: place == (at.reads, 0), False),
    "one topic, and no answer": (lambda at: lambda place: place.topic == at.reads, False),
    "the positions": (lambda at: lambda place: place.topic == at.positions, True),
    "the positions and a topic": (lambda at: lambda place: place.topic != at.others, True),
    "all": (lambda _: lambda _: True, True),
    "all, and no answer": (lambda _: lambda _: True, False),
    "nothing, and no answer": (lambda _: lambda _: False, False),
}


@pytest.mark.parametrize("restarted", [False, True], ids=["goes on", "is killed"])
@pytest.mark.parametrize("case", CASES)
async def test_each_event_is_there_once_whatever_kafka_passed_over(
    kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, restarted: bool
) -> None:
    monkeypatch.setattr(producer, "MARKER_WAIT_S", 0.2)
    which, answered = CASES[case]
    place = Place(kafka)
    await place.create()
    running = Running(tmp_path / "journal", None, place.settings)
    try:
        async with coordinator_not_asked(kafka.bootstrap):
            await until(lambda: running.forwarder.status()["connected"], "the connection", 10)
            pass_over(running, which(place), answered=answered)
            if restarted:
                monkeypatch.setattr(
                    running.forwarder._sink, "open", never
                )  # the next process is the one that settles it
            for number in range(NUMBERS):
                for session in range(SESSIONS):
                    running.journal.append((read if session % 2 else delivered)(f"s{session}", number))
            await until(lambda: running.journal.in_doubt != NOTHING_IN_DOUBT, "a transaction in doubt", 10)
            if restarted:
                await running.kill()
                running = Running(tmp_path / "journal", None, place.settings)
            await until(lambda: not running.journal.usage().pending, "the end of what is pending", 10)
            await until(lambda: running.journal.in_doubt == NOTHING_IN_DOUBT, "all markers to be resolved", 10)
    finally:
        await running.kill()
    names = [("message.read" if session % 2 else "message.delivered", f"s{session}") for session in range(SESSIONS)]
    assert await place.arrived() == [(*name, number) for name in sorted(names) for number in range(NUMBERS)]
