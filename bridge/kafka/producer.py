"""One producer's life: start, send, commit, each with a time limit of our own (aiokafka has none), then close.

After any failure the producer is thrown away: a failed batch poisons its partition for a transactional producer also
after an abort, and a fatal state can't be left. A new one with the same transactional id ends what this one left open.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from bridge.errors import (
    ProducerFencedError,
    RecordRejectedError,
    SinkError,
    SinkTimeoutError,
    SinkUnavailableError,
    TimestampRejectedError,
    TopicPausedError,
)
from bridge.kafka.aiokafka_patches import fail_under_replicated_batches, kill_producer, retrieve, use_fast_lz4
from bridge.kafka.batches import ProducerBatch
from bridge.kafka.errors import paused, translate, translated
from bridge.kafka.transaction_markers import end_offsets, join_transaction, markers_written
from bridge.model import PendingMarker
from bridge.settings.models import Kafka

BATCH_BYTES_MAX: Final = 512 << 10
CLOSE_TIMEOUT_S: Final = 1.0
SUSPICIOUS_S: Final = 2.0
METADATA_TRIES: Final = 3
METADATA_PAUSE_S: Final = 0.1
MARKER_WAIT_S: Final = 2.0
"""How long the markers of a transaction may take after its acknowledged commit: some milliseconds are usual."""
OTHERS_WAIT_S: Final = 0.1
"""How long a marker is waited for that another producer's open transaction hides: that may be open for minutes."""
MARKER_PAUSE_S: Final = 0.002
MARKER_PAUSE_S_MAX: Final = 0.05


