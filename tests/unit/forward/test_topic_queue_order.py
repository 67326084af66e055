"""What is deferred keeps its place, whatever becomes of the map, the answer or the journal meanwhile."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.errors import SinkUnavailableError
from bridge.journal.offline.inspect import reading
from bridge.journal.offline.salvage import salvage
from bridge.settings.models import Settings
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.forward.running import (
    DELIVERED,
    READ,
    Remembering,
    Running,
    configured,
    delivered,
    read,
)
from tests.unit.journal.making import NOON_MS, Clock
from tests.unit.journal.test_opening import damage

Start = Callable[..., Running]


def root_page(folder: Path, table: str) -> int:
    """Where a table begins: the number of its first page, from 1."""
    with reading(folder) as connection:
        rows = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchall()
    return int(str(rows[0][0]))


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a forwarder on the journal of this test, or on another one; killed with the test."""
    started: list[Running] = []

    def one(sink: ScriptedSink, settings: Settings | None = None, folder: Path = tmp_path / "journal") -> Running:
        started.append(Running(folder, sink, settings))
        return started[-1]

    yield one
    for running in started:
        if not running.task.done():
            await running.kill()


async def test_an_event_that_waits_is_not_taken_for_the_copy_of_its_copy(start: Start) -> None:
    sink = Remembering(up=False, blocked={READ})
    running = start(sink)
    for entry in (read("a"), read("a"), delivered("b")):
        await running.journal.append(entry)
    sink.loses_answer = sink.up = True
    await until(lambda: sink.keys(DELIVERED) == ["b"], "the batch")
    sink.blocked.clear()
    await running.all_forwarded()
    assert sink.keys(READ) == ["a"]


async def test_the_window_is_the_same_for_a_backlog_as_for_what_comes_live(start: Start) -> None:
    sink = Remembering(up=False)
    running = start(sink, configured(duplicates={"window": "60s"}))
    for seconds in (0, 60, 61, 3600, 3601):
        await running.journal.append(read("a", at_ms=NOON_MS + seconds * 1000))
    sink.up = True
    await running.all_forwarded()
    assert [record.timestamp_ms - NOON_MS for record in sink.taken] == [0, 61_000, 3_600_000]


async def test_two_topic_queues_whose_routes_were_exchanged_while_both_waited_go_on_in_order(start: Start) -> None:
    sink = Remembering(blocked={READ, DELIVERED})
    running = start(sink)
    for number in range(10):
        await running.journal.append(read("s", number))
        await running.journal.append(delivered("s", number))
    await running.deferred(read=10, delivered=10)
    exchanged = configured(topics={"map": {"message.read": DELIVERED, "message.delivered": READ}})
    running.reload(exchanged)
    await running.journal.append(read("s", 10))
    await running.deferred(read=11, delivered=10)
    await running.kill()
    again = start(sink, exchanged)
    sink.blocked.clear()
    await again.all_forwarded()
    for topic, last in ((DELIVERED, 11), (READ, 10)):
        numbers = [orjson.loads(record.value)["raw"]["n"] for record in sink.taken if record.topic == topic]
        assert numbers == list(range(last))


async def test_what_waited_goes_to_the_topic_of_today_before_what_is_new_of_its_type(start: Start) -> None:
    """Its former topic is still missing. Another type's events, which go to the new topic, don't wait for it."""
    sink = Remembering(blocked={READ, "crm"})
    running = start(sink)
    for number in range(3):
        await running.journal.append(read("s", number))
    await running.deferred(read=3)
    running.reload(configured(topics={"map": {"message.read": "crm", "message.delivered": "crm"}}))
    await running.journal.append(read("s", 3))
    await running.deferred(read=4)
    sink.blocked.remove("crm")
    await running.all_forwarded()
    await running.journal.append(read("s", 4))
    await running.all_forwarded()
    assert [orjson.loads(record.value)["raw"]["n"] for record in sink.taken] == list(range(5))
    assert {record.topic for record in sink.taken} == {"crm"}


