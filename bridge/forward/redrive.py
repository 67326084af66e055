"""The way back from the quarantine: what it holds, by today's version and configuration, forwarded once.

What passes goes out in one transaction with a *mark*: a record in the quarantine topic, under the same key, that names
the record by partition and offset and the event by its dedupe key. The next redrive reads all marks first and passes
over what has one. The mark is younger than the record, so it lasts longer.

There is one redrive at a time: its transactional id fences another one, and ends what a dead one left open, before the
marks are read. It doesn't know the bridge's window of duplicates, and the reverse: a webhook that Treble sent again
after the configuration was mended has gone out by itself, and goes out again from here, under the same id.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import orjson

from bridge.errors import (
    FencedError,
    JournalError,
    ProducerFencedError,
    RecordRejectedError,
    SinkError,
    TimestampRejectedError,
    TopicPausedError,
)
from bridge.journal.offline.inspect import get_entry, read_state
from bridge.kafka.batches import Sizing, Timestamps, assemble, now_ms
from bridge.kafka.client import client_options
from bridge.kafka.consumer import ends_of, history
from bridge.kafka.producer import Producer
from bridge.model import Entry, Event, PendingMarker, Prepared, Record
from bridge.settings.models import Settings
from bridge.transform import dead_letter
from bridge.transform.dead_letter import Returned, read_back
from bridge.transform.dedupe import dedupe_key
from bridge.transform.prepare import Preparer

MARK: Final = "treble_redriven"
"""Header of a mark: `<partition>@<offset>` of the record. On an event: `true`."""
DEDUPE_KEY: Final = "treble_redriven_event"
REASON: Final = "redriven"

_TWIN: Final = "the same event went out from another record"
_ANYWHERE: Final = -1
_BATCH_RECORDS: Final = 100
_BATCH_BYTES: Final = 4 << 20

RedriveOutcome = Literal["redriven", "already", "twin", "still", "dropped", "incomplete", "blocked", "rejected"]


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
    event_type: str | None


@dataclass(slots=True)
class Marks:
    """What was redriven before: records by place, events by dedupe key. Bounded by the topic's own retention.

    `ends` says how far the topic was read, by partition.
    """

    places: set[tuple[int, int]] = field(default_factory=set)
    dedupe_keys: set[bytes] = field(default_factory=set)
    ends: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class _Step:
    """One dead letter on its way out: the event (unless it is a twin) and its mark, and what it becomes by them."""

    letter: DeadLetter
    dedupe_key: bytes
    records: tuple[Prepared, ...]
    outcome: Redriven

    def as_twin(self) -> "_Step":
        """The same where the event went out already, from another record: the mark alone."""
        return replace(self, records=self.records[-1:], outcome=self.undone("twin", _TWIN))

    def undone(self, outcome: RedriveOutcome, detail: str) -> Redriven:
        """What became of it where it didn't go out."""
        return replace(self.outcome, outcome=outcome, detail=detail)


async def _read_marks(settings: Settings, marks: Marks) -> None:
    """Add the marks in the quarantine topic, or those that came since they were read."""
    topic = settings.topics.quarantine
    begins, marks.ends = marks.ends, await ends_of(settings.kafka, topic)
    async for record in history(settings.kafka, topic, marks.ends, begins):
        if MARK not in record.headers:
            continue
        try:
            partition, _, offset = record.headers[MARK].decode().partition("@")
            place, key_ = (int(partition), int(offset)), bytes.fromhex(record.headers[DEDUPE_KEY].decode())
        except (ValueError, KeyError):
            continue  # somebody else's header
        marks.places.add(place)
        marks.dedupe_keys.add(key_)


async def dead_letters(settings: Settings, marks: Marks | None = None) -> AsyncIterator[DeadLetter]:
    """The records of the quarantine up to its end of now; what is neither one nor a mark is passed over. Into `marks`
    go its marks, before anything else.
    """
    marks = Marks() if marks is None else marks
    await _read_marks(settings, marks)
    async for record in history(settings.kafka, settings.topics.quarantine, marks.ends):
        if MARK in record.headers:
            continue
        try:
            returned = read_back(record.value)
        except ValueError:
            continue  # somebody else's record
        yield DeadLetter(record.place, record.key, record.value, returned, record.place in marks.places)


