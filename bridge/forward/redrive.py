"""The way back from the quarantine: what it holds, by today's version and configuration, forwarded once.

What passes goes out in one transaction with a *mark*: a record in the quarantine topic itself, under the same key, that
names the record by partition and offset and the event by its dedupe key. Whoever redrives next reads all marks first
and passes over what has one. So an entry goes out once, whatever crashes in between, for as long as its record is
there: the mark is younger than the record, so it lasts longer.

There is one redrive at a time: a transactional id of its own fences a second one (and ends what a dead one left open)
before the marks are read. What it does not know is the bridge's window of duplicates, and the reverse: a webhook that
Treble sent once more after the configuration was mended has gone out by itself, and goes out again from here, under the
same id.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from bridge.catalogue.times import utc_text
from bridge.errors import (
    ExitCode,
    JournalError,
    ProducerFencedError,
    RecordRejectedError,
    SinkError,
    TimestampRejectedError,
    TopicPausedError,
)
from bridge.journal.offline.inspect import get_entry, read_state
from bridge.kafka.batches import Sizing, Times, Timestamps, assemble
from bridge.kafka.client import client_options
from bridge.kafka.consumer import Kept, ends_of, history
from bridge.kafka.producer import Producer
from bridge.model import Entry, Event, PendingMarker, Prepared, Record
from bridge.settings.models import Settings
from bridge.transform.dead_letter import Returned, read_back
from bridge.transform.dedupe import dedupe_key
from bridge.transform.prepare import Preparer
from bridge.version import VERSION

MARK: Final = "treble_redriven"
"""Header of a mark: `<partition>@<offset>` of the record. On an event: `true`."""
DEDUPE_KEY: Final = "treble_redriven_event"
REASON: Final = "redriven"

_ANYWHERE: Final = -1
_BATCH_RECORDS: Final = 100
_BATCH_BYTES: Final = 4 << 20

RedriveOutcome = Literal["redriven", "already", "twin", "still", "dropped", "incomplete", "blocked", "rejected"]


class RedriveFencedError(SinkError):
    """Another redrive runs, or began after this one. What this one sent is marked; the rest is the other's."""

    exit_code = ExitCode.FENCED


@dataclass(frozen=True, slots=True, repr=False)  # it holds what people said
class DeadLetter:
    """A record of the quarantine, and whether a mark names it."""

    place: tuple[int, int]
    key: bytes
    value: bytes
    returned: Returned
    marked: bool

    def became(self, outcome: RedriveOutcome, detail: str, event_type: str | None = None) -> "Redriven":
        """What became of it."""
        return Redriven(self.place, self.returned.id, outcome, detail, event_type or self.returned.event_type)


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of one record. `detail` says why it did not go out, or where it went."""

    place: tuple[int, int]
    id: str
    outcome: RedriveOutcome
    detail: str
    event_type: str | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """What was redriven before: records by place, events by dedupe key. Bounded by the topic's own retention."""

    places: set[tuple[int, int]]
    dedupe_keys: set[bytes]


@dataclass(frozen=True, slots=True, repr=False)
class _Step:
    """One record on its way out: the event (None for a twin), and its mark."""

    letter: DeadLetter
    dedupe_key: bytes
    event: Prepared | None
    mark: Prepared
    outcome: Redriven

    def as_twin(self) -> "_Step":
        """The same where the event went out already, from another record: the mark alone."""
        detail = "the same event went out from another record"
        return replace(self, event=None, outcome=replace(self.outcome, outcome="twin", detail=detail))

    def undone(self, outcome: RedriveOutcome, detail: str) -> Redriven:
        """What became of it where it didn't go out."""
        return replace(self.outcome, outcome=outcome, detail=detail)


async def read_marks(
    settings: Settings, ends: Mapping[int, int], known: Marks | None = None, begins: Mapping[int, int] | None = None
) -> Marks:
    """All marks in the quarantine topic below `ends`; `known` with those that were added from `begins` on."""
    marks = Marks(set(), set()) if known is None else known
    async for record in history(settings.kafka, settings.topics.quarantine, ends, begins):
        if MARK not in record.headers:
            continue
        try:
            partition, _, offset = record.headers[MARK].decode().partition("@")
            place, key_ = (int(partition), int(offset)), bytes.fromhex(record.headers[DEDUPE_KEY].decode())
        except (ValueError, KeyError):
            continue  # somebody else's header
        marks.places.add(place)
        marks.dedupe_keys.add(key_)
    return marks


async def dead_letters(settings: Settings, ends: Mapping[int, int], marks: Marks) -> AsyncIterator[DeadLetter]:
    """The records of the quarantine below `ends`. What is neither one nor a mark is passed over."""
    async for record in history(settings.kafka, settings.topics.quarantine, ends):
        if MARK not in record.headers and (returned := _returned(record)) is not None:
            yield DeadLetter(record.place, record.key, record.value, returned, record.place in marks.places)


