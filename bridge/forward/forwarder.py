"""The loop: read a slice of the journal, send it, move the positions; and never give up.

A failure is always handled the same way: drop the producer, open a new one, ask Kafka where it stands, go on from
there. So no state outlives a failure but the journal's, Kafka's, and which lanes and records were refused.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from bridge.errors import (
    FencedError,
    JournalError,
    LaneBlockedError,
    ProducerLostError,
    RecordRefusedError,
    SinkError,
    SinkTimeoutError,
    SinkUnavailableError,
)
from bridge.forward.batch import Batch, parking, prepare, sort
from bridge.forward.batch_size import Pace
from bridge.forward.in_doubt import DoubtfulEnds
from bridge.forward.recovery import begin_anew, is_older, recover
from bridge.forward.rejected import Refusals
from bridge.forward.topic_queues import Lane, Lanes, count_of_those_that_may_go, destinations
from bridge.journal import Journal
from bridge.kafka.errors import blocked, delay_s
from bridge.kafka.sink import Sink, build_sink
from bridge.model import Entry, Positions, Prepared
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from bridge.telemetry.tracing.spans import BatchTrace, BatchTraces, Outcome
from bridge.transform.prepare import Preparer

IDLE_WAIT_S: Final = 5.0
LINGER_BUSY_S_MAX: Final = 0.05
LINGER_BUSY_S_PER_ENTRY: Final = 0.0002
STOP_PAUSE_S: Final = 0.5
REFUSALS_MAX: Final = 3
"""As an event, as a quarantine record, and as one that is cut; the fourth, cut to some kilobytes, should pass."""


class Forwarder:
    """Forwards one journal. `run` ends after `request_stop` when nothing is left, or by FencedError."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        preparer: Preparer,
        telemetry: Telemetry,
        clock_ms: Callable[[], int],
        *,
        sink: Sink | None = None,
        traces: BatchTraces | None = None,
    ) -> None:
        self._kafka = settings.kafka
        self._journal = journal
        self._preparer = preparer
        self._telemetry = telemetry
        self._clock_ms = clock_ms
        self._traces = traces
        self._sink = sink or self._build_sink()
        self._positions = journal.positions
        self._ends = DoubtfulEnds(journal, telemetry, exactly_once=self._kafka.delivery == "exactly_once")
        self._lanes = Lanes(self._kafka.lane_probe, self._kafka.backoff_max)
        self._refusals = Refusals()
        self._pace = Pace()
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._next_configuration: tuple[Preparer, Settings] | None = None
        self._reconnect = False
        self._connected = False
        self._last_error = ""
        self._rebuilds = 0
        self.outcomes: Counter[str] = Counter()
        """How many entries left the journal as forwarded, quarantined, dropped, duplicate."""

    def _build_sink(self) -> Sink:
        journal = self._journal
        return build_sink(self._kafka, journal.id, lambda: sorted(self._preparer.topics()))

    # from outside

    def request_stop(self) -> None:
        """Forward what is there, then let `run` end. Lanes that wait are not waited for."""
        self._stop.set()

    def reconfigure(self, preparer: Preparer, settings: Settings, *, reconnect: bool = False) -> None:
        """Route by a new configuration from the next batch on; with `reconnect`, also by a new producer."""
        self._next_configuration = preparer, settings
        self._reconnect |= reconnect
        self._changed.set()

    def topic_is_missing(self) -> bool:
        """Whether a lane waits for its topic to be made, or the producer does not work, which may be for that."""
        return not self._connected or any(lane.state == "missing" for lane in self._lanes.all())

    def status(self) -> dict[str, Any]:
        """For /status: positions, lanes, the producer."""
        now_s = time.monotonic()
        return {
            "connected": self._connected,
            "delivery": self._kafka.delivery,
            "next_id": self._positions.next_id,
            "positions": {t: self._positions.of(t) for t in sorted(self._preparer.topics())},
            "lanes_behind": [lane.describe(now_s) for lane in self._lanes.all()],
            "doubtful_ends": sorted(f"{end.topic}/{end.partition}" for end in self._journal.doubts.all_ends()),
            "slice_entries": self._pace.limits(self._kafka)[0],
            "producer_rebuilds": self._rebuilds,
            "last_error": self._last_error,
        }

    # the loop

    async def run(self) -> None:
        """Forward until stopped. Raises FencedError, or a JournalError; everything else is tried again."""
        failures = 0
        while True:
            healthy = done = False
            try:
                await self._open()
                failures = 0
                done = await self._pump()
                healthy = True
            except FencedError as error:
                self._telemetry.fenced(error)
                raise
            except JournalError:
                raise
            except LaneBlockedError as error:
                self._block(error)
            except RecordRefusedError as error:
                self._refused(error)
            except SinkError as error:
                failures += 1
                self._lost(error)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the taking of webhooks
                failures += 1
                self._telemetry.forwarding_failed(error)
                self._lost(SinkError(f"unforeseen: {type(error).__name__}"))
            finally:
                self._connected = False
                await self._ends.add(await self._sink.close(healthy=healthy))
            if done:
                return
            if failures and await self._gave_up(failures):
                return

    async def _open(self) -> None:
        self._take_up_configuration()
        self._reconnect = False
        found = await self._sink.open(self._journal.positions_offset, self._journal.doubts.all_ends())
        if found is not None:
            if found.positions is not None and is_older(self._journal, found.positions):
                await self._begin_anew(found.positions)
            await self._journal.confirm()
        self._positions = await recover(self._journal, self._preparer, found)
        if self._journal.usage().parked:
            await self._journal.unpark_from(self._positions.next_id)
        behind = [lane.topic for lane in self._lanes.all()]
        self._lanes.restore(self._positions, time.monotonic())
        await self._find_heirs()
        await self._ends.settle(self._sink, self._preparer)
        for topic in behind:  # caught up by a commit whose outcome was unclear until now
            if not self._lanes.is_behind(topic):
                self._telemetry.lane_resumed(topic)
        self._connected = True
        self._telemetry.kafka_connected(next_id=self._positions.next_id, pending=self._pending())

    async def _begin_anew(self, kafkas: Positions) -> None:
        old_id = self._journal.id
        await begin_anew(self._journal, self._preparer, kafkas)
        self._telemetry.journal_renewed(old_id, self._journal.id)
        await self._sink.close(healthy=True)
        self._sink = self._build_sink()
        raise SinkUnavailableError(f"the journal goes on as {self._journal.id}")

    def _take_up_configuration(self) -> bool:
        """Put a new configuration in force, between two batches. Whether there was one."""
        if self._next_configuration is None:
            return False
        self._preparer, settings = self._next_configuration
        self._kafka = settings.kafka
        self._sink.connect_by(settings.kafka)
        self._journal.remember_for(settings.duplicates.window)
        self._next_configuration = None
        self._changed.clear()
        self._lanes.retry_all()
        return True

    async def _find_heirs(self) -> None:
        """Where the entries go that are parked for each lane, if the map was changed after they were."""
        for lane in self._lanes.all():
            lane.heirs = await destinations(lane, self._journal, self._preparer) - {lane.topic}

    async def _pump(self) -> bool:
        """Batch after batch, with the lanes that catch up in between. True after the stop, False for a new producer."""
        while True:
            if self._take_up_configuration():
                if self._reconnect:
                    return False
                await self._find_heirs()
            if await self._ends.settle(self._sink, self._preparer):
                self._lanes.retry_all()
            # First: what a lane that was just blocked holds up is parked with it, so that it can be tried at all.
            count = await self._forward_next()
            moved = False
            for lane in self._lanes.due(time.monotonic()):
                moved |= await self._catch_up(lane)
            if not moved and not count:
                if self._stop.is_set():
                    return True
                await self._wait()
                count = 1
            await self._linger(count)

    async def _wait(self) -> None:
        """Sleep until an entry comes, a lane is due, a new configuration, or the stop."""
        retry_s = self._lanes.next_retry_s()
        limit_s = IDLE_WAIT_S if retry_s is None else min(IDLE_WAIT_S, max(0.01, retry_s - time.monotonic()))
        next_entry = self._journal.wait_for(self._positions.next_id)
        await _first_of(limit_s, next_entry, self._stop.wait(), self._changed.wait())

    async def _linger(self, last_count: int) -> None:
        """Let a batch gather, unless there is plenty already.

        A transaction costs 2 to 3 ms of CPU however many entries it carries. When few come, it goes soon; the more
        there were in the last one, the longer waiting for more is worth it.
        """
        if self._stop.is_set() or not 0 < self._pending() < self._kafka.batch_entries // 2:
            return
        busy_s = min(LINGER_BUSY_S_MAX, last_count * LINGER_BUSY_S_PER_ENTRY)
        await asyncio.sleep(max(self._kafka.linger, busy_s))

    async def _forward_next(self) -> int:
        """Forward the next slice. Returns how many entries it had."""
        entries = await self._journal.read(self._positions.next_id, *self._pace.limits(self._kafka))
        if not entries:
            return 0
        prepared, trace = await self._prepared(entries)
        behind = self._lanes.queue_of
        batch = await sort(
            prepared, self._journal, self._preparer, waits=lambda topic: behind(topic) is not None, trace=trace
        )
        partitions = await self._partitions(batch)
        if batch.waiting:
            await self._park(batch)
        await self._commit(batch, partitions, self._positions_with(entries[-1].id + 1))
        return len(entries)

    async def _catch_up(self, lane: Lane) -> bool:
        """Forward a slice of what was parked for a lane. False when its next entry still can't go.

        A lane that waits is tried with that entry alone.
        """
        entries_max, bytes_max = self._pace.limits(self._kafka)
        entries = await self._parked(lane, 1 if lane.waits else entries_max, bytes_max)
        if entries:
            if not await self._forward_parked(lane, entries):
                return False
        elif lane.waits and lane.topic in self._preparer.topics():
            # Nothing of it is parked yet: the batch that found it out was not committed.
            count = (await self._counts([lane.topic], 1))[lane.topic]
            if not isinstance(count, int):
                self._block(count)
                return False
        if not await self._parked(lane, 1):
            self._lanes.at_front(lane)
            await self._advance(self._positions_with(self._positions.next_id), [], None)
            self._telemetry.lane_resumed(lane.topic)
        return bool(entries)

    async def _parked(self, lane: Lane, max_entries: int, max_bytes: int = 1) -> list[Entry]:
        found = await self._journal.read_parked(lane.topic, lane.position, max_entries, max_bytes)
        return [entry for entry in found if entry.id < self._positions.next_id]

    async def _forward_parked(self, lane: Lane, entries: list[Entry]) -> bool:
        """Forward as many of a lane's next entries as can go. False when not even the first one can."""
        entries = self._ends.before_undecided(entries)
        if not entries:
            self._block(blocked(lane.topic, "unended"))
            return False
        prepared, trace = await self._prepared(entries)
        # By today's map they may go anywhere, and any of them may have to wait.
        topics = sorted({item.record.topic for item in prepared if item.record is not None})
        found = await self._counts(topics, *((1,) if lane.waits else ()))
        count, stopped = await count_of_those_that_may_go(prepared, lane, self._lanes, self._journal, found)
        if not count and stopped is not None:
            self._block(LaneBlockedError(lane.topic, stopped.state, str(stopped)))
            return False
        batch = await sort(prepared[:count], self._journal, self._preparer, waits=lambda _: False, trace=trace)
        before, lane.position = lane.position, entries[count - 1].id + 1
        try:
            partitions = {topic: found for topic, found in found.items() if isinstance(found, int)}
            await self._commit(batch, partitions, self._positions_with(self._positions.next_id, {lane.topic: count}))
        except LaneBlockedError as error:
            lane.position = before
            raise LaneBlockedError(lane.topic, error.state, str(error)) from error
        except BaseException:
            lane.position = before
            raise
        self._lanes.moved(lane, lane.position)
        return True

    # the steps of a batch

    async def _prepared(self, entries: list[Entry]) -> tuple[list[Prepared], BatchTrace | None]:
        entries, trace = await self._traces.begin(entries) if self._traces is not None else (entries, None)
        prepared = await prepare(entries, self._preparer, self._replace_refused)
        for entry, item in zip(entries, prepared, strict=True):
            if item.hint_conflict:
                self._telemetry.hint_conflict(entry.source, item.event_type, entry.hint)
        return prepared, trace

    def _replace_refused(self, entry: Entry, item: Prepared) -> Prepared:
        times, message = self._refusals.times(entry.id)
        if not times:
            return item
        return self._preparer.refused(entry, item, message, times=times)

    async def _partitions(self, batch: Batch) -> dict[str, int]:
        """Partition counts of the batch's topics. Lanes whose topic can't take records are blocked and held back."""
        counts: dict[str, int] = {}
        for topic, count in (await self._counts(sorted(batch.topics()))).items():
            if isinstance(count, int):
                counts[topic] = count
            else:
                self._block(count)
        batch.hold_back({item.topic for item in batch.out if item.record and item.record.topic not in counts})
        return counts

    async def _counts(self, topics: Sequence[str], *tries: int) -> dict[str, int | LaneBlockedError]:
        """How many partitions each topic has, or why it can't take records."""
        return self._ends.hold_up(await self._sink.partition_counts(topics, *tries))

    async def _park(self, batch: Batch) -> None:
        """Note durably what stays behind, before the positions move past it."""
        queue_of = self._lanes.queue_of
        await self._journal.park([parking(item, queue_of(item.topic) or item.topic) for item in batch.waiting])

    def _positions_with(self, next_id: int, leaving: Mapping[str, int] | None = None) -> Positions:
        """The positions from a commit on that takes so many of what is parked (lane → count) out of their queues."""
        behind, parked = self._lanes.positions(), self._journal.usage().parked if self._lanes.all() else {}
        return Positions(
            next_id, behind, {topic: parked.get(topic, 0) - (leaving or {}).get(topic, 0) for topic in behind}
        )

    async def _commit(self, batch: Batch, partitions: dict[str, int], positions: Positions) -> None:
        """Hand the records to Kafka with the positions, then note both in the journal."""
        offset = None
        if cut_short := [item.entry_id for item in batch.out if item.truncated]:
            await self._journal.hold(cut_short)  # the only whole copy
        if records := batch.records:
            trace, sizing = batch.trace, self._refusals.sizing
            on_delivered = None if trace is None else trace.sent()
            try:
                with self._pace.timing(*batch.size()):
                    offset = await self._sink.send(records, positions, partitions, sizing, on_delivered)
            except SinkError as error:
                unclear = isinstance(error, SinkTimeoutError | ProducerLostError)
                self._ended(trace, records, "unclear" if unclear else "aborted", error.cause_label)
                raise
            self._ended(trace, records, "committed")
        await self._advance(positions, batch.identities(), offset)
        if batch.trace is not None:
            await batch.trace.finish(batch.out, batch.duplicates)
        self._refusals.passed(item.entry_id for item in batch.out)
        self.outcomes.update(item.outcome for item in batch.out)
        self.outcomes["duplicate"] += len(batch.duplicates)
        self._telemetry.batch_forwarded(batch.out, batch.duplicates, self._clock_ms())

    async def _advance(self, positions: Positions, identities: list[tuple[bytes, int]], offset: int | None) -> None:
        await self._journal.advance(positions, identities, positions_offset=offset)
        self._positions = positions

    def _ended(self, trace: BatchTrace | None, records: list[Prepared], outcome: Outcome, cause: str = "") -> None:
        if self._kafka.delivery == "exactly_once":
            self._telemetry.transaction(outcome)
        if trace is not None:
            trace.ended(records, outcome, cause)

    # failures

    def _block(self, error: LaneBlockedError) -> None:
        self._last_error = str(error)
        self._lanes.block(error, self._positions.next_id, time.monotonic())
        self._telemetry.lane_blocked(error.topic, error.state, str(error))

    def _lost(self, error: SinkError) -> None:
        self._last_error = str(error)
        self._rebuilds += 1
        self._telemetry.kafka_lost(error.cause_label, error)

    def _refused(self, error: RecordRefusedError) -> None:
        """Find the record, or set it aside; if not even its last words are taken, the topic itself is the trouble."""
        self._lost(error)
        entry_id = self._refusals.note(error)
        if entry_id is not None and self._refusals.times(entry_id)[0] > REFUSALS_MAX:
            self._block(LaneBlockedError(error.topic, "invalid", f"{error} (entry {entry_id}, cut short as well)"))

    async def _gave_up(self, failures: int) -> bool:
        """Pause before the next try, unless a new configuration comes. True after the stop, with nothing left to do."""
        pause_s = delay_s(failures, self._kafka.backoff, self._kafka.backoff_max, random.random())  # noqa: S311 - jitter
        if not self._stop.is_set():
            await _first_of(pause_s, self._stop.wait(), self._changed.wait())
        else:
            await asyncio.sleep(min(pause_s, STOP_PAUSE_S))
        return self._stop.is_set() and not self._pending()

    def _pending(self) -> int:
        return max(0, self._journal.last_id + 1 - self._positions.next_id)


async def _first_of(limit_s: float, *happenings: Coroutine[Any, Any, object]) -> None:
    """Wait for one of them, `limit_s` seconds at the most."""
    waits = {asyncio.ensure_future(happening) for happening in happenings}
    try:
        await asyncio.wait(waits, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
