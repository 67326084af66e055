"""Redrives that meet each other: what one does is seen by the other. On a scripted Kafka of one partition."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from bridge.errors import ProducerFencedError, RecordRejectedError
from bridge.forward import redrive
from bridge.forward.redrive import DeadLetter, Redrive, Redriven
from bridge.kafka.consumer import Kept
from bridge.model import Prepared, Record
from bridge.transform.prepare import Preparer
from tests.unit.webhooks import entry, settings

KNOWING = settings(events={"survey.answered": {"when": {"survey.id": "*"}}})
QUARANTINE = KNOWING.topics.quarantine
Meanwhile = Callable[[], Awaitable[None]]


class ScriptedKafka:
    """What all producers share: the quarantine, the events, and the one that may write.

    `refused` are the entries whose events Kafka refuses. `meanwhile` is what somebody else does when a producer that
    failed was closed, in turn.
    """

    def __init__(self) -> None:
        self.quarantine: list[Kept] = []
        self.events: list[str] = []
        self.epoch = 0
        self.refused: set[int] = set()
        self.meanwhile: list[Meanwhile] = []
        self.records_read = 0

    def put(self, record: Record) -> None:
        """Append to the quarantine."""
        place = len(self.quarantine)
        self.quarantine.append(Kept(0, place, record.key, record.value or b"", dict(record.headers)))

    async def ends_of(self, *_: Any) -> dict[int, int]:
        """Where the quarantine ends."""
        return {0: len(self.quarantine)}

    async def history(
        self, _kafka: Any, _topic: str, ends: Mapping[int, int], begins: Mapping[int, int] | None = None
    ) -> AsyncIterator[Kept]:
        """What is in the quarantine."""
        for record in self.quarantine[(begins or {}).get(0, 0) : ends[0]]:
            self.records_read += 1
            yield record


class ScriptedProducer:
    """One of them: the last that was started fences the others."""

    def __init__(self, kafka: ScriptedKafka) -> None:
        self._kafka = kafka
        self._epoch = 0

    async def start(self) -> None:
        """Fence the others."""
        self._kafka.epoch += 1
        self._epoch = self._kafka.epoch

    async def partition_counts(self, topics: Sequence[str], _tries: int = 1) -> dict[str, int]:
        """Every topic is there."""
        return dict.fromkeys(topics, 1)

    def create_batch(self) -> None:
        """Not asked for one: `assemble` is replaced."""

    async def abort_hanging(self, topic: str, partitions: Iterable[int]) -> None:
        """Nothing was left without an end."""

    async def deliver(self, items: Sequence[Prepared]) -> None:
        """One transaction: all of them, or none."""
        if self._epoch != self._kafka.epoch:
            raise ProducerFencedError("fenced")
        for item in items:
            if item.topic != QUARANTINE and item.entry_id in self._kafka.refused:
                raise RecordRejectedError(item.topic, "too large")
        for item in items:
            assert item.record is not None
            if item.topic == QUARANTINE:
                self._kafka.put(item.record)
            else:
                self._kafka.events.append(item.record.key.decode())

    async def close(self, *, healthy: bool) -> None:
        """Somebody else has the time to do something when this one failed."""
        if not healthy and self._kafka.meanwhile:
            await self._kafka.meanwhile.pop(0)()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> ScriptedKafka:
    """With three surveys in the quarantine, from a time when they were not known."""
    scripted = ScriptedKafka()
    unknowing = Preparer(settings(), "j1")
    for number in (1, 2, 3):
        body = {"session_id": f"s{number}", "survey": {"id": f"q{number}"}}
        made = unknowing.prepare(entry(body, entry_id=number)).record
        assert made is not None
        scripted.put(made)
    monkeypatch.setattr(redrive, "Producer", lambda *_: ScriptedProducer(scripted))
    monkeypatch.setattr(redrive, "ends_of", scripted.ends_of)
    monkeypatch.setattr(redrive, "history", scripted.history)
    monkeypatch.setattr(redrive, "assemble", lambda _producer, records, *_: records)
    return scripted


def every(_: DeadLetter) -> bool:
    return True


async def run_once(done: list[Redriven] | None = None) -> list[Redriven]:
    done = [] if done is None else done
    async for one in Redrive(KNOWING, Preparer(KNOWING, ""), every).run():
        done.append(one)
    return done


def outcomes(done: list[Redriven]) -> dict[int, str]:
    return {one.place[1]: one.outcome for one in done}


async def test_a_refused_record_leaves_the_others_to_go_out(kafka: ScriptedKafka) -> None:
    kafka.refused = {2}
    assert outcomes(await run_once()) == {0: "redriven", 1: "rejected", 2: "redriven"}
    assert kafka.events == ["s1", "s3"]


async def test_what_another_redrive_did_while_a_producer_was_rebuilt_does_not_go_out_twice(
    kafka: ScriptedKafka,
) -> None:
    kafka.refused = {2}
    other: list[Redriven] = []

    async def begins_and_ends() -> None:
        await run_once(other)

    kafka.meanwhile = [begins_and_ends]
    done = await run_once()
    assert kafka.events == ["s1", "s3"]
    assert outcomes(other) == {0: "redriven", 1: "rejected", 2: "redriven"}
    assert outcomes(done) == {0: "already", 1: "rejected", 2: "already"}


async def test_an_event_that_went_out_meanwhile_from_another_record_is_marked_only(kafka: ScriptedKafka) -> None:
    kafka.refused = {2}
    twin = kafka.quarantine[0]

    async def begins_and_ends() -> None:
        mark = kafka.quarantine  # the other one chose the record's twin, which came later
        mark.append(Kept(0, len(mark), twin.key, twin.value, twin.headers))
        only = Redrive(KNOWING, Preparer(KNOWING, ""), lambda pinned: pinned.place == (0, 3))
        assert [one.outcome async for one in only.run()] == ["redriven"]

    kafka.meanwhile = [begins_and_ends]
    assert outcomes(await run_once()) == {0: "twin", 1: "rejected", 2: "redriven"}
    assert sorted(kafka.events) == ["s1", "s3"]


async def test_marks_that_were_read_are_not_read_again(kafka: ScriptedKafka) -> None:
    kafka.refused = {1, 2, 3}
    assert set(outcomes(await run_once()).values()) == {"rejected"}
    assert kafka.records_read == 2 * 3  # once for the marks, once for the records


@pytest.fixture
def misdirected(kafka: ScriptedKafka) -> ScriptedKafka:
    """A quarantine whose records came by a URL with no hint or the wrong one, or tell their type themselves."""
    kafka.quarantine.clear()
    preparer = Preparer(settings(), "j1")
    for number, (body, hint) in enumerate(
        [
            ({"session_id": "s0"}, ""),
            ({"session_id": "s1"}, "hsm-status"),
            ({"session_id": "s2"}, "session-close"),
            ({"delivered_at": "2026-06-22 15:19:08"}, "read"),
        ],
        1,
    ):
        made = preparer.prepare(entry(body, hint=hint, entry_id=number))
        assert (made.outcome, made.record is not None) == ("quarantined", True)
        assert made.record is not None
        kafka.put(made.record)
    return kafka


async def hinted(hint: str | None, *, dry_run: bool = False) -> list[tuple[str, str | None]]:
    """What became of each record, with a hint in place of that of its URL."""
    work = Redrive(settings(), Preparer(settings(), ""), every, dry_run=dry_run, hint=hint)
    return [(one.outcome, one.event_type) async for one in work.run()]


async def test_the_right_hint_makes_events_of_what_a_wrong_or_missing_one_sent_to_the_quarantine(
    misdirected: ScriptedKafka,
) -> None:
    assert {outcome for outcome, _ in await hinted(None)} == {"still"}
    read, still = ("redriven", "message.read"), ("still", "message.delivered")
    assert sorted(await hinted("read", dry_run=True)) == [read, read, read, still]
    assert misdirected.events == []
    assert sorted(await hinted("read")) == [read, read, read, still]
    assert misdirected.events == ["s0", "s1", "s2"]
    assert sorted(outcome for outcome, _ in await hinted("read")) == ["already", "already", "already", "still"]
    assert len(misdirected.events) == 3
