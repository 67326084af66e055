"""The loop: read a slice of the journal, send it, move the positions; and never give up.

A failure is always handled the same way: drop the producer, open a new one, ask Kafka where it stands, go on from
there. So no state outlives a failure but the journal's, Kafka's, and which lanes and records were refused.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from bridge.backoff import delay_s
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
from bridge.forward.batch import Batch, prepare, sort
from bridge.forward.lanes import Lane, Lanes
from bridge.forward.recovery import begin_anew, is_older, recover
from bridge.forward.refusals import Refusals
from bridge.journal import Journal
from bridge.kafka.sink import Sink, build_sink
from bridge.model import Entry, Positions, Prepared
from bridge.prepare import Preparer
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from bridge.tracing.forwarding import Flight, ForwardingTraces, Outcome

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
        traces: ForwardingTraces | None = None,
    ) -> None:
        self._kafka = settings.kafka
        self._window_ms = int(settings.duplicates.window * 1000)
        self._journal = journal
        self._preparer = preparer
        self._telemetry = telemetry
        self._clock_ms = clock_ms
        self._traces = traces
        self._sink = sink or self._build_sink()
        self._positions = journal.positions
        self._lanes = Lanes(self._kafka.lane_probe, self._kafka.backoff_max)
        self._refusals = Refusals()
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._next_configuration: tuple[Preparer, Settings] | None = None
        self._reconnect = False
        self._connected = False
        self._last_error = ""
        self._rebuilds = 0

    def _build_sink(self) -> Sink:
        return build_sink(self._kafka, self._journal.id, lambda: sorted(self._preparer.topics()))

    # from outside

    def request_stop(self) -> None:
        """Forward what is there, then let `run` end. Lanes that wait are not waited for."""
        self._stop.set()

    def reconfigure(self, preparer: Preparer, settings: Settings, *, reconnect: bool = False) -> None:
        """Route by a new configuration from the next batch on; with `reconnect`, also by a new producer."""
        self._next_configuration = preparer, settings
        self._reconnect |= reconnect
        self._changed.set()

    def status(self) -> dict[str, Any]:
        """For /status: positions, lanes, the producer."""
        now_s = time.monotonic()
        return {
            "connected": self._connected,
            "delivery": self._kafka.delivery,
            "next_id": self._positions.next_id,
            "positions": {t: self._positions.of(t) for t in sorted(self._preparer.topics())},
            "lanes_behind": [_describe(lane, now_s) for lane in self._lanes.all()],
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
                await self._sink.close(healthy=healthy)
            if done:
                return
            if failures and await self._gave_up(failures):
                return

    async def _open(self) -> None:
        self._take_up_configuration()
        self._reconnect = False
        found = await self._sink.open(self._journal.positions_offset)
        kafkas, offset = (found.positions, found.offset) if found is not None else (None, None)
        if found is not None:
            if kafkas is not None and is_older(self._journal, kafkas):
                await self._begin_anew(kafkas)
            await self._journal.confirm()
        self._positions = await recover(self._journal, self._preparer, kafkas, offset)
        self._lanes.restore(self._positions, time.monotonic())
        await self._find_heirs()
        for topic in self._telemetry.lanes_blocked():  # caught up by a commit whose outcome was unclear until now
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
        self._window_ms = int(settings.duplicates.window * 1000)
        self._journal.remember_for(settings.duplicates.window)
        self._next_configuration = None
        self._changed.clear()
        self._lanes.retry_all()
        return True

    async def _find_heirs(self) -> None:
        """Where the entries go that are parked for each lane, if the map was changed after they were."""
        routes = self._preparer.destinations
        for lane in self._lanes.all():
            types = await self._journal.parked_types(lane.topic)
            topics = {routes[name].topic for name in types if name in routes and not routes[name].drop}
            lane.heirs = frozenset(topics - {lane.topic})

    async def _pump(self) -> bool:
        """Batch after batch, with the lanes that catch up in between. True after the stop, False for a new producer."""
        while True:
            if self._take_up_configuration():
                if self._reconnect:
                    return False
                await self._find_heirs()
            moved = False
            for lane in self._lanes.due(time.monotonic()):
                moved |= await self._catch_up(lane)
            count = await self._forward_next()
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
        entries = await self._journal.read(self._positions.next_id, self._kafka.batch_entries, self._kafka.batch_bytes)
        if not entries:
            return 0
        batch = await self._sorted(entries, lambda topic: self._lanes.queue_of(topic) is not None)
        partitions = await self._partitions(batch)
        if batch.waiting:
            await self._park(batch)
        await self._commit(batch, partitions, Positions(entries[-1].id + 1, self._lanes.positions()))
        return len(entries)

    async def _catch_up(self, lane: Lane) -> bool:
        """Forward a slice of what was parked for a lane. False when its topic still can't take it."""
        if lane.waits and lane.topic in self._preparer.topics():  # else its entries go elsewhere now
            count = (await self._sink.partition_counts([lane.topic], tries=1))[lane.topic]
            if not isinstance(count, int):
                self._block(count)
                return False
        entries = await self._journal.read_parked(
            lane.topic, lane.position, self._kafka.batch_entries, self._kafka.batch_bytes
        )
        entries = [entry for entry in entries if entry.id < self._positions.next_id]
        if entries:
            # The route may have changed since it was parked: any topic of the slice that can't move holds it up.
            batch = await self._sorted(entries, lambda topic: topic != lane.topic and self._lanes.is_behind(topic))
            partitions = await self._sink.partition_counts(sorted(batch.topics()))
            for count in partitions.values():
                if not isinstance(count, int):
                    self._block(LaneBlockedError(lane.topic, count.state, str(count)))
                    return False
            if batch.waiting:
                self._block(LaneBlockedError(lane.topic, "leaderless", f"{batch.waiting[0].topic} waits"))
                return False
            before, lane.position = lane.position, entries[-1].id + 1
            try:
                counts = {topic: count for topic, count in partitions.items() if isinstance(count, int)}
                await self._commit(batch, counts, Positions(self._positions.next_id, self._lanes.positions()))
            except LaneBlockedError as error:
                lane.position = before
                raise LaneBlockedError(lane.topic, error.state, str(error)) from error
            except BaseException:
                lane.position = before
                raise
            self._lanes.moved(lane, lane.position)
        if len(entries) < self._kafka.batch_entries and not await self._parked_more(lane):
            self._lanes.at_front(lane)
            await self._advance(Positions(self._positions.next_id, self._lanes.positions()), [], None)
            self._telemetry.lane_resumed(lane.topic)
        return bool(entries)

    async def _parked_more(self, lane: Lane) -> bool:
        rest = await self._journal.read_parked(lane.topic, lane.position, 1, 1)
        return bool(rest) and rest[0].id < self._positions.next_id

    # the steps of a batch

    async def _sorted(self, entries: list[Entry], waits: Callable[[str], bool]) -> Batch:
        entries, flight = self._traces.take_up(entries) if self._traces is not None else (entries, None)
        prepared = await prepare(entries, self._preparer, self._replace_refused)
        for entry, item in zip(entries, prepared, strict=True):
            if item.hint_conflict:
                self._telemetry.hint_conflict(entry.source, item.event_type, entry.hint)
        # From when they came, not from now: after a long outage, both copies of a webhook are older than the window.
        since_ms = min(entry.received_at_ms for entry in entries) - self._window_ms if self._window_ms else None
        return await sort(prepared, self._journal, self._preparer, since_ms=since_ms, waits=waits, flight=flight)

    def _replace_refused(self, entry: Entry, item: Prepared) -> Prepared:
        times, message = self._refusals.times(entry.id)
        if not times:
            return item
        return self._preparer.refused(entry, item, message, times=times)

    async def _partitions(self, batch: Batch) -> dict[str, int]:
        """Partition counts of the batch's topics. Lanes whose topic can't take records are blocked and held back."""
        counts: dict[str, int] = {}
        for topic, count in (await self._sink.partition_counts(sorted(batch.topics()))).items():
            if isinstance(count, int):
                counts[topic] = count
            else:
                self._block(count)
        batch.hold_back({item.topic for item in batch.out if item.record and item.record.topic not in counts})
        return counts

    async def _park(self, batch: Batch) -> None:
        """Note durably what stays behind, before the positions move past it."""
        rows = []
        for item in batch.waiting:
            # No type for what waits for the quarantine: it doesn't follow the map when its type's topic changes.
            event_type = item.event_type if item.outcome != "quarantined" else ""
            rows.append((item.entry_id, self._lanes.queue_of(item.topic) or item.topic, event_type))
        await self._journal.park(rows)

    async def _commit(self, batch: Batch, partitions: dict[str, int], positions: Positions) -> None:
        """Hand the records to Kafka with the positions, then note both in the journal."""
        offset = None
        if cut_short := [item.entry_id for item in batch.out if item.truncated]:
            await self._journal.hold(cut_short)  # the only whole copy
        if records := batch.records:
            flight, sizing = batch.flight, self._refusals.sizing
            placed = None if flight is None else flight.departs()
            try:
                offset = await self._sink.send(records, positions, partitions, sizing, placed)
            except SinkError as error:
                unclear = isinstance(error, SinkTimeoutError | ProducerLostError)
                self._ended(flight, records, "unclear" if unclear else "aborted", error.cause_label)
                raise
            self._ended(flight, records, "committed")
        await self._advance(positions, batch.identities(), offset)
        if batch.flight is not None:
            await batch.flight.tell(batch.out, batch.duplicates)
        self._refusals.passed(item.entry_id for item in batch.out)
        self._telemetry.batch_forwarded(batch.out, batch.duplicates, self._clock_ms())

    async def _advance(self, positions: Positions, identities: list[tuple[bytes, int]], offset: int | None) -> None:
        await self._journal.advance(positions, identities, positions_offset=offset)
        self._positions = positions

    def _ended(self, flight: Flight | None, records: list[Prepared], outcome: Outcome, cause: str = "") -> None:
        if self._kafka.delivery == "exactly_once":
            self._telemetry.transaction(outcome)
        if flight is not None:
            flight.ended(records, outcome, cause)

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


def _describe(lane: Lane, now_s: float) -> dict[str, Any]:
    return {
        "topic": lane.topic,
        "position": lane.position,
        "state": lane.state,
        "cause": lane.cause,
        "for_seconds": round(now_s - lane.since_s, 1),
        "tries": lane.attempt,
    }
