"""A batch of the forwarder → Kafka. One `Sink` for the process; inside it, one producer after another.

open   new producer, barrier, and what Kafka knows of this journal's positions
send   exactly_once: the records and the positions in one transaction; at_least_once: an idempotent send
close  drop the producer; it is always safe to open again. Says what is unknown of its last transaction
"""

import os
import socket
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence

from bridge.errors import (
    FencedError,
    ProducerFencedError,
    RecordRejectedError,
    SinkError,
    SinkUnavailableError,
    TimestampRejectedError,
    TopicPausedError,
)
from bridge.kafka.batches import ProducerBatch, Sizing, Timestamps, assemble
from bridge.kafka.client import current_options
from bridge.kafka.diagnosis import connect
from bridge.kafka.errors import paused
from bridge.kafka.positions import Found, Instance, PositionsTopic
from bridge.kafka.producer import METADATA_TRIES, Producer
from bridge.model import NOTHING_IN_DOUBT, InDoubt, InDoubtTransaction, PendingMarker, Positions, Prepared
from bridge.settings.models import Kafka

OnDelivered = Callable[[int, int, Sequence[int]], None]
"""Told where records are: the partition, the offset of the first, and the entries whose records follow one another."""


class Sink:
    """With `at_least_once`: an idempotent producer; the positions are only in the journal."""

    def __init__(self, kafka: Kafka, journal_id: str) -> None:
        self._kafka = kafka
        self._journal_id = journal_id
        self._producer: Producer | None = None
        self._timestamps = Timestamps()

    @property
    def producer(self) -> Producer:
        """The current producer; an error between close and open."""
        if self._producer is None:
            raise SinkUnavailableError("no producer is open")
        return self._producer

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Build a producer. Returns what Kafka knows of the positions, None where Kafka isn't asked.

        What is `pending` in the positions' topic is resolved then.
        """
        del known_offset, pending
        self._producer = Producer(self._kafka, current_options(self._kafka), None)
        await connect(self._producer, self._kafka)
        return None

    async def partition_counts(
        self, topics: Sequence[str], tries: int = METADATA_TRIES
    ) -> dict[str, int | TopicPausedError]:
        """How many partitions each topic has, or why it can't take records. What is unwell is asked for anew."""
        return await self.producer.partition_counts(topics, tries)

    async def send(
        self,
        items: Sequence[Prepared],
        positions: Positions,
        partitions: Mapping[str, int],
        sizing: Sizing,
        on_delivered: OnDelivered | None = None,
    ) -> int | None:
        """Hand over the records of `items` with `positions`. Returns the offset of the positions' record, if any.

        `on_delivered` is called once Kafka has them, where the caller wants to know.
        """
        own = self._positions_batches(positions)
        batches = [*assemble(self.producer.create_batch, items, partitions, sizing, self._timestamps), *own]
        try:
            offsets = await self.producer.deliver(batches)
        except TimestampRejectedError as error:
            raise self._timestamps.rejected(error) from error
        if on_delivered is not None:
            for batch, offset in zip(batches, offsets, strict=True):
                on_delivered(batch.partition, offset, batch.entry_ids)
        return offsets[-1] if own else None

    def _positions_batches(self, positions: Positions) -> list[ProducerBatch]:
        del positions
        return []

    async def close(self, *, healthy: bool) -> InDoubt:
        """Drop the producer. Returns what is unknown of its last transaction."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.close(healthy=healthy)
        return NOTHING_IN_DOUBT

    def connect_by(self, kafka: Kafka) -> None:
        """Use these servers, credentials and certificates from the next `open` on."""
        self._kafka = kafka

    async def markers_written(self, markers: Collection[PendingMarker]) -> dict[PendingMarker, bool]:
        """Whether these are written. One that isn't in it can't be told now. Raises a SinkError.

        Here none is, for all that this delivery promises: their entries go again.
        """
        return dict.fromkeys(markers, False)

    async def abort_hanging(self, topic: str, markers: Collection[PendingMarker]) -> None:
        """Abort what hangs there without a marker. Raises a SinkError.

        Here that is what `exactly_once` left before it was given up: it holds up whoever reads what is committed, for
        good. Takes a producer of its own.
        """
        transactional_id = self._kafka.transactional_id_prefix + self._journal_id
        producer = Producer(self._kafka, current_options(self._kafka), transactional_id)
        healthy = False
        try:
            await producer.start()
            await producer.partition_counts([topic], 1)
            await producer.abort_hanging(topic, markers)
            healthy = True
        finally:
            await producer.close(healthy=healthy)


class TransactionalSink(Sink):
    """`exactly_once`: one transaction carries the records and the positions.

    `topics` gives the names that the positions' record lists.
    """

    def __init__(self, kafka: Kafka, journal_id: str, instance: Instance, topics: Callable[[], list[str]]) -> None:
        super().__init__(kafka, journal_id)
        self._instance = instance
        self._topics = topics
        self._positions: PositionsTopic | None = None
        self._partition = 0
        self._barrier_offset: int | None = None
        self._superseded = False
        self._sending: Positions | None = None

    def connect_by(self, kafka: Kafka) -> None:
        if kafka.bootstrap_servers != self._kafka.bootstrap_servers:
            # It may be another cluster, where the last barrier's offset means nothing. Should another process live on
            # this journal, our new producer supersedes it, and it is the one that finds out.
            self._superseded = False
        super().connect_by(kafka)

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Build a producer, write a barrier, read the positions up to it.

        Raises FencedError when the last producer was superseded by another live process.
        """
        options = current_options(self._kafka)
        self._positions = PositionsTopic(self._kafka, options, self._journal_id, self._instance)
        await self._check_takeover(self._positions)
        self._sending = None
        transactional_id = self._kafka.transactional_id_prefix + self._journal_id
        self._producer = producer = Producer(self._kafka, options, transactional_id)
        await connect(producer, self._kafka)
        try:
            self._partition = await self._positions.partition(producer)
            # Before the barrier, whose commit would be taken for the missing marker.
            topic = self._kafka.positions_topic
            await producer.abort_hanging(
                topic, [marker for marker in pending if (marker.topic, marker.partition) == (topic, self._partition)]
            )
            found = await self._positions.recover(producer, self._partition, known_offset)
        except TimestampRejectedError as error:  # a barrier's time is always the present one
            raise self._positions_error(paused(error.topic, "clock")) from error
        except (TopicPausedError, RecordRejectedError) as error:
            raise self._positions_error(error) from error
        self._barrier_offset = found.barrier_offset
        return found

    async def markers_written(self, markers: Collection[PendingMarker]) -> dict[PendingMarker, bool]:
        return await self.producer.markers_written(markers)

    async def abort_hanging(self, topic: str, markers: Collection[PendingMarker]) -> None:
        await self.producer.abort_hanging(topic, markers)

    async def close(self, *, healthy: bool) -> InDoubt:
        producer = self._producer
        await super().close(healthy=healthy)
        if producer is None:
            return NOTHING_IN_DOUBT
        markers = producer.pending_markers
        own = [marker for marker in markers if marker.topic == self._kafka.positions_topic]
        if self._sending is None or not own:
            return InDoubt(markers)
        return InDoubt((), InDoubtTransaction(markers, self._sending, own[0].first, producer.acknowledged))

    def _positions_error(self, error: TopicPausedError | RecordRejectedError) -> SinkError:
        """Without its positions topic nothing can be forwarded: not the trouble of one topic, but of all."""
        return SinkUnavailableError(str(error)) if error.topic == self._kafka.positions_topic else error

    async def _check_takeover(self, positions: PositionsTopic) -> None:
        """Before fencing anybody: a superseded epoch may mean that another process lives on this journal."""
        if not self._superseded or self._barrier_offset is None:
            return
        other = await positions.foreign_barrier(self._partition, self._barrier_offset)
        if other is not None:
            raise FencedError(
                f"another live process forwards this journal ({self._journal_id}): {other}. Two copies of a journal "
                f"must not run: stop one, and give it a journal folder of its own. This is {self._instance}"
            )
        self._superseded = False

    async def send(
        self,
        items: Sequence[Prepared],
        positions: Positions,
        partitions: Mapping[str, int],
        sizing: Sizing,
        on_delivered: OnDelivered | None = None,
    ) -> int | None:
        self._sending = positions
        try:
            offset = await super().send(items, positions, partitions, sizing, on_delivered)
        except ProducerFencedError:
            self._superseded = True
            raise
        except (TopicPausedError, RecordRejectedError) as error:
            raise self._positions_error(error) from error
        self._sending = None
        return offset

    def _positions_batches(self, positions: Positions) -> list[ProducerBatch]:
        assert self._positions is not None
        return [self._positions.batch(self.producer, self._partition, positions, self._topics())]


def build_sink(kafka: Kafka, journal_id: str, topics: Callable[[], list[str]]) -> Sink:
    """The sink that the configuration asks for. `topics` gives the names that the positions' record lists."""
    if kafka.delivery == "at_least_once":
        return Sink(kafka, journal_id)
    instance = Instance(uuid.uuid4().hex, socket.gethostname(), os.getpid())
    return TransactionalSink(kafka, journal_id, instance, topics)