class Redrive:
    """One run. `preparer` is today's; `wanted` says which records are meant."""

    def __init__(self, settings: Settings, preparer: Preparer, wanted: Callable[[DeadLetter], bool]) -> None:
        self._settings = settings
        self._preparer = preparer
        self._wanted = wanted
        self._topic = settings.topics.quarantine
        self._producer: Producer | None = None
        self._timestamps = Timestamps()
        self._marks = Marks(set(), set())
        self._ends: Mapping[int, int] = {}
        """Up to where the marks were read."""

    async def rehearse(self) -> AsyncIterator[Redriven]:
        """What `run` would do. Writes nothing, fences nobody."""
        ends = await ends_of(self._settings.kafka, self._topic)
        self._marks = await read_marks(self._settings, ends)
        async for letter in dead_letters(self._settings, ends, self._marks):
            if not self._wanted(letter):
                continue
            found = await asyncio.to_thread(self._decide, letter)
            if isinstance(found, Redriven):
                yield found
                continue
            yield (found.as_twin() if found.dedupe_key in self._marks.dedupe_keys else found).outcome
            self._marks.dedupe_keys.add(found.dedupe_key)

    async def run(self) -> AsyncIterator[Redriven]:
        """Redrive what passes; each outcome is true when it is yielded. Raises a SinkError; run again after one."""
        try:
            await ends_of(self._settings.kafka, self._topic)  # says it best when Kafka or the topic is not there
            await self._connect()  # before the marks are read: from here on nobody else writes one
            self._ends = ends = await ends_of(self._settings.kafka, self._topic)
            self._marks = await read_marks(self._settings, ends)
            steps: list[_Step] = []
            size = 0
            async for letter in dead_letters(self._settings, ends, self._marks):
                if not self._wanted(letter):
                    continue
                found = await asyncio.to_thread(self._decide, letter)
                if isinstance(found, Redriven):
                    yield found
                    continue
                # A twin's mark says that the event went out: so that has to be true first.
                waits = any(step.dedupe_key == found.dedupe_key for step in steps)
                if waits or len(steps) >= _BATCH_RECORDS or size >= _BATCH_BYTES:
                    for outcome in await self._deliver(steps):
                        yield outcome
                    steps, size = [], 0
                steps.append(found.as_twin() if found.dedupe_key in self._marks.dedupe_keys else found)
                size += len(found.letter.returned.entry.body)
            for outcome in await self._deliver(steps):
                yield outcome
        except ProducerFencedError as error:
            raise RedriveFencedError("another redrive runs, or began after this one: run it again later") from error
        finally:
            await self._disconnect(healthy=True)

    def _decide(self, letter: DeadLetter) -> "Redriven | _Step":
        """What is to be done with one record. Reads the journal where the record holds less than the body."""
        returned, left = letter.returned, letter.became
        if letter.marked:
            return left("already", "redriven before")
        entry = returned.entry if returned.complete else _from_journal(self._settings, returned)
        if entry is None:
            where = f"entry {returned.entry.id} of journal {returned.journal_id}"
            return left("incomplete", f"the record holds less than the body; see {where}")
        prepared = self._preparer.prepare(entry)
        if prepared.outcome == "quarantined":
            return left("still", prepared.reason)
        if prepared.record is None:
            return left("dropped", f"the route of {prepared.event_type} says drop")
        _, event = self._preparer.examine(entry)
        assert isinstance(event, Event)
        event = self._preparer.published(event)  # marks are read by whoever reads the quarantine
        return _Step(
            letter,
            dedupe_key(event),
            _marked_event(prepared),
            prepared._replace(topic=self._topic, record=_mark(self._topic, letter, event, prepared.topic)),
            letter.became("redriven", prepared.topic, event.type),
        )

    async def _deliver(self, steps: Sequence[_Step]) -> list[Redriven]:
        """Events and marks in one transaction; when Kafka refuses a record, one transaction for each."""
        if self._producer is None and steps:
            await self._connect()
            steps, done = await self._left_of(steps)
            return [*done, *await self._deliver(steps)]
        if not steps:
            return []
        records = [item for step in steps for item in (step.event, step.mark) if item is not None]
        topics = sorted({item.topic for item in records})
        assert self._producer is not None
        counts = await self._producer.partition_counts(topics)
        stuck = {topic: str(count) for topic, count in counts.items() if not isinstance(count, int)}
        if stuck:
            if self._topic in stuck:
                raise SinkError(stuck[self._topic])
            return [*await self._deliver([s for s in steps if s.event is None or s.event.topic not in stuck])] + [
                step.undone("blocked", stuck[step.event.topic])
                for step in steps
                if step.event is not None and step.event.topic in stuck
            ]
        whole = {topic: count for topic, count in counts.items() if isinstance(count, int)}
        times = self._timestamps.times()
        try:
            await self._producer.deliver(assemble(self._producer.create_batch, records, whole, Sizing(), times))
        except (RecordRejectedError, TopicPausedError, TimestampRejectedError) as error:
            await self._disconnect(healthy=False)  # a producer that failed can't be used again
            return await self._deliver_after(error, steps, times)
        self._marks.dedupe_keys.update(step.dedupe_key for step in steps)
        return [step.outcome for step in steps]

    async def _deliver_after(self, refusal: SinkError, steps: Sequence[_Step], times: Times) -> list[Redriven]:
        """The same with other times, or one by one; a single one is left as it is."""
        error = refusal
        if isinstance(refusal, TimestampRejectedError):
            error = self._timestamps.rejected(refusal, times)
            if error is refusal:
                return await self._deliver(steps)
        if len(steps) == 1:
            blocked = isinstance(error, TopicPausedError)
            return [steps[0].undone("blocked" if blocked else "rejected", str(error))]
        return [outcome for step in steps for outcome in await self._deliver([step])]

    async def _left_of(self, steps: Sequence[_Step]) -> tuple[list[_Step], list[Redriven]]:
        """What is still to be done of these steps, and the outcomes of the others.

        For while there was no producer, nobody was fenced: another redrive may have begun, and may even have ended.
        """
        begins, self._ends = self._ends, await ends_of(self._settings.kafka, self._topic)
        await read_marks(self._settings, self._ends, self._marks, begins)
        marks, left, done = self._marks, [], []
        for step in steps:
            if step.letter.place in marks.places:
                done.append(step.undone("already", "another redrive did it meanwhile"))
            else:
                left.append(step.as_twin() if step.event and step.dedupe_key in marks.dedupe_keys else step)
        return left, done

    async def _connect(self) -> None:
        kafka = self._settings.kafka
        self._producer = Producer(kafka, client_options(kafka), f"{kafka.transactional_id_prefix}redrive")
        await self._producer.start()
        await self._abort_hanging()

    async def _abort_hanging(self) -> None:
        """A redrive whose commit was acknowledged by a broker on its way down may have left records without a marker
        (see `bridge.kafka.transaction_markers`). No other producer can end them, and nobody kept a note of where
        they are.
        """
        assert self._producer is not None
        counts = await self._producer.partition_counts(sorted(self._preparer.topics()), 1)
        for topic, count in counts.items():
            if isinstance(count, int):
                await self._producer.abort_hanging(topic, [PendingMarker(topic, n, _ANYWHERE) for n in range(count)])
            elif count.state == "leaderless":
                raise count  # what hangs in it would go out a second time

    async def _disconnect(self, *, healthy: bool) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.close(healthy=healthy)


