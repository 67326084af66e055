"""What Kafka may have left without an end is settled topic by topic, and no process forgets it before it is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import LaneBlockedError, SinkTimeoutError
from bridge.forward.in_doubt import REFUSED_RETRY_S, RETRY_S, DoubtfulEnds
from bridge.journal import Journal
from bridge.kafka.errors import blocked
from bridge.kafka.positions import Found
from bridge.model import NO_DOUBTS, DoubtfulEnd, Doubts, Positions, Unclear
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.forward.running import DELIVERED, READ, Running, configured, read
from tests.unit.journal.making import NOON_MS, open_journal

SETTINGS = configured()
ENDED, OPEN, HIDDEN = DoubtfulEnd(READ, 0, 7, (1,)), DoubtfulEnd(READ, 1, 7, (2,)), DoubtfulEnd(READ, 2, 7, (3,))


@dataclass
class Ends(ScriptedSink):
    """Says which have an end, and aborts the others, where it may."""

    found: dict[DoubtfulEnd, bool] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    aborted: list[DoubtfulEnd] = field(default_factory=list)
    asked: list[DoubtfulEnd] = field(default_factory=list)
    times_out: bool = False

    async def partition_counts(self, topics: Sequence[str], tries: int = 1) -> dict[str, int | LaneBlockedError]:
        """As `states` say, three partitions for the others."""
        del tries
        return {t: blocked(t, self.states[t]) if t in self.states else 3 for t in topics}

    async def have_ended(self, ends: Collection[DoubtfulEnd]) -> dict[DoubtfulEnd, bool]:
        """Those that are known."""
        self.asked += ends
        return {end: self.found[end] for end in ends if end in self.found}

    async def take_back(self, topic: str, ends: Collection[DoubtfulEnd]) -> None:
        """Abort, refuse, or do it without an answer."""
        if topic in self.refuses:
            raise blocked(topic, "unauthorized")
        self.aborted += ends
        if self.times_out:
            raise SinkTimeoutError("no answer")


class Said(Telemetry):
    """What was said of records without an end."""

    def __init__(self) -> None:
        super().__init__()
        self.unended: list[tuple[str, int]] = []

    def records_unended(self, topic: str, entries: int) -> None:
        """Note it."""
        self.unended.append((topic, entries))


class Settling:
    """The doubts of a journal whose entries 1, 2 and 3 are parked for READ, on a clock that is set by hand."""

    def __init__(self, journal: Journal, *ends: DoubtfulEnd, exactly_once: bool = True) -> None:
        self.journal, self.given = journal, Doubts(ends)
        self.preparer = Preparer(SETTINGS, journal.id)
        self.now_s = 0.0
        self.said = Said()
        self.ends = DoubtfulEnds(journal, self.said, exactly_once=exactly_once, clock_s=lambda: self.now_s)

    async def prepare(self) -> "Settling":
        """Fill the journal."""
        for number in range(3):
            await self.journal.append(read("a", number))
        await self.journal.park([(1, READ, "message.read"), (2, READ, "message.read"), (3, READ, "message.read")])
        await self.journal.advance(Positions(4, {READ: 1}), [], doubts=self.given)
        return self

    async def settle(self, sink: Ends) -> bool:
        """Settle what can be."""
        return await self.ends.settle(sink, self.preparer)

    async def parked(self) -> list[int]:
        """What still waits."""
        return [entry.id for entry in await self.journal.read_parked(READ, 1, 10, 1 << 20)]

    def held_up(self) -> set[str]:
        """Which topics may take no record."""
        counts = self.ends.hold_up({READ: 3, DELIVERED: 3})
        return {topic for topic, count in counts.items() if isinstance(count, LaneBlockedError)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


async def test_what_has_an_end_has_gone_and_what_has_none_is_aborted_and_goes_again(folder: Path) -> None:
    at = await Settling(open_journal(folder), ENDED, OPEN).prepare()
    sink = Ends(found={ENDED: True, OPEN: False})
    assert at.held_up() == {READ}
    assert await at.settle(sink)
    assert (await at.parked(), sink.aborted, at.journal.doubts) == ([2, 3], [OPEN._replace(entry_ids=())], NO_DOUBTS)
    assert (at.held_up(), at.said.unended) == (set(), [(READ, 1)])
    assert not await at.settle(sink)
    ids = [at.preparer.prepare(entry).identity for entry in await at.journal.read(1, 3, 1 << 20)]
    assert set(await at.journal.seen([i for i in ids if i], NOON_MS)) == {ids[0]}, "a copy of the first is one"
    await at.journal.close()


async def test_where_it_can_not_be_told_the_topic_waits_and_its_entries_with_it(folder: Path) -> None:
    at = await Settling(open_journal(folder), ENDED, HIDDEN).prepare()
    sink = Ends(found={ENDED: True})
    await at.settle(sink)
    assert (await at.parked(), at.journal.doubts, at.held_up()) == ([2, 3], Doubts((HIDDEN,)), {READ})
    entries = await at.journal.read_parked(READ, 1, 10, 1 << 20)
    assert [entry.id for entry in at.ends.before_undecided(entries)] == [2]
    sink.found[HIDDEN] = True
    assert not await at.settle(sink), "not at once"
    at.now_s = RETRY_S
    assert await at.settle(sink)
    assert (await at.parked(), at.journal.doubts) == ([2], NO_DOUBTS)
    await at.journal.close()


async def test_what_goes_again_is_noted_before_the_abort_that_looks_like_an_end(folder: Path) -> None:
    at = await Settling(open_journal(folder), OPEN).prepare()
    sink = Ends(found={OPEN: False}, times_out=True)
    with pytest.raises(SinkTimeoutError):
        await at.settle(sink)
    await at.journal.close()
    after = Settling(open_journal(folder))
    sink = Ends(found={OPEN: True})
    assert await after.settle(sink)
    assert (sink.asked, await after.parked(), after.journal.doubts) == ([], [1, 2, 3], NO_DOUBTS)
    await after.journal.close()


@pytest.mark.parametrize("state", ["leaderless", "unauthorized", "missing"])
async def test_a_topic_that_can_not_be_asked_keeps_its_doubt(folder: Path, state: str) -> None:
    at = await Settling(open_journal(folder), OPEN).prepare()
    sink = Ends(found={OPEN: False}, states={READ: state})
    assert not await at.settle(sink)
    assert (at.journal.doubts, sink.aborted) == (Doubts((OPEN,)), [])
    await at.journal.close()


async def test_a_partition_that_is_no_more_and_a_topic_that_is_gone_from_the_map_too_took_their_records_along(
    folder: Path,
) -> None:
    beyond, gone = DoubtfulEnd(READ, 3, 7, (1,)), DoubtfulEnd("once", 0, 7, (2,))
    at = await Settling(open_journal(folder), beyond, gone).prepare()
    sink = Ends(states={"once": "missing"})
    await at.settle(sink)
    assert (await at.parked(), sink.aborted, at.journal.doubts) == ([1, 2, 3], [], NO_DOUBTS)
    await at.journal.close()


async def test_a_topic_that_refuses_the_abort_holds_up_no_other_and_is_asked_again_after_a_while(folder: Path) -> None:
    other = DoubtfulEnd(DELIVERED, 0, 7)
    at = await Settling(open_journal(folder), OPEN, other).prepare()
    sink = Ends(found={OPEN: False}, refuses={READ})
    with pytest.raises(LaneBlockedError, match="may not write"):
        await at.settle(sink)
    await at.settle(sink)
    assert (at.held_up(), sink.aborted) == ({READ}, [other])
    at.now_s, sink.refuses = REFUSED_RETRY_S, set()
    assert await at.settle(sink)
    assert not at.held_up()
    await at.journal.close()


async def test_with_at_least_once_it_is_the_readers_trouble(folder: Path) -> None:
    at = await Settling(open_journal(folder), OPEN, exactly_once=False).prepare()
    sink = Ends(found={OPEN: False}, refuses={READ})
    await at.settle(sink)
    assert not at.held_up()
    assert at.journal.doubts == Doubts((OPEN._replace(entry_ids=()),))
    await at.journal.close()


# the forwarder

POSITIONS = DoubtfulEnd("positions", 0, 4)


class Doubting(ScriptedSink):
    """Takes its first batch without an answer, and is away after it. The positions are lost when it is back."""

    left = NO_DOUBTS
    acknowledged = False
    opened_with: Sequence[DoubtfulEnd] = ()

    async def open(self, known_offset: int | None, doubtful: Collection[DoubtfulEnd] = ()) -> Found | None:
        """Settle what is doubtful in the positions."""
        await super().open(known_offset, doubtful)
        self.opened_with = tuple(doubtful)
        return Found(None, None, 0, POSITIONS.topic)

    async def send(self, items: Sequence[Any], positions: Positions, *more: Any, **options: Any) -> int | None:
        """Take all, but say that it is unknown; after that, just take all."""
        await super().send(items, positions, *more, **options)
        if len(self.taken) == 1:
            self.up = False
            end = DoubtfulEnd(READ, 1, 7, tuple(item.entry_id for item in items))
            self.left = Doubts((), Unclear((POSITIONS, end), positions, POSITIONS.first, self.acknowledged))
            raise SinkTimeoutError("whether a transaction has ended is unknown")
        return None

    async def close(self, *, healthy: bool) -> Doubts:
        """Say what is unknown."""
        del healthy
        left, self.left = self.left, NO_DOUBTS
        return left


@pytest.mark.parametrize(("acknowledged", "sent"), [(False, 2), (True, 1)], ids=["aborted", "acknowledged"])
async def test_a_doubt_outlives_the_process_and_leaves_the_journal_once_it_is_settled(
    folder: Path, acknowledged: bool, sent: int
) -> None:
    """What was acknowledged counts without its positions: here its records have an end."""
    sink = Doubting()
    sink.acknowledged = acknowledged
    first = Running(folder, sink)
    await first.journal.append(read("a"))
    await until(lambda: first.journal.doubts.unclear is not None, "the doubt to be noted")
    assert first.forwarder.status()["doubtful_ends"] == ["positions/0", f"{READ}/1"]
    await first.kill()
    again = open_journal(folder)
    assert (again.doubts.all_ends(), again.positions) == ((POSITIONS, DoubtfulEnd(READ, 1, 7, (1,))), Positions(1))
    await again.close()
    sink.up = True
    second = Running(folder, sink)
    await second.all_forwarded()
    await until(lambda: second.journal.doubts == NO_DOUBTS, "the end of all doubts")
    await second.kill()
    assert (len(sink.opened_with), len(sink.taken)) == (2, sent)
    last = open_journal(folder)
    assert (last.doubts, last.positions) == (NO_DOUBTS, Positions(2))
    await last.close()
