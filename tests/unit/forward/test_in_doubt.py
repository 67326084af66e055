"""What Kafka may have written no marker for is resolved topic by topic, and no process forgets it before it is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import SinkTimeoutError, TopicPausedError
from bridge.forward.in_doubt import CASES, REJECTED_RETRY_S, RETRY_S, Case, InDoubtTransactions
from bridge.journal import Journal
from bridge.kafka.errors import paused
from bridge.kafka.positions import Found
from bridge.model import NOTHING_IN_DOUBT, InDoubt, InDoubtTransaction, PendingMarker, Positions
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.forward.running import DELIVERED, READ, Running, configured, read
from tests.unit.journal.making import NOON_MS, open_journal

SETTINGS = configured()
WRITTEN, MISSING, UNKNOWN = (
    PendingMarker(READ, 0, 7, (1,)),
    PendingMarker(READ, 1, 7, (2,)),
    PendingMarker(READ, 2, 7, (3,)),
)


@dataclass
class Markers(ScriptedSink):
    """Says which are written, and aborts the others, where it may."""

    found: dict[PendingMarker, bool] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    aborted: list[PendingMarker] = field(default_factory=list)
    asked: list[PendingMarker] = field(default_factory=list)
    times_out: bool = False

    async def partition_counts(self, topics: Sequence[str], tries: int = 1) -> dict[str, int | TopicPausedError]:
        """As `states` say, three partitions for the others."""
        del tries
        return {t: paused(t, self.states[t]) if t in self.states else 3 for t in topics}

    async def markers_written(self, markers: Collection[PendingMarker]) -> dict[PendingMarker, bool]:
        """Those that are known."""
        self.asked += markers
        return {end: self.found[end] for end in markers if end in self.found}

    async def abort_hanging(self, topic: str, markers: Collection[PendingMarker]) -> None:
        """Abort, refuse, or do it without an answer."""
        if topic in self.refuses:
            raise paused(topic, "unauthorized")
        self.aborted += markers
        if self.times_out:
            raise SinkTimeoutError("no answer")


class Said(Telemetry):
    """What was said of records without a marker."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: list[tuple[str, int]] = []

    def marker_missing(self, topic: str, entries: int) -> None:
        """Note it."""
        self.missing.append((topic, entries))


