"""The loop: read a slice of the journal, send it, move the positions; and never give up.

A failure is always handled the same way: drop the producer, open a new one, ask Kafka where it stands, go on from
there. So no state outlives a failure but the journal's, Kafka's, and which topics and records were rejected.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypedDict

from bridge.errors import (
    FencedError,
    JournalError,
    JournalRestoredError,
    ProducerLostError,
    RecordRejectedError,
    SinkError,
    SinkTimeoutError,
    TopicPausedError,
)
from bridge.forward.batch import Batch, deferral, prepare, sort, topics_of, waits_elsewhere
from bridge.forward.batch_size import BatchSize
from bridge.forward.in_doubt import InDoubtTransactions
from bridge.forward.recovery import recover
from bridge.forward.rejected import REJECTIONS_MAX, RejectedRecords
from bridge.forward.topic_queues import TopicQueue, TopicQueues, TopicQueueStatus, remapped_types, sendable_prefix
from bridge.journal import Journal
from bridge.kafka.errors import delay_s, paused
from bridge.kafka.producer import METADATA_TRIES
from bridge.kafka.sink import Sink, build_sink
from bridge.model import Entry, Positions, Prepared
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer

if TYPE_CHECKING:
    from bridge.telemetry.tracing import BatchTrace, Outcome, Tracing

IDLE_WAIT_S: Final = 5.0
LINGER_BUSY_S_MAX: Final = 0.05
LINGER_BUSY_S_PER_ENTRY: Final = 0.0002
STOP_PAUSE_S: Final = 0.5


class ForwarderStatus(TypedDict):
    """How forwarding is. `stopped` says why nothing is forwarded until an operator has done something, else ""."""

    connected: bool
    stopped: str
    delivery: str
    next_id: int
    positions: dict[str, int]
    topics_behind: list[TopicQueueStatus]
    pending_markers: list[str]
    slice_entries: int
    producer_rebuilds: int
    last_error: str


class Forwarder:
    """Forwards one journal. `run` ends after `request_stop` when nothing is left, or by an error that only an operator
    can mend.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        preparer: Preparer,
        telemetry: Telemetry,
        clock_ms: Callable[[], int],
        *,
        sink: Sink | None = None,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._kafka = settings.kafka
        self._journal = journal
        self._preparer = preparer
        self._telemetry = telemetry
        self._clock_ms = clock_ms
        self._tracing = tracing
        self._sink = sink or build_sink(self._kafka, journal.id, lambda: sorted(self._preparer.topics()))
        self._in_doubt = InDoubtTransactions(journal, telemetry, exactly_once=self._kafka.delivery == "exactly_once")
        self._queues = TopicQueues(self._kafka.topic_retry_interval, self._kafka.backoff_max)
        self._rejected = RejectedRecords()
        self._size = BatchSize()
        self._stopping = False
        self._woken = asyncio.Event()
        """Set by a stop, and while there is a new configuration."""
        self._next_configuration: tuple[Preparer, Settings] | None = None
        self._reconnect = False
        self._connected = False
        self._stopped = self._last_error = ""
        self._rebuilds = 0
        self._behind_since_s: float | None = None
        """Since when there is a backlog that was there when Kafka was connected; None once it is forwarded."""
        self.outcomes: Counter[str] = Counter()
        """How many entries left the journal as forwarded, quarantined, dropped, duplicate."""

    # from outside

    def request_stop(self) -> None:
        """Forward what is there, then let `run` end. Paused topics are not waited for."""
        self._stopping = True
        self._woken.set()

    def reconfigure(self, preparer: Preparer, settings: Settings, *, reconnect: bool = False) -> None:
        """Route by a new configuration from the next batch on; with `reconnect`, also by a new producer."""
        self._next_configuration = preparer, settings
        self._reconnect |= reconnect
        self._woken.set()

    def topic_is_missing(self) -> bool:
        """Whether a topic is paused for its topic to be made, or the producer does not work, which may be for that."""
        return not self._connected or any(queue.state == "missing" for queue in self._queues.all())

    def status(self) -> ForwarderStatus:
        """Positions, topics that are behind, the producer."""
        positions, now_s = self._journal.positions, time.monotonic()
        return {
            "connected": self._connected,
            "stopped": self._stopped,
            "delivery": self._kafka.delivery,
            "next_id": positions.next_id,
            "positions": {topic: positions.of(topic) for topic in sorted(self._preparer.topics())},
            "topics_behind": [queue.describe(now_s) for queue in self._queues.all()],
            "pending_markers": sorted(f"{m.topic}/{m.partition}" for m in self._journal.in_doubt.all_markers()),
            "slice_entries": self._size.limits(self._kafka)[0],
            "producer_rebuilds": self._rebuilds,
            "last_error": self._last_error,
        }

    # the loop

    async def run(self) -> None:
        """Forward until stopped. Raises FencedError, or a JournalError; everything else is tried again.

        JournalRestoredError concerns forwarding only: the journal takes entries as before.
        """
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
            except JournalRestoredError as error:
                self._stopped = self._last_error = str(error)
                self._telemetry.journal_restored(error)
                raise
            except JournalError:
                raise
            except TopicPausedError as error:
                self._pause(error)
            except RecordRejectedError as error:
                self._reject(error)
            except SinkError as error:
                failures += 1
                self._lost(error)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the taking of webhooks
                failures += 1
                self._telemetry.forwarding_failed(error)
                self._lost(SinkError(f"unforeseen: {type(error).__name__}"))
            finally:
                self._connected = False
                await self._in_doubt.add(await self._sink.close(healthy=healthy))
            if done:
                return
            if failures and await self._gave_up(failures):
                return

    async def _open(self) -> None:
        self._take_up_configuration()
        self._reconnect = False
        found = await self._sink.open(self._journal.positions_offset, self._journal.in_doubt.all_markers())
        positions = await recover(self._journal, self._preparer, found)
        for topic in self._queues.restore(positions, time.monotonic()):
            self._telemetry.topic_resumed(topic)
        await self._note_remapped()
        await self._in_doubt.resolve(self._sink, self._preparer)
        self._connected = True
        pending = self._journal.usage().pending
        self._behind_since_s = time.monotonic() if pending else None
        self._telemetry.kafka_connected(next_id=positions.next_id, pending=pending)

    def _take_up_configuration(self) -> bool:
        """Put a new configuration in force, between two batches. Whether there was one."""
        if self._next_configuration is None:
            return False
        self._preparer, settings = self._next_configuration
        self._kafka = settings.kafka
        self._sink.connect_by(settings.kafka)
        self._journal.remember_for(settings.duplicates.window)
        self._next_configuration = None
        self._woken.clear()
        self._queues.retry_all()
        return True

    async def _note_remapped(self) -> None:
        for queue in self._queues.all():
            types = await self._journal.deferred_types(queue.topic)
            queue.remapped = remapped_types(queue.topic, types, self._preparer)

    async def _pump(self) -> bool:
        """Batch after batch, queues that catch up in between. True after the stop, False for a new producer."""
        while True:
            if self._take_up_configuration():
                if self._reconnect:
                    return False
                await self._note_remapped()
            if await self._in_doubt.resolve(self._sink, self._preparer):
                self._queues.retry_all()
            # First: what a queue that was just paused holds up is deferred with it, so that it can be tried at all.
            count = await self._forward_next()
            moved = False
            for queue in self._queues.due(time.monotonic()):
                moved |= await self._catch_up(queue)
            if not moved and not count:
                if self._behind_since_s is not None and not self._journal.usage().pending:
                    self._telemetry.caught_up(time.monotonic() - self._behind_since_s)
                    self._behind_since_s = None
                if self._stopping:
                    return True
                await self._wait()
                count = 1
            await self._linger(count)

    async def _wait(self) -> None:
        """Sleep until an entry comes, a paused topic is due, a new configuration, or the stop."""
        retry_s = self._queues.next_retry_s()
        limit_s = IDLE_WAIT_S if retry_s is None else min(IDLE_WAIT_S, max(0.01, retry_s - time.monotonic()))
        next_entry = asyncio.ensure_future(self._journal.wait_for(self._journal.positions.next_id))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({next_entry, woken}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            next_entry.cancel()
            woken.cancel()

    async def _linger(self, last_count: int) -> None:
        """Let a batch gather, unless there is plenty already.

        A transaction costs 2 to 3 ms of CPU however many entries it carries. When few come, it goes soon; the more
        there were in the last one, the longer waiting for more is worth it.
        """
        if self._stopping or not 0 < self._journal.ahead < self._kafka.batch_entries // 2:
            return
        busy_s = min(LINGER_BUSY_S_MAX, last_count * LINGER_BUSY_S_PER_ENTRY)
        await asyncio.sleep(max(self._kafka.linger, busy_s))

    async def _forward_next(self) -> int:
        """Forward the next slice. Returns how many entries it had."""
        entries = await self._journal.read(self._journal.positions.next_id, *self._size.limits(self._kafka))
        if not entries:
            return 0
        prepared, trace = await self._prepared(entries)
        queue_of = self._queues.queue_of
        batch = await sort(prepared, self._journal, self._preparer, queue_of)
        partitions, stopped = await self._counts(topics_of(batch.out))
        for error in stopped.values():
            self._pause(error)
        batch.hold_back(stopped)
        if batch.waiting:
            # Durable before the positions move past it.
            await self._journal.defer([deferral(item, queue_of(item) or item.topic) for item in batch.waiting])
        positions = self._queues.positions(entries[-1].id + 1, self._journal.usage().deferred)
        await self._commit(batch, trace, partitions, positions)
        return len(entries)

    async def _catch_up(self, queue: TopicQueue) -> bool:
        """Forward a slice of what was deferred for a topic. False when its next entry still can't go.

        A paused topic is tried with that entry alone.
        """
        entries_max, bytes_max = self._size.limits(self._kafka)
        entries = await self._deferred(queue, 1 if queue.waits else entries_max, bytes_max)
        if entries:
            if not await self._forward_deferred(queue, entries):
                return False
        elif queue.waits and queue.topic in self._preparer.topics():
            # Nothing of it is deferred yet: the batch that found it out was not committed.
            _, stopped = await self._counts({queue.topic}, 1)
            if stopped:
                self._pause(stopped[queue.topic])
                return False
        if not await self._deferred(queue, 1):
            self._queues.at_front(queue)
            next_id = self._journal.positions.next_id
            await self._journal.advance(self._queues.positions(next_id, self._journal.usage().deferred), [])
            self._telemetry.topic_resumed(queue.topic)
        return bool(entries)

    async def _deferred(self, queue: TopicQueue, max_entries: int, max_bytes: int = 1) -> list[Entry]:
        found = await self._journal.read_deferred(queue.topic, queue.position, max_entries, max_bytes)
        return [entry for entry in found if entry.id < self._journal.positions.next_id]

    async def _forward_deferred(self, queue: TopicQueue, entries: list[Entry]) -> bool:
        """Forward as many of a topic queue's next entries as can go. False when not even the first one can."""
        entries = self._in_doubt.decided_prefix(entries)
        if not entries:
            self._pause(paused(queue.topic, "marker_missing"))
            return False
        prepared, trace = await self._prepared(entries)
        # By today's map they may go anywhere, and any of them may have to wait.
        partitions, stopped = await self._counts(topics_of(prepared), 1 if queue.waits else METADATA_TRIES)
        passed = sendable_prefix(prepared, stopped)
        if not passed:
            error = stopped[prepared[0].topic]
            self._pause(TopicPausedError(queue.topic, error.state, str(error)))
            return False
        now = self._journal.positions
        going = [item for item in passed if not await waits_elsewhere(item, queue.topic, now, self._journal)]
        batch = await sort(going, self._journal, self._preparer)
        queue.position = passed[-1].entry_id + 1  # if the commit fails, the recovery puts it back
        deferred = Counter(self._journal.usage().deferred)
        deferred[queue.topic] -= len(passed)
        positions = self._queues.positions(now.next_id, deferred)
        try:
            await self._commit(batch, trace, partitions, positions)
        except TopicPausedError as error:
            raise TopicPausedError(queue.topic, error.state, str(error)) from error
        self._queues.moved(queue)
        return True

    # the steps of a batch

    async def _prepared(self, entries: list[Entry]) -> tuple[list[Prepared], "BatchTrace | None"]:
        entries, trace = await self._tracing.begin_batch(entries) if self._tracing is not None else (entries, None)
        prepared = await prepare(entries, self._preparer)
        for at, (entry, item) in enumerate(zip(entries, prepared, strict=True)):
            times, message = self._rejected.rejections(entry.id)
            if times:
                prepared[at] = self._preparer.rejected(entry, item, message, times=times)
            elif item.hint_conflict:
                self._telemetry.hint_conflict(entry.source, item.event_type, entry.hint)
        return prepared, trace

    async def _counts(
        self, topics: set[str], tries: int = METADATA_TRIES
    ) -> tuple[dict[str, int], dict[str, TopicPausedError]]:
        """How many partitions the topics have that can take records; and of the others, why they can't."""
        found = self._in_doubt.block_in_doubt(await self._sink.partition_counts(sorted(topics), tries))
        stopped = {topic: count for topic, count in found.items() if isinstance(count, TopicPausedError)}
        return {topic: count for topic, count in found.items() if isinstance(count, int)}, stopped

    async def _commit(
        self, batch: Batch, trace: "BatchTrace | None", partitions: dict[str, int], positions: Positions
    ) -> None:
        """Hand the records to Kafka with the positions, then note both in the journal."""
        offset = None
        if cut_short := [item.entry_id for item in batch.out if item.truncated]:
            await self._journal.pin(cut_short)  # the only whole copy
        if records := batch.records:
            on_delivered = None if trace is None else trace.sent()
            try:
                with self._size.adapting(*batch.size()):
                    offset = await self._sink.send(records, positions, partitions, self._rejected.sizing, on_delivered)
            except SinkError as error:
                in_doubt = isinstance(error, SinkTimeoutError | ProducerLostError)
                self._ended(trace, records, "in_doubt" if in_doubt else "aborted", error.cause_label)
                raise
            self._ended(trace, records, "committed")
        await self._journal.advance(positions, batch.dedupe_keys(), positions_offset=offset)
        if trace is not None:
            await trace.finish(batch.out, batch.duplicates)
        self._rejected.on_delivered(item.entry_id for item in batch.out)
        self.outcomes.update(item.outcome for item in batch.out)
        self.outcomes["duplicate"] += len(batch.duplicates)
        self._telemetry.batch_forwarded(batch.out, batch.duplicates, self._clock_ms())

    def _ended(self, trace: "BatchTrace | None", records: list[Prepared], outcome: "Outcome", cause: str = "") -> None:
        if self._kafka.delivery == "exactly_once":
            self._telemetry.transaction(outcome)
        if trace is not None:
            trace.ended(records, outcome, cause)

    # failures

    def _pause(self, error: TopicPausedError) -> None:
        self._last_error = str(error)
        self._queues.pause(error, self._journal.positions.next_id, time.monotonic())
        self._telemetry.topic_paused(error.topic, error.state, str(error))

    def _lost(self, error: SinkError) -> None:
        self._last_error = str(error)
        self._rebuilds += 1
        self._telemetry.kafka_lost(error.cause_label, error)

    def _reject(self, error: RecordRejectedError) -> None:
        """Find the record, or set it aside; if not even its beginning is taken, the topic itself is the trouble."""
        self._lost(error)
        entry_id = self._rejected.note(error)
        if entry_id is not None and self._rejected.rejections(entry_id)[0] > REJECTIONS_MAX:
            self._pause(TopicPausedError(error.topic, "invalid", f"{error} (entry {entry_id}, cut short as well)"))

    async def _gave_up(self, failures: int) -> bool:
        """Pause before the next try, unless a new configuration comes. True after the stop, with nothing left to do."""
        pause_s = delay_s(failures, self._kafka.backoff, self._kafka.backoff_max, random.random())  # noqa: S311 - jitter
        if self._stopping:
            await asyncio.sleep(min(pause_s, STOP_PAUSE_S))
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()
        return self._stopping and not self._journal.ahead
