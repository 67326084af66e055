"""A batch of the forwarder → Kafka. One `Sink` for the process; inside it, one producer after another.

open   new producer, barrier, and what Kafka knows of this journal's positions
send   exactly_once: the records and the positions in one transaction; at_least_once: an idempotent send
close  drop the producer; it is always safe to open again
"""

import os
import socket
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaConnectionError, NodeNotReadyError

from bridge.errors import (
    ConfigError,
    FencedError,
    LaneBlockedError,
    ProducerFencedError,
    RecordRefusedError,
    SinkError,
    SinkTimeoutError,
    SinkUnavailableError,
    TimestampRefusedError,
)
from bridge.kafka.batches import Batch, Sizing, assemble
from bridge.kafka.diagnosis import diagnose
from bridge.kafka.doubts import Doubts
from bridge.kafka.errors import blocked
from bridge.kafka.positions import Found, Instance, PositionsTopic
from bridge.kafka.producer import METADATA_TRIES, Producer
from bridge.kafka.security import client_options
from bridge.kafka.stamps import Stamps
from bridge.model import Place, Positions, Prepared
from bridge.settings.models import Kafka

Placed = Callable[[int, int, Sequence[int]], None]
"""Told where records are: the partition, the offset of the first, and the entries whose records follow one another."""


class Sink(Protocol):
    """What the forwarder needs of Kafka."""

    async def open(self, known_offset: int | None) -> Found | None:
        """Build a producer. Returns what Kafka knows of the positions, None where Kafka isn't asked."""

    async def partition_counts(self, topics: Sequence[str], tries: int = ...) -> dict[str, int | LaneBlockedError]:
        """How many partitions each topic has, or why it can't take records. What is unwell is asked for anew."""

    async def send(
        self,
        items: Sequence[Prepared],
        positions: Positions,
        partitions: Mapping[str, int],
        sizing: Sizing,
        placed: Placed | None = None,
    ) -> int | None:
        """Hand over the records of `items` with `positions`. Returns the offset of the positions' record, if any.

        `placed` is called once Kafka has them, where the caller wants to know.
        """

    async def close(self, *, healthy: bool) -> None:
        """Drop the producer."""

    @property
    def doubtful(self) -> frozenset[Place]:
        """Where a commit may have left records without an end, by what `open` and `close` found. See `markers`."""

    def connect_by(self, kafka: Kafka) -> None:
        """Use these servers, credentials and certificates from the next `open` on."""


_NO_CONNECTION: Final = (KafkaConnectionError, NodeNotReadyError)