class Resolving:
    """What is in doubt in a journal whose entries 1, 2 and 3 are deferred for READ, on a clock that is set by hand."""

    def __init__(self, journal: Journal, *markers: PendingMarker, exactly_once: bool = True) -> None:
        self.journal, self.given = journal, InDoubt(markers)
        self.preparer = Preparer(SETTINGS, journal.id)
        self.now_s = 0.0
        self.said = Said()
        self.in_doubt = InDoubtTransactions(journal, self.said, exactly_once=exactly_once, clock_s=lambda: self.now_s)

    async def prepare(self) -> "Resolving":
        """Fill the journal."""
        for number in range(3):
            await self.journal.append(read("a", number))
        await self.journal.defer([(1, READ, "message.read"), (2, READ, "message.read"), (3, READ, "message.read")])
        await self.journal.advance(Positions(4, {READ: 1}), [], in_doubt=self.given)
        return self

    async def resolve(self, sink: Markers) -> bool:
        """Resolve what can be."""
        return await self.in_doubt.resolve(sink, self.preparer)

    async def deferred(self) -> list[int]:
        """What still waits."""
        return [entry.id for entry in await self.journal.read_deferred(READ, 1, 10, 1 << 20)]

    def held_up(self) -> set[str]:
        """Which topics may take no record."""
        counts = self.in_doubt.block_in_doubt({READ: 3, DELIVERED: 3})
        return {topic for topic, count in counts.items() if isinstance(count, TopicPausedError)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.mark.parametrize("case", CASES, ids=[f"{c.partition}-{c.undecided}-{c.marker}" for c in CASES])
async def test_each_case_of_the_table_does_what_it_says(folder: Path, case: Case) -> None:
    topic = "once" if case.partition == "gone" else READ
    marker = PendingMarker(topic, 0, 7, () if case.undecided is False else (1,))
    at = await Resolving(open_journal(folder), marker).prepare()
    states = {"there": {}, "gone": {topic: "missing"}, "unavailable": {topic: "leaderless"}}
    known = {} if case.marker in {None, "unknown"} else {marker: case.marker == "written"}
    sink = Markers(found=known, states=states[case.partition])
    await at.resolve(sink)

    aborts = case.action in {"abort", "resend"}
    assert sink.aborted == ([marker._replace(entry_ids=())] if aborts else [])
    assert at.journal.in_doubt == (InDoubt((marker,)) if case.action == "wait" else NOTHING_IN_DOUBT)
    assert await at.deferred() == ([2, 3] if case.action == "count" else [1, 2, 3])
    assert at.said.missing == ([(topic, 1)] if case.action == "resend" else [])
    await at.journal.close()


async def test_what_has_its_marker_has_gone_and_what_has_none_is_aborted_and_goes_again(folder: Path) -> None:
    at = await Resolving(open_journal(folder), WRITTEN, MISSING).prepare()
    sink = Markers(found={WRITTEN: True, MISSING: False})
    assert at.held_up() == {READ}
    assert await at.resolve(sink)
    assert (await at.deferred(), sink.aborted, at.journal.in_doubt) == (
        [2, 3],
        [MISSING._replace(entry_ids=())],
        NOTHING_IN_DOUBT,
    )
    assert (at.held_up(), at.said.missing) == (set(), [(READ, 1)])
    assert not await at.resolve(sink)
    ids = [at.preparer.prepare(entry).dedupe_key for entry in await at.journal.read(1, 3, 1 << 20)]
    assert set(await at.journal.seen([i for i in ids if i], NOON_MS)) == {ids[0]}, "a copy of the first is one"
    await at.journal.close()


async def test_where_it_can_not_be_told_the_topic_waits_and_its_entries_with_it(folder: Path) -> None:
    at = await Resolving(open_journal(folder), WRITTEN, UNKNOWN).prepare()
    sink = Markers(found={WRITTEN: True})
    await at.resolve(sink)
    assert (await at.deferred(), at.journal.in_doubt, at.held_up()) == ([2, 3], InDoubt((UNKNOWN,)), {READ})
    entries = await at.journal.read_deferred(READ, 1, 10, 1 << 20)
    assert [entry.id for entry in at.in_doubt.decided_prefix(entries)] == [2]
    sink.found[UNKNOWN] = True
    assert not await at.resolve(sink), "not at once"
    at.now_s = RETRY_S
    assert await at.resolve(sink)
    assert (await at.deferred(), at.journal.in_doubt) == ([2], NOTHING_IN_DOUBT)
    await at.journal.close()


async def test_what_goes_again_is_noted_before_the_abort_that_looks_like_a_commit(folder: Path) -> None:
    at = await Resolving(open_journal(folder), MISSING).prepare()
    sink = Markers(found={MISSING: False}, times_out=True)
    with pytest.raises(SinkTimeoutError):
        await at.resolve(sink)
    await at.journal.close()
    after = Resolving(open_journal(folder))
    sink = Markers(found={MISSING: True})
    assert await after.resolve(sink)
    assert (sink.asked, await after.deferred(), after.journal.in_doubt) == ([], [1, 2, 3], NOTHING_IN_DOUBT)
    await after.journal.close()


@pytest.mark.parametrize("state", ["leaderless", "unauthorized", "missing"])
async def test_a_topic_that_can_not_be_asked_stays_in_doubt(folder: Path, state: str) -> None:
    at = await Resolving(open_journal(folder), MISSING).prepare()
    sink = Markers(found={MISSING: False}, states={READ: state})
    assert not await at.resolve(sink)
    assert (at.journal.in_doubt, sink.aborted) == (InDoubt((MISSING,)), [])
    await at.journal.close()


async def test_a_partition_that_is_no_more_and_a_topic_that_is_gone_from_the_map_too_took_their_records_along(
    folder: Path,
) -> None:
    beyond, gone = PendingMarker(READ, 3, 7, (1,)), PendingMarker("once", 0, 7, (2,))
    at = await Resolving(open_journal(folder), beyond, gone).prepare()
    sink = Markers(states={"once": "missing"})
    await at.resolve(sink)
    assert (await at.deferred(), sink.aborted, at.journal.in_doubt) == ([1, 2, 3], [], NOTHING_IN_DOUBT)
    await at.journal.close()


async def test_a_topic_that_refuses_the_abort_holds_up_no_other_and_is_asked_again_after_a_while(folder: Path) -> None:
    other = PendingMarker(DELIVERED, 0, 7)
    at = await Resolving(open_journal(folder), MISSING, other).prepare()
    sink = Markers(found={MISSING: False}, refuses={READ})
    with pytest.raises(TopicPausedError, match="may not write"):
        await at.resolve(sink)
    await at.resolve(sink)
    assert (at.held_up(), sink.aborted) == ({READ}, [other])
    at.now_s, sink.refuses = REJECTED_RETRY_S, set()
    assert await at.resolve(sink)
    assert not at.held_up()
    await at.journal.close()


async def test_with_at_least_once_it_is_the_readers_trouble(folder: Path) -> None:
    at = await Resolving(open_journal(folder), MISSING, exactly_once=False).prepare()
    sink = Markers(found={MISSING: False}, refuses={READ})
    await at.resolve(sink)
    assert not at.held_up()
    assert at.journal.in_doubt == InDoubt((MISSING._replace(entry_ids=()),))
    await at.journal.close()


# the forwarder

POSITIONS = PendingMarker("positions", 0, 4)


class LeavesInDoubt(ScriptedSink):
    """Takes its first batch without an answer, and is away after it. The positions are lost when it is back."""

    left = NOTHING_IN_DOUBT
    acknowledged = False
    opened_with: Sequence[PendingMarker] = ()

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Resolve what is pending in the positions."""
        await super().open(known_offset, pending)
        self.opened_with = tuple(pending)
        return Found(None, None, 0, POSITIONS.topic)

    async def send(self, items: Sequence[Any], positions: Positions, *more: Any, **options: Any) -> int | None:
        """Take all, but say that it is unknown; after that, just take all."""
        await super().send(items, positions, *more, **options)
        if len(self.taken) == 1:
            self.up = False
            end = PendingMarker(READ, 1, 7, tuple(item.entry_id for item in items))
            self.left = InDoubt((), InDoubtTransaction((POSITIONS, end), positions, POSITIONS.first, self.acknowledged))
            raise SinkTimeoutError("whether a transaction has ended is unknown")
        return None

    async def close(self, *, healthy: bool) -> InDoubt:
        """Say what is unknown."""
        del healthy
        left, self.left = self.left, NOTHING_IN_DOUBT
        return left


@pytest.mark.parametrize(("acknowledged", "sent"), [(False, 2), (True, 1)], ids=["aborted", "acknowledged"])
async def test_a_transaction_in_doubt_outlives_the_process_and_leaves_the_journal_once_it_is_resolved(
    folder: Path, acknowledged: bool, sent: int
) -> None:
    """What was acknowledged counts without its positions: here its markers are written."""
    sink = LeavesInDoubt()
    sink.acknowledged = acknowledged
    first = Running(folder, sink)
    await first.journal.append(read("a"))
    await until(lambda: first.journal.in_doubt.transaction is not None, "the transaction in doubt to be noted")
    assert first.forwarder.status()["pending_markers"] == ["positions/0", f"{READ}/1"]
    await first.kill()
    again = open_journal(folder)
    assert (again.in_doubt.all_markers(), again.positions) == (
        (POSITIONS, PendingMarker(READ, 1, 7, (1,))),
        Positions(1),
    )
    await again.close()
    sink.up = True
    second = Running(folder, sink)
    await second.all_forwarded()
    await until(lambda: second.journal.in_doubt == NOTHING_IN_DOUBT, "all markers to be resolved")
    await until(lambda: second.journal.positions == Positions(2), "the topic to be in step")
    await second.kill()
    assert (len(sink.opened_with), len(sink.taken)) == (2, sent)
    last = open_journal(folder)
    assert (last.in_doubt, last.positions) == (NOTHING_IN_DOUBT, Positions(2))
    await last.close()