class Producer:
    """A producer with or without a transactional id. `options` are those of `client.client_options`."""

    def __init__(self, kafka: Kafka, options: Mapping[str, Any], transactional_id: str | None) -> None:
        self._call_timeout_s = kafka.call_timeout
        self._start_timeout_s = kafka.call_timeout + 3 * kafka.request_timeout * len(kafka.bootstrap_servers)
        self._transactional = transactional_id is not None
        self._in_transaction = False
        self.pending_markers: tuple[PendingMarker, ...] = ()
        """Of the last transaction, when it failed: where its markers may be missing. See `transaction_markers`."""
        self.acknowledged = False
        """Whether Kafka acknowledged the commit of the last transaction."""
        use_fast_lz4()
        fail_under_replicated_batches()
        self._inner = AIOKafkaProducer(
            **options,
            acks="all",
            enable_idempotence=True,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(kafka.transaction_timeout * 1000),
            compression_type=None if kafka.compression == "none" else kafka.compression,
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=int(kafka.request_timeout * 1000),
            # After a commit the coordinator still writes markers: the next transaction is told to come back, and the
            # default of 100 ms for that made the 95th percentile of a transaction three times as long.
            retry_backoff_ms=10,
            metadata_max_age_ms=60_000,
        )

    async def start(self) -> None:
        """Connect; with a transactional id also fence who had it before, and end what that one left open.

        Each server's connect and first request have request_timeout; cancelling them would leave an open socket behind
        for as long as a frozen broker keeps it, so our own limit is beyond their sum.
        """
        await self._limited(self._inner.start(), self._start_timeout_s)

    def create_batch(self) -> Any:
        return self._inner.create_batch()

    async def partition_counts(
        self, topics: Sequence[str], tries: int = METADATA_TRIES
    ) -> dict[str, int | TopicPausedError]:
        """How many partitions each topic has, or why it can't take records.

        Asks Kafka for those that aren't known to be well; a topic may come into being by being asked for, so `tries`.
        Raises SinkTimeoutError when nobody answers: then it isn't known that they are missing.
        """
        client = self._inner.client
        for topic in topics:
            client.add_topic(topic)  # also those that are known: an update forgets what isn't tracked
        counts = {topic: self._partition_count(topic) for topic in topics}
        for attempt in range(tries):
            unwell = [topic for topic, count in counts.items() if not isinstance(count, int)]
            if not unwell or (attempt and all(t in client.cluster.unauthorized_topics for t in unwell)):
                break
            if attempt:
                await asyncio.sleep(METADATA_PAUSE_S)
            if await self._limited(client.force_metadata_update()) is False:
                raise SinkTimeoutError("no broker said how the topics are")
            counts |= {topic: self._partition_count(topic) for topic in unwell}
        return counts

    def _partition_count(self, topic: str) -> int | TopicPausedError:
        cluster = self._inner.client.cluster
        partitions = cluster.partitions_for_topic(topic)
        if partitions is None:
            return paused(topic, "unauthorized" if topic in cluster.unauthorized_topics else "missing")
        if any(cluster.leader_for_partition(TopicPartition(topic, p)) in {None, -1} for p in partitions):
            return paused(topic, "leaderless")
        return len(partitions)

    async def deliver(self, batches: Sequence[ProducerBatch]) -> list[int]:
        """Send the batches and wait for each; with a transactional id, all of them in one transaction.

        Returns the offset of each batch's first record, once it is certain that a transaction comes into effect.
        Raises a SinkError: nothing of it is then visible, except after SinkTimeoutError or ProducerLostError, when it
        is unknown.
        """
        if not self._transactional:
            return await self._send(batches)
        await self._limited(self._inner.begin_transaction())
        self._in_transaction = True
        offsets = await self._send(batches)  # every future is awaited: a commit succeeds over failed records
        # From here on: a commit without an answer may end as badly as one with it.
        self.pending_markers, self.acknowledged = _markers(batches, offsets), False
        await self._limited(self._inner.commit_transaction())
        self._in_transaction, self.acknowledged = False, True
        await self._await_markers(self.pending_markers)
        self.pending_markers = ()
        return offsets

    async def _await_markers(self, markers: Collection[PendingMarker]) -> None:
        """Return once Kafka has written the markers of the last transaction. Raises SinkTimeoutError where it doesn't.

        One that another producer's open transaction hides is taken for written, where a leader is there.
        """
        firsts = {TopicPartition(marker.topic, marker.partition): marker.first for marker in markers}
        began_s, pause_s = time.monotonic(), MARKER_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)  # first of all: it is never there at once
            pause_s = min(2 * pause_s, MARKER_PAUSE_S_MAX)
            stable = await self._limited(end_offsets(self._inner, firsts, committed=True))
            waited_s = time.monotonic() - began_s
            lost = min(firsts.keys() - stable.keys(), default=None)
            firsts = {
                place: first
                for place, first in firsts.items()
                if stable.get(place, first) == first or (stable[place] < first and waited_s < OTHERS_WAIT_S)
            }
            if not firsts:
                return
            if waited_s > MARKER_WAIT_S:
                why = f"{lost.topic} has no leader" if lost else f"no marker in {min(firsts).topic}"
                raise SinkTimeoutError(
                    f"whether a transaction has ended is unknown: {why}, {MARKER_WAIT_S:g} s after it"
                )
            if lost:
                await self._limited(self._inner.client.force_metadata_update())

    async def markers_written(self, markers: Collection[PendingMarker]) -> dict[PendingMarker, bool]:
        """Whether these are written. One that isn't in it can't be told now."""
        firsts = {TopicPartition(marker.topic, marker.partition): marker.first for marker in markers}
        found = await self._limited(markers_written(self._inner, firsts))
        return {m: found[place] for m in markers if (place := TopicPartition(m.topic, m.partition)) in found}

    async def abort_hanging(self, topic: str, markers: Collection[PendingMarker]) -> None:
        """Abort a transaction in these partitions of `topic`: what another one of the same transactional id left
        hanging in them goes with it, what has its marker stays. Nothing is written but markers. Raises a SinkError.
        """
        if not markers:
            return
        await self._limited(self._inner.begin_transaction())
        self._in_transaction = True
        places = {TopicPartition(marker.topic, marker.partition) for marker in markers}
        await self._limited(join_transaction(self._inner, places), topic=topic)
        await self._limited(self._inner.abort_transaction())
        self._in_transaction = False
        await self._await_markers(markers)

    async def _send(self, batches: Sequence[ProducerBatch]) -> list[int]:
        futures: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._call_timeout_s):
                for batch in batches:
                    with translated(batch.topic):
                        sent = await self._inner.send_batch(batch.builder, batch.topic, partition=batch.partition)
                    futures.append(sent)  # what was sent counts after a timeout, too
                await self._await_confirmations(batches, futures)
        except (TimeoutError, SinkTimeoutError) as error:  # the latter: a batch waits too long for the one before
            raise _decisive_error(batches, futures) or self._timeout_cause(batches, futures) from error
        except SinkError:
            # A batch that failed before makes the next send complain about the transaction's state: say the reason.
            if (worst := _decisive_error(batches, futures)) is not None:
                raise worst from None
            raise
        finally:
            for future in futures:
                future.add_done_callback(retrieve)
        if (worst := _decisive_error(batches, futures)) is not None:
            raise worst
        return [future.result().offset for future in futures]

    async def _await_confirmations(
        self, batches: Sequence[ProducerBatch], futures: "Sequence[asyncio.Future[Any]]"
    ) -> None:
        """Wait for the batches. While that takes long, ask for the topics: a deleted one holds up its transaction as a
        whole, without an error, and would cost all others the whole time limit.
        """
        while True:
            _, pending = await asyncio.wait(futures, timeout=SUSPICIOUS_S)
            if not pending:
                return
            await self._limited(self._inner.client.force_metadata_update())
            for topic in {batch.topic for batch in batches}:
                count = self._partition_count(topic)
                if isinstance(count, TopicPausedError):
                    raise count

    def _timeout_cause(self, batches: Sequence[ProducerBatch], futures: "Sequence[asyncio.Future[Any]]") -> SinkError:
        """Why a send took too long: a topic, if metadata says so; else Kafka or the network.

        Confirmed batches prove nothing: batches are sent one after another, and a slow link had time for some.
        """
        for position, batch in enumerate(batches):
            if position >= len(futures) or not futures[position].done():
                count = self._partition_count(batch.topic)
                if isinstance(count, TopicPausedError):
                    return count
        return SinkTimeoutError("Kafka did not confirm a batch in time")

    async def _limited(self, awaitable: Any, limit_s: float | None = None, topic: str = "") -> Any:
        with translated(topic):
            async with asyncio.timeout(limit_s or self._call_timeout_s):
                return await awaitable

    async def close(self, *, healthy: bool) -> None:
        """End the producer within seconds, whatever Kafka does. An unhealthy one is dropped without a flush."""
        inner = self._inner
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if self._in_transaction:
                    await inner.abort_transaction()  # so that readers don't wait for the transaction's timeout
                if healthy:
                    await inner.stop()
                    return
        await kill_producer(inner)