async def test_a_copy_of_the_journal_from_before_an_entry_was_deferred_still_forwards_it(
    start: Start, tmp_path: Path
) -> None:
    sink = Remembering()
    first = start(sink)
    await until(lambda: first.journal.unconfirmed_from is None, "the first look at Kafka's positions")
    sink.up = False
    for entry in (read("a"), delivered("b"), read("c")):
        await first.journal.append(entry)
    await first.kill()
    shutil.copytree(tmp_path / "journal", tmp_path / "copy")
    sink.blocked, sink.up = {READ}, True
    second = start(sink)
    await second.deferred(read=2)
    await until(lambda: sink.positions is not None and sink.positions.next_id == 4, "the batch")
    await second.kill()
    sink.blocked.clear()
    restored = start(sink, folder=tmp_path / "copy")
    await until(lambda: restored.journal.positions.next_id == 4, "what Kafka knows")
    await restored.all_forwarded()
    assert (sink.keys(READ), sink.keys(DELIVERED)) == (["a", "c"], ["b"])


async def test_where_it_is_lost_which_entries_waited_a_salvaged_journal_forwards_them_and_others_not_again(
    start: Start, tmp_path: Path
) -> None:
    sink = Remembering(blocked={READ})
    running = start(sink)
    for entry in (delivered("b"), read("a"), delivered("c"), read("d")):
        await running.journal.append(entry)
    await running.deferred(read=2)
    await until(lambda: len(sink.keys(DELIVERED)) == 2, "the others")
    await running.kill()
    page = root_page(tmp_path / "journal", "parked")
    damage(tmp_path / "journal" / "journal.db", [page - 1])
    result = salvage(tmp_path / "journal", tmp_path / "new", Clock())
    assert any("which entries were deferred is lost" in note for note in result.notes)
    sink.blocked.clear()
    again = start(sink, folder=tmp_path / "new")
    await again.all_forwarded()
    assert (sink.keys(READ), sink.keys(DELIVERED)) == (["a", "d"], ["b", "c"])


class CommitsNothing(Remembering):
    """Finds out which topics are missing, but no batch gets through while `fails`."""

    fails = False

    async def send(self, *batch: Any, **options: Any) -> int | None:
        """Take all, or nothing."""
        if self.fails:
            raise SinkUnavailableError("no connection")
        return await super().send(*batch, **options)


async def test_what_was_deferred_by_a_batch_that_never_went_does_not_go_twice_by_another_map(start: Start) -> None:
    sink = CommitsNothing(blocked={"old"})
    sink.fails = True
    first = start(sink, configured(topics={"map": {"message.delivered": "old"}}, duplicates={"window": 0}))
    await asyncio.gather(*(first.journal.append(entry) for entry in (delivered("d"), read("r"))))  # in one batch
    await first.deferred(old=1)
    await first.kill()
    sink.fails, sink.blocked = False, {"old", "new"}
    changed = {"message.delivered": "new", "message.read": "old"}
    second = start(sink, configured(topics={"map": changed}, duplicates={"window": 0}))
    await second.deferred(old=1, new=1)
    sink.blocked.clear()
    await second.all_forwarded()
    assert (sink.keys("new"), sink.keys("old")) == (["d"], ["r"])


class StopsAfterALostAnswer(Remembering):
    """The send with which it has taken two records takes effect, but its answer is lost, and Kafka is away then."""

    async def send(self, *batch: Any, **options: Any) -> int | None:
        """Take all."""
        self.loses_answer = last = len(self.taken) == 1
        try:
            return await super().send(*batch, **options)
        finally:
            self.up = not last


async def test_what_a_salvaged_journal_may_owe_one_topic_queue_is_not_settled_by_what_kafka_says_of_another(
    start: Start, tmp_path: Path
) -> None:
    sink = StopsAfterALostAnswer(blocked={READ, DELIVERED})
    first = start(sink)
    for entry in (read("a"), delivered("b"), read("c"), delivered("d")):
        await first.journal.append(entry)
    await until(lambda: first.journal.positions.next_id == 5, "all to be deferred")
    sink.blocked.remove(READ)
    await until(lambda: not sink.up, "a commit that the journal doesn't note")
    await first.kill()
    damage(tmp_path / "journal" / "journal.db", [root_page(tmp_path / "journal", "parked") - 1])
    assert salvage(tmp_path / "journal", tmp_path / "new", Clock()).lost == []
    sink.up, sink.blocked = True, set()
    second = start(sink, folder=tmp_path / "new")
    await second.all_forwarded()
    assert sink.keys(DELIVERED) == ["b", "d"]