class _ProducerSink:
    """What both deliveries share: the current producer. `doubtful` is what the journal knows of doubtful ends."""

    def __init__(self, kafka: Kafka, journal_id: str, doubtful: Collection[Place] = ()) -> None:
        self._kafka = kafka
        self._journal_id = journal_id
        self._producer: Producer | None = None
        self._stamps = Stamps()
        self._doubts = Doubts(doubtful)

    @property
    def producer(self) -> Producer:
        """The current producer; an error between close and open."""
        if self._producer is None:
            raise SinkUnavailableError("no producer is open")
        return self._producer

    @property
    def doubtful(self) -> frozenset[Place]:
        """Where a commit may have left records without an end."""
        return self._doubts.places

    @property
    def _transactional_id(self) -> str:
        return self._kafka.transactional_id_prefix + self._journal_id

    def options(self) -> dict[str, Any]:
        """The options of a new client: files are read again, so that rotated secrets and certificates count."""
        try:
            return client_options(self._kafka)
        except ConfigError as error:  # it was readable at the start: a rotation under way, or a mount that is gone
            raise SinkUnavailableError(str(error)) from error

    async def _start(self, options: dict[str, Any], transactional_id: str | None) -> Producer:
        """Start a new producer; when it can't, find out why: aiokafka says the reason only in its log."""
        self._producer = producer = Producer(self._kafka, options, transactional_id)
        try:
            await producer.start()
        except SinkError as error:
            if not isinstance(error, SinkTimeoutError) and not isinstance(error.__cause__, _NO_CONNECTION):
                raise  # Kafka answered: it has said why
            reasons = await diagnose(self._kafka, self._kafka.request_timeout)
            if not reasons:
                raise
            raise SinkUnavailableError(f"no connection to Kafka: {'; '.join(reasons)}") from error
        return producer

    async def partition_counts(
        self, topics: Sequence[str], tries: int = METADATA_TRIES
    ) -> dict[str, int | LaneBlockedError]:
        """How many partitions each topic has, or why it can't take records."""
        return await self.producer.partition_counts(topics, tries)

    async def _deliver(
        self,
        items: Sequence[Prepared],
        partitions: Mapping[str, int],
        sizing: Sizing,
        *more: Batch,
    ) -> tuple[list[Batch], list[int]]:
        """Send the records of `items`, and `more`. The batches, and the offset of each one's first record."""
        times = self._stamps.times()
        batches = [*assemble(self.producer, items, partitions, sizing, times), *more]
        try:
            return batches, await self.producer.deliver(batches)
        except TimestampRefusedError as error:
            raise self._stamps.refused(error, times) from error

    async def close(self, *, healthy: bool) -> None:
        """Drop the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            self._doubts.add(producer.doubtful)
            await producer.close(healthy=healthy)

    def connect_by(self, kafka: Kafka) -> None:
        """Use these servers, credentials and certificates from the next `open` on."""
        self._kafka = kafka


class IdempotentSink(_ProducerSink):
    """`at_least_once`: an idempotent producer; the positions are only in the journal."""

    async def open(self, known_offset: int | None) -> Found | None:
        """Build a producer."""
        del known_offset
        options = self.options()
        await self._start(options, None)
        if self._doubts.places:
            await self._settle_doubts(options)
        return None

    async def _settle_doubts(self, options: dict[str, Any]) -> None:
        """Settle what `exactly_once` left before it was given up: records without an end hold up whoever reads what is
        committed, for good. Forwarding doesn't need it, so what can't be settled waits for the next `open`.
        """
        producer = Producer(self._kafka, options, self._transactional_id)
        healthy = False
        try:
            await producer.start()
            await self._doubts.settle_all(producer)
            healthy = True
        except SinkError:
            pass  # such as: no permission for transactions
        finally:
            await producer.close(healthy=healthy)

    async def send(
        self,
        items: Sequence[Prepared],
        positions: Positions,
        partitions: Mapping[str, int],
        sizing: Sizing,
        placed: Placed | None = None,
    ) -> int | None:
        """Send the records and wait for each."""
        del positions
        batches, offsets = await self._deliver(items, partitions, sizing)
        if placed is not None:
            _tell(placed, batches, offsets)
        return None


class TransactionalSink(_ProducerSink):
    """`exactly_once`: one transaction carries the records and the positions.

    `topics` gives the names that the positions' record lists.
    """

    def __init__(
        self,
        kafka: Kafka,
        journal_id: str,
        instance: Instance,
        topics: Callable[[], list[str]],
        doubtful: Collection[Place] = (),
    ) -> None:
        super().__init__(kafka, journal_id, doubtful)
        self._instance = instance
        self._topics = topics
        self._positions: PositionsTopic | None = None
        self._partition = 0
        self._barrier_offset: int | None = None
        self._superseded = False

    def connect_by(self, kafka: Kafka) -> None:
        """Use these servers, credentials and certificates from the next `open` on."""
        if kafka.bootstrap_servers != self._kafka.bootstrap_servers:
            # It may be another cluster, where the last barrier's offset means nothing. Should another process live on
            # this journal, our new producer supersedes it, and it is the one that finds out.
            self._superseded = False
        super().connect_by(kafka)

    async def open(self, known_offset: int | None) -> Found | None:
        """Build a producer, write a barrier, read the positions up to it.

        Raises FencedError when the last producer was superseded by another live process.
        """
        options = self.options()
        self._positions = PositionsTopic(self._kafka, options, self._journal_id, self._instance)
        await self._refuse_if_taken_over(self._positions)
        producer = await self._start(options, self._transactional_id)
        try:
            # Before the positions are read: they go, or stay, with the records that they count.
            await self._doubts.settle_all(producer, self._kafka.positions_topic)
            self._partition = await self._positions.partition(producer)
            found = await self._positions.recover(producer, self._partition, known_offset)
        except TimestampRefusedError as error:  # a barrier's time is always the present one
            raise self._positions_error(blocked(error.topic, "clock")) from error
        except (LaneBlockedError, RecordRefusedError) as error:
            raise self._positions_error(error) from error
        self._barrier_offset = found.barrier_offset
        return found

    async def partition_counts(
        self, topics: Sequence[str], tries: int = METADATA_TRIES
    ) -> dict[str, int | LaneBlockedError]:
        """How many partitions each topic has, or why it can't take records."""
        return await self._doubts.settle(self.producer, await super().partition_counts(topics, tries))

    def _positions_error(self, error: LaneBlockedError | RecordRefusedError) -> SinkError:
        """Without its positions topic nothing can be forwarded: not one lane's trouble, but everyone's."""
        return SinkUnavailableError(str(error)) if error.topic == self._kafka.positions_topic else error

    async def _refuse_if_taken_over(self, positions: PositionsTopic) -> None:
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
        placed: Placed | None = None,
    ) -> int | None:
        """Send the records and the positions in one transaction, and commit it."""
        assert self._positions is not None
        own = self._positions.batch(self.producer, self._partition, positions, self._topics())
        try:
            batches, offsets = await self._deliver(items, partitions, sizing, own)
        except ProducerFencedError:
            self._superseded = True
            raise
        except (LaneBlockedError, RecordRefusedError) as error:
            raise self._positions_error(error) from error
        if placed is not None:
            _tell(placed, batches, offsets)
        return offsets[-1]


def _tell(placed: Placed, batches: Sequence[Batch], offsets: Sequence[int]) -> None:
    for batch, offset in zip(batches, offsets, strict=True):
        placed(batch.partition, offset, batch.entry_ids)


def build_sink(
    kafka: Kafka, journal_id: str, topics: Callable[[], list[str]], doubtful: Collection[Place] = ()
) -> Sink:
    """The sink that the configuration asks for. `topics` gives the names that the positions' record lists, `doubtful`
    is what `Sink.doubtful` was when the last one was closed.
    """
    if kafka.delivery == "at_least_once":
        return IdempotentSink(kafka, journal_id, doubtful)
    instance = Instance(uuid.uuid4().hex, socket.gethostname(), os.getpid())
    return TransactionalSink(kafka, journal_id, instance, topics, doubtful)