class Redrive:
    """One run. `preparer` is today's; `wanted` says which records are meant; `hint` stands in place of that of their
    URL. A dry run says what would be done: it writes nothing, and fences nobody.
    """

    def __init__(
        self,
        settings: Settings,
        preparer: Preparer,
        wanted: Callable[[DeadLetter], bool],
        *,
        dry_run: bool = False,
        hint: str | None = None,
    ) -> None:
        self._settings = settings
        self._preparer = preparer
        self._wanted = wanted
        self._dry_run, self._hint = dry_run, hint
        self._topic = settings.topics.quarantine
        self._producer: Producer | None = None
        self._timestamps = Timestamps()
        self._marks = Marks()

    async def run(self) -> AsyncIterator[Redriven]:
        """Redrive what passes; each outcome is true when it is yielded. Raises a SinkError; run again after one."""
        try:
            if not self._dry_run:
                await ends_of(self._settings.kafka, self._topic)  # says it best when Kafka or the topic is not there
                await self._connect()  # before the marks are read: from here on nobody else writes one
            steps: list[_Step] = []
            async for letter in dead_letters(self._settings, self._marks):
                if not self._wanted(letter):
                    continue
                found = await asyncio.to_thread(self._decide, letter)
                if isinstance(found, Redriven):
                    yield found
                    continue
                # A twin's mark says that the event went out: so that has to be true first.
                if _full(steps) or any(step.dedupe_key == found.dedupe_key for step in steps):
                    for outcome in await self._deliver(steps):
                        yield outcome
                    steps = []
                steps.append(found.as_twin() if found.dedupe_key in self._marks.dedupe_keys else found)
            for outcome in await self._deliver(steps):
                yield outcome
        except ProducerFencedError as error:
            raise FencedError("another redrive runs, or began after this one: run it again later") from error
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
        if self._hint is not None:
            entry = entry._replace(hint=self._hint)
        prepared = self._preparer.prepare(entry)
        if prepared.outcome == "quarantined":
            return left("still", prepared.reason, prepared.event_type)
        if prepared.record is None:
            return left("dropped", f"the route of {prepared.event_type} says drop")
        _, event = self._preparer.examine(entry)
        assert isinstance(event, Event)
        event = self._preparer.published(event)  # marks are read by whoever reads the quarantine
        mark = prepared._replace(topic=self._topic, record=_mark(self._topic, letter, event, prepared.topic))
        headers = (*prepared.record.headers, (MARK, b"true"))
        marked = prepared._replace(record=prepared.record._replace(headers=headers))
        return _Step(letter, dedupe_key(event), (marked, mark), left("redriven", prepared.topic, event.type))

    async def _deliver(self, steps: Sequence[_Step]) -> list[Redriven]:
        """Events and marks in one transaction; when Kafka refuses a record, one transaction for each."""
        if steps and not self._dry_run:
            if self._producer is None:
                await self._connect()
                steps, done = await self._left_of(steps)
                return [*done, *await self._deliver(steps)]
            records = [item for step in steps for item in step.records]
            found = await self._producer.partition_counts(sorted({item.topic for item in records}))
            stuck = {topic: error for topic, error in found.items() if isinstance(error, TopicPausedError)}
            if self._topic in stuck:
                raise stuck[self._topic]
            if stuck:
                going = [step for step in steps if step.records[0].topic not in stuck]
                blocked = [step for step in steps if step.records[0].topic in stuck]
                done = [step.undone("blocked", str(stuck[step.records[0].topic])) for step in blocked]
                return [*await self._deliver(going), *done]
            counts = {topic: count for topic, count in found.items() if isinstance(count, int)}
            batches = assemble(self._producer.create_batch, records, counts, Sizing(), self._timestamps)
            try:
                await self._producer.deliver(batches)
            except TimestampRejectedError as error:
                return await self._deliver_after(self._timestamps.rejected(error), steps)
            except (RecordRejectedError, TopicPausedError) as error:
                return await self._deliver_after(error, steps)
        self._marks.dedupe_keys.update(step.dedupe_key for step in steps)
        return [step.outcome for step in steps]

    async def _deliver_after(self, error: SinkError, steps: Sequence[_Step]) -> list[Redriven]:
        """The same with other times, or one by one; a single one is left as it is."""
        await self._disconnect(healthy=False)  # a producer that failed can't be used again
        if isinstance(error, TimestampRejectedError):
            return await self._deliver(steps)
        if len(steps) == 1:
            return [steps[0].undone("blocked" if isinstance(error, TopicPausedError) else "rejected", str(error))]
        return [outcome for step in steps for outcome in await self._deliver([step])]

    async def _left_of(self, steps: Sequence[_Step]) -> tuple[list[_Step], list[Redriven]]:
        """What is still to be done of these steps, and the outcomes of the others.

        For while there was no producer, nobody was fenced: another redrive may have begun, and may even have ended.
        """
        await _read_marks(self._settings, self._marks)
        marks, left, done = self._marks, [], []
        for step in steps:
            if step.letter.place in marks.places:
                done.append(step.undone("already", "another redrive did it meanwhile"))
            else:
                left.append(step.as_twin() if step.dedupe_key in marks.dedupe_keys else step)
        return left, done

    async def _connect(self) -> None:
        """A producer of its own, and the end of what an earlier redrive left.

        If its commit was acknowledged by a broker on its way down, it may have left records without a marker (see
        `bridge.kafka.transaction_markers`). No other producer can end them, and nobody kept a note of where they are.
        """
        kafka = self._settings.kafka
        self._producer = Producer(kafka, client_options(kafka), f"{kafka.transactional_id_prefix}redrive")
        await self._producer.start()
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


def _full(steps: Sequence[_Step]) -> bool:
    size_bytes = sum(len(step.letter.returned.entry.body) for step in steps)
    return len(steps) >= _BATCH_RECORDS or size_bytes >= _BATCH_BYTES


def _from_journal(settings: Settings, returned: Returned) -> Entry | None:
    """The whole entry, where its journal is on this machine and still has it."""
    folder = Path(settings.journal.path)
    with contextlib.suppress(JournalError, OSError):
        if read_state(folder).journal_id == returned.journal_id and (found := get_entry(folder, returned.entry.id)):
            return found[0]
    return None


def _mark(topic: str, letter: DeadLetter, event: Event, went_to: str) -> Record:
    """The mark: a record of the quarantine topic that has its fields, and nothing of the body.

    Its time is now: it must outlast the record that it marks.
    """
    returned, (partition, offset) = letter.returned, letter.place
    made, _ = dead_letter.record(
        returned.entry._replace(headers=b""),
        REASON,
        (),
        topic=topic,
        journal_id=returned.journal_id,
        event_id=returned.id,
        event_type=event.type,
        extra=((MARK, f"{partition}@{offset}".encode()), (DEDUPE_KEY, dedupe_key(event).hex().encode())),
        with_raw=False,
    )
    redriven = {"partition": partition, "offset": offset, "event_id": event.id, "topic": went_to}
    value = orjson.loads(made.value) | {"raw_bytes": returned.raw_bytes, "truncated": True, "redriven": redriven}
    return made._replace(key=letter.key, value=orjson.dumps(value), timestamp_ms=now_ms())
