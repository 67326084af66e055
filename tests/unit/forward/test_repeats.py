"""The same session, question and answer within some seconds is one event: also across batches, crashes and recovery."""

import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from bridge.catalogue import TABLE
from bridge.catalogue.samples import sample
from bridge.forward import batch
from bridge.forward.batch import Batch, prepare, sort
from bridge.forward.recovery import recover
from bridge.journal import Journal
from bridge.kafka.positions import Found
from bridge.model import Entry, Positions, Prepared
from bridge.settings.topics import FlowEventType
from bridge.transform.prepare import Preparer
from tests.unit.journal.making import NOON_MS, open_journal, submission
from tests.unit.settings.given import KAFKA, SOURCES, error
from tests.unit.webhooks import FLOW, settings

WINDOW_MS = 10_000
TEMPLATE = sample("message.responded")


def preparer(window: str = "10s", **duplicates: Any) -> Preparer:
    return Preparer(settings(duplicates={"semantic_window": {"message.responded": window}, **duplicates}), "j1")


def answer(at_ms: int, text: str = "yes", **fields: Any) -> bytes:
    """A response; the time in it is that of its arrival."""
    moment = f"2026-06-22 15:{at_ms // 60_000 % 60:02}:{at_ms // 1000 % 60:02}.{at_ms % 1000:03}"
    body = {**FLOW, "question": {"type": "open", "text": "Sure?"}, "responded_at": moment, "actual_response": text}
    return orjson.dumps({**body, **fields})


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = open_journal(tmp_path / "journal")
    yield made
    await made.close()


async def appended(journal: Journal, *arrivals: tuple[int, bytes]) -> list[Entry]:
    for at_ms, body in arrivals:
        await journal.append(submission(body, at_ms=NOON_MS + at_ms, hint="response"))
    return await journal.read(1, 10_000, 1 << 30)


async def sorted_(journal: Journal, by: Preparer, entries: Sequence[Entry]) -> Batch:
    prepared = await prepare(entries, by)
    return await sort(prepared, journal, by)


async def forward(journal: Journal, by: Preparer, entries: Sequence[Entry]) -> list[int]:
    """Sort a slice and note it, as the forwarder does. Returns the ids that went out."""
    batch = await sorted_(journal, by, entries)
    await journal.advance(Positions(entries[-1].id + 1), batch.dedupe_keys())
    return [item.entry_id for item in batch.out]


def content_key(body: bytes, by: Preparer | None = None) -> bytes | None:
    made: Prepared = (by or preparer()).prepare(Entry(1, NOON_MS, "treble", "response", b"", body))
    assert made.outcome == "forwarded"
    return made.content_key


def test_it_is_the_session_the_question_and_the_answer_that_count_and_not_the_times() -> None:
    first = content_key(answer(0))
    assert first is not None
    assert content_key(answer(4_000, sent_at="2026-06-22 15:00:01")) == first
    for other in (
        answer(0, "no"),
        answer(0, session_id="s2"),
        answer(0, conversation_id=8),
        answer(0, question={"type": "open", "text": "Really?"}),
        answer(0, classified_answer={"text": "yes"}),
    ):
        assert content_key(other) not in {None, first}


def test_what_says_too_little_is_never_taken_for_another() -> None:
    assert content_key(orjson.dumps({"session_id": "s1"})) is None
    assert content_key(orjson.dumps({"session_id": "s1", "question": {"text": "Sure?"}})) is None


def test_it_is_off_by_default_and_on_for_the_types_that_are_named() -> None:
    assert content_key(answer(0), Preparer(settings(), "j1")) is None
    found = preparer().prepare(Entry(1, NOON_MS, "treble", "", b"", orjson.dumps(sample("message.read"))))
    assert found.content_key is None


def test_a_replay_that_must_go_out_is_no_repeat() -> None:
    headers = orjson.dumps({"x-treble-bridge-replay": "7 again"})
    assert preparer().prepare(Entry(1, NOON_MS, "treble", "response", headers, answer(0))).content_key is None


async def test_a_repeat_within_the_window_goes_nowhere_and_does_not_make_it_longer(journal: Journal) -> None:
    times = (0, 4_000, 10_000, 10_001, 15_000, 20_002)
    entries = await appended(journal, *((at, answer(at)) for at in times))
    assert await forward(journal, preparer(), entries) == [1, 4, 6]
    assert len({item.dedupe_key for item in await prepare(entries, preparer())}) == len(times)


async def test_a_copy_of_a_repeat_stays_a_duplicate_after_the_window(journal: Journal) -> None:
    entries = await appended(journal, (0, answer(0)), (4_000, answer(4_000)), (60_000, answer(4_000)))
    assert await forward(journal, preparer(), entries[:2]) == [1]
    assert await forward(journal, preparer(), entries[2:]) == []