def _returned(record: Kept) -> Returned | None:
    try:
        return read_back(record.value)
    except ValueError:
        return None


def _from_journal(settings: Settings, returned: Returned) -> Entry | None:
    """The whole entry, where its journal is on this machine and still has it."""
    folder = Path(settings.journal.path)
    try:
        if read_state(folder).journal_id != returned.journal_id:
            return None
        found = get_entry(folder, returned.entry.id)
    except (JournalError, OSError):
        return None
    return found[0] if found else None


def _marked_event(prepared: Prepared) -> Prepared:
    assert prepared.record is not None
    headers = (*prepared.record.headers, (MARK, b"true"))
    return prepared._replace(record=prepared.record._replace(headers=headers))


def _mark(topic: str, letter: DeadLetter, event: Event, went_to: str) -> Record:
    """The mark: a record of the quarantine topic that has its fields, and nothing of the body.

    Its time is now: it must outlast the record that it marks.
    """
    returned, (partition, offset) = letter.returned, letter.place
    value: dict[str, Any] = {
        "id": returned.id,
        "reason": REASON,
        "problems": [],
        "event_type": event.type,
        "journal_id": returned.journal_id,
        "entry_id": returned.entry.id,
        "received_at": utc_text(returned.entry.received_at_ms),
        "source": returned.entry.source,
        "hint": returned.entry.hint,
        "bridge": VERSION,
        "raw": "",
        "raw_encoding": "utf-8",
        "raw_bytes": returned.raw_bytes,
        "truncated": True,
        "redriven": {"partition": partition, "offset": offset, "event_id": event.id, "topic": went_to},
    }
    headers = (
        ("content-type", b"application/json"),
        ("treble_reason", REASON.encode()),
        (MARK, f"{partition}@{offset}".encode()),
        (DEDUPE_KEY, dedupe_key(event).hex().encode()),
    )
    return Record(topic, letter.key, orjson.dumps(value), headers, time.time_ns() // 1_000_000)