def _markers(batches: Sequence[ProducerBatch], offsets: Sequence[int]) -> tuple[PendingMarker, ...]:
    """Where the batches are, one a partition."""
    found: dict[tuple[str, int], PendingMarker] = {}
    for batch, offset in zip(batches, offsets, strict=True):
        known = found.get((batch.topic, batch.partition))
        first, ids = (offset, ()) if known is None else (min(known.first, offset), known.entry_ids)
        marker = PendingMarker(batch.topic, batch.partition, first, (*ids, *batch.entry_ids))
        found[batch.topic, batch.partition] = marker
    return tuple(found.values())


_PRECEDENCE: Final = (
    ProducerFencedError,
    RecordRejectedError,
    TimestampRejectedError,
    TopicPausedError,
    SinkUnavailableError,
    SinkError,
)


def _decisive_error(batches: Sequence[ProducerBatch], futures: "Sequence[asyncio.Future[Any]]") -> SinkError | None:
    """Of the batches that failed, the error that says most about what to do; None when none failed."""
    failed: list[SinkError] = []
    for batch, future in zip(batches, futures, strict=False):
        error = future.exception() if future.done() and not future.cancelled() else None
        if error is not None:
            sink_error = translate(error, batch.topic)
            sink_error.__cause__ = error
            if isinstance(sink_error, RecordRejectedError):
                sink_error.entry_ids = tuple(batch.entry_ids)
                sink_error.size_bytes = batch.size_bytes
            failed.append(sink_error)
    return min(failed, key=lambda e: next(i for i, kind in enumerate(_PRECEDENCE) if isinstance(e, kind)), default=None)