async def test_a_repeat_can_be_marked_in_place_of_dropped(journal: Journal) -> None:
    entries = await appended(journal, (0, answer(0)), (4_000, answer(4_000)), (10_001, answer(10_001)))
    marking = preparer(action="mark")
    batch = await sorted_(journal, marking, entries)
    assert [(item.entry_id, item.outcome) for item in batch.out] == [
        (1, "forwarded"), (2, "duplicate"), (3, "forwarded"),
    ]  # fmt: skip


async def test_a_repeat_waits_with_what_it_repeats(journal: Journal) -> None:
    """Else a crash would leave the repeat as the one that is known, and drop the event itself."""
    entries = await appended(journal, (0, answer(0)), (4_000, answer(4_000)))
    batch = await sorted_(journal, preparer(), entries)
    batch.hold_back({"treble.message.responded"})
    assert [item.entry_id for item in batch.waiting] == [1, 2]
    assert (batch.out, batch.duplicates, batch.repeats, batch.dedupe_keys()) == ([], [], [], [])


def expected(arrivals: Sequence[tuple[int, str, bytes]]) -> list[int]:
    """Which go out, by the rules alone. A copy of anything, of a repeat too, goes nowhere and counts for nothing."""
    out: list[int] = []
    last: dict[str, int] = {}
    bodies: set[bytes] = set()
    for entry_id, (at_ms, text, body) in enumerate(arrivals, 1):
        if body in bodies:
            continue
        bodies.add(body)
        if text not in last or at_ms - last[text] > WINDOW_MS:
            out.append(entry_id)
            last[text] = at_ms
    return out


@pytest.mark.parametrize("seed", range(12))
async def test_batches_crashes_and_recovery_change_nothing(
    journal: Journal, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka has a stretch that the journal doesn't count; recovery dies on the way once; the rest goes on."""
    await journal.confirm()
    chance = random.Random(seed)
    at_ms = 0
    arrivals: list[tuple[int, str, bytes]] = []
    for _ in range(40):
        at_ms += chance.choice((1, 500, 3_000, 9_999, 10_000, 10_001))
        text = chance.choice(("yes", "no"))
        copied = arrivals and chance.random() < 0.3
        _, text, body = chance.choice(arrivals) if copied else (at_ms, text, answer(at_ms, text))
        arrivals.append((at_ms, text, body))
    entries = await appended(journal, *((at, body) for at, _, body in arrivals))
    by, out = preparer(), []
    counted, sent = sorted(chance.sample(range(1, 40), 2))

    async def go(stretch: Sequence[Entry], *, noted: bool) -> None:
        while stretch:
            size = chance.randint(1, 7)
            part, stretch = stretch[:size], stretch[size:]
            if noted:
                out.extend(await forward(journal, by, part))
            else:  # one transaction, whose commit the journal never heard of
                part, stretch = [*part, *stretch], []
                out.extend(item.entry_id for item in (await sorted_(journal, by, part)).out)

    await go(entries[:counted], noted=True)
    await go(entries[counted:sent], noted=False)
    monkeypatch.setattr(batch, "READ_ENTRIES", 3)
    advance, calls = journal.advance, 0

    async def dies(*arguments: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError("killed here")
        await advance(*arguments, **more)

    monkeypatch.setattr(journal, "advance", dies)
    with pytest.raises(OSError, match="killed here"):
        await recover(journal, by, Found(Positions(sent + 1), None, 0))
    monkeypatch.undo()
    assert (await recover(journal, by, Found(Positions(sent + 1), None, 0))).next_id == sent + 1
    await go(entries[sent:], noted=True)
    assert out == expected(arrivals)


async def test_a_marked_copy_begins_the_window_anew_also_where_recovery_counts_it(journal: Journal) -> None:
    by = Preparer(settings(duplicates={"window": "10s", "action": "mark"}), "j1")
    body = answer(0)
    entries = await appended(journal, (0, body), (8_000, body), (16_000, body))
    await journal.confirm()
    await recover(journal, by, Found(Positions(3), None, 0))
    assert [item.outcome for item in (await sorted_(journal, by, entries[2:])).out] == ["duplicate"]


def test_the_types_that_may_have_a_window_are_those_of_flows() -> None:
    names = {name for name, event_type in TABLE.items() if event_type.family.name == "flow"}
    assert set(get_args(FlowEventType)) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{window: 5s, semantic_window: {message.responded: 10s}}", "expected no more than duplicates.window"),
        ("{window: 0, semantic_window: {message.responded: 10s}}", "expected no more than duplicates.window"),
        ("{semantic_window: {message.responded: 0}}", "expected more than 0"),
        ("{semantic_window: {conversation.closed: 10s}}", "duplicates.semantic_window"),
    ],
)
def test_a_window_that_would_not_work_is_an_error(text: str, message: str) -> None:
    assert message in error(f"{KAFKA}{SOURCES}duplicates: {text}\n")
