"""From outside: listing, verifying, rescuing, forwarding again; also while a bridge runs."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from bridge.catalogue.times import utc_text
from bridge.errors import JournalCorruptError, JournalError, JournalFullError, JournalLockedError
from bridge.journal.database import transaction
from bridge.journal.dedupe_window import look_up, pack
from bridge.journal.lock import take_lock
from bridge.journal.offline import replay as replaying
from bridge.journal.offline.inspect import Filter, get_entry, list_entries, read_state, verify
from bridge.journal.offline.replay import Replayed, rehearse, replay, select, unpin
from bridge.journal.offline.salvage import salvage
from bridge.journal.queries import EntrySummary
from bridge.journal.storage import Storage
from bridge.model import RECEIVED_FIELD, REPLAY_FIELD, InDoubt, InDoubtTransaction, PendingMarker, Positions
from tests.unit.journal.conftest import Opens
from tests.unit.journal.making import NOON_MS, Clock, dedupe_key, storage_in, submission
from tests.unit.journal.test_opening import damage

TOPIC = "treble.message.read"


def fill(storage: Storage, count: int = 20, size: int = 50) -> None:
    """Entries 1 to `count`; all but the last five forwarded, 3 and 4 deferred, 7 held, some dedupe keys."""
    with transaction(storage.connection):
        storage.append(
            [
                submission(f"{n:0{size}}", at_ms=NOON_MS + 1000 * n, source=f"s{n % 2}", hint="read" if n % 3 else "")
                for n in range(1, count + 1)
            ]
        )
        storage.defer([(3, TOPIC, "message.read"), (4, TOPIC, "message.read")])
        storage.pin([7])
        storage.advance(Positions(count - 4, {TOPIC: 3}), 99)
        storage.dedupe_keys.log(pack([(dedupe_key(1), NOON_MS)]))
        storage.dedupe_keys.merge(0, {dedupe_key(2): NOON_MS}, 0)


@pytest.fixture
def filled(folder: Path) -> Path:
    """A folder with such a journal."""
    with storage_in(folder) as storage:
        fill(storage)
    return folder


def ids(entries: list[EntrySummary]) -> list[int]:
    return [entry.id for entry in entries]


def test_entries_are_listed_newest_last_and_chosen_by_what_they_are(filled: Path) -> None:
    assert ids(list_entries(filled, Filter(), 3)) == [18, 19, 20]
    assert ids(list_entries(filled, Filter(), None)) == list(range(1, 21))
    assert ids(list_entries(filled, Filter(state="deferred"), None)) == [3, 4]
    assert ids(list_entries(filled, Filter(state="pending"), None)) == [16, 17, 18, 19, 20]
    assert ids(list_entries(filled, Filter(state="forwarded", source="s1", hint=""), None)) == [9, 15]
    assert ids(list_entries(filled, Filter(since_ms=NOON_MS + 18_000), None)) == [18, 19, 20]


async def test_listing_tells_states_while_a_bridge_runs(opened: Opens, folder: Path) -> None:
    journal = opened()
    await asyncio.gather(*(journal.append(submission(f"{number}")) for number in range(4)))
    await journal.defer([(2, "topic", "message.read")])
    await journal.pin([1])
    await journal.advance(Positions(4, {"topic": 2}), [])
    listed = await asyncio.to_thread(list_entries, folder, Filter(), None)
    assert [(one.id, one.state, one.topic, one.pinned) for one in listed] == [
        (1, "forwarded", "", True),
        (2, "deferred", "topic", False),
        (3, "forwarded", "", False),
        (4, "pending", "", False),
    ]


def test_one_entry_is_shown_with_its_state(filled: Path) -> None:
    found = get_entry(filled, 7)
    assert found is not None
    entry, listed = found
    assert (entry.body, listed.state, listed.pinned) == (f"{7:050}".encode(), "forwarded", True)
    assert get_entry(filled, 21) is None
    assert read_state(filled).positions == Positions(16, {TOPIC: 3})


async def test_looking_does_not_disturb_a_bridge_that_runs(opened: Opens, folder: Path) -> None:
    journal = opened()

    async def load() -> None:
        for _ in range(30):
            await asyncio.gather(*(journal.append(submission()) for _ in range(50)))

    loading = asyncio.create_task(load())
    while not loading.done():
        found = await asyncio.to_thread(list_entries, folder, Filter(), None)
        assert ids(found) == list(range(1, len(found) + 1))
        report = await asyncio.to_thread(verify, folder)
        assert (report.damage, report.findings) == ((), ())
    await loading
    assert not journal.failed.done()


def test_a_whole_journal_verifies_with_its_counts(filled: Path) -> None:
    report = verify(filled)
    assert (report.damage, report.findings) == ((), ())
    assert (report.entries, report.pending, report.deferred, report.pinned, report.dedupe_keys) == (20, 7, 2, 1, 2)
    assert (report.next_id, report.last_id) == (16, 20)


CONTRADICTIONS = {
    "never forwarded are missing": "DELETE FROM entries WHERE id = 18",
    "should be": "DELETE FROM entries WHERE id = 2",
    "whose entry is missing": "DELETE FROM entries WHERE id = 3",
    "held rows whose entry": "DELETE FROM entries WHERE id = 7",
    "stream_end": "UPDATE entries SET body = x'00' WHERE id = 9",
    "rows of the dedupe keys' log that are cut": "UPDATE identities_log SET items = x'00'",
    "dedupe keys of a wrong length": "UPDATE identities SET received_at = x'00'",
    "ahead of the next entry": """UPDATE state SET behind = '{"t": 99}'""",
}


@pytest.mark.parametrize(("finding", "sql"), CONTRADICTIONS.items(), ids=CONTRADICTIONS.keys())
def test_a_journal_that_contradicts_itself_is_found_out(filled: Path, finding: str, sql: str) -> None:
    with storage_in(filled) as storage:
        storage.connection.execute(sql)
    report = verify(filled)
    assert report.damage == ()
    assert any(finding in text for text in report.findings), report.findings


def test_a_damaged_structure_is_found_out(folder: Path) -> None:
    with storage_in(folder) as storage:
        fill(storage, 2000, 500)
    damage(folder / "journal.db", [40, 41])
    with pytest.raises(JournalCorruptError, match="salvage"):
        verify(folder)


def test_an_empty_folder_is_no_journal(tmp_path: Path) -> None:
    for look in (verify, read_state):
        with pytest.raises(JournalError, match="there is no journal"):
            look(tmp_path)


# replay


def headers_of(folder: Path, entry_id: int) -> object:
    found = get_entry(folder, entry_id)
    assert found is not None
    return orjson.loads(found[0].headers)


def test_entries_are_copied_to_the_end_with_a_mark(filled: Path) -> None:
    clock = Clock(NOON_MS + 10**9)
    done = list(replay(filled, [5, 2], again=False, originals_only=False, clock_ms=clock))
    assert done == [Replayed(5, "copied", 21), Replayed(2, "copied", 22)]
    found = get_entry(filled, 21)
    assert found is not None
    copy, listed = found
    original = get_entry(filled, 5)
    assert original is not None
    assert (copy.body, copy.source, copy.hint) == (original[0].body, original[0].source, original[0].hint)
    assert (copy.received_at_ms, listed.state) == (clock.ms, "pending")
    arrived = {RECEIVED_FIELD: utc_text(original[0].received_at_ms)}
    assert headers_of(filled, 21) == {REPLAY_FIELD: "5", **arrived}
    list(replay(filled, [5], again=True, originals_only=False, clock_ms=clock))
    assert headers_of(filled, 23) == {REPLAY_FIELD: "5 again", **arrived}
    assert verify(filled).findings == ()


def test_a_copy_of_a_copy_still_says_when_the_first_arrived(filled: Path) -> None:
    original = get_entry(filled, 5)
    assert original is not None
    for turn, copied in enumerate([5, 21, 22]):
        clock = Clock(NOON_MS + (turn + 1) * 10**9)
        assert [one.outcome for one in replay(filled, [copied], again=True, originals_only=False, clock_ms=clock)] == [
            "copied"
        ]
        with storage_in(filled) as storage, transaction(storage.connection):
            storage.advance(Positions(22 + turn), None)
    assert headers_of(filled, 23) == {
        REPLAY_FIELD: "22 again",
        RECEIVED_FIELD: utc_text(original[0].received_at_ms),
    }


def test_what_waits_or_is_gone_is_not_copied(filled: Path) -> None:
    done = list(replay(filled, [3, 20, 99], again=True, originals_only=False, clock_ms=Clock()))
    assert [one.outcome for one in done] == ["pending", "pending", "missing"]
    assert read_state(filled).deleted == 0
    assert verify(filled).entries == 20


def test_a_range_passes_over_copies_of_earlier_replays(filled: Path) -> None:
    list(replay(filled, [1], again=True, originals_only=True, clock_ms=Clock()))
    with storage_in(filled) as storage, transaction(storage.connection):
        storage.advance(Positions(22), None)
    wanted = list(select(filled, lambda entry: entry.source == "s1", 1, 21))
    assert wanted == [*range(1, 20, 2), 21]
    done = list(replay(filled, wanted, again=False, originals_only=True, clock_ms=Clock()))
    assert [one.outcome for one in done] == ["copied"] * 10 + ["copy"]


def test_a_rehearsal_changes_nothing(filled: Path) -> None:
    before = (filled / "journal.db").read_bytes()
    assert [one.outcome for one in rehearse(filled, [1, 3, 99], originals_only=True)] == [
        "copied",
        "pending",
        "missing",
    ]
    assert (filled / "journal.db").read_bytes() == before


def refused_while_owned(folder: Path, act: Callable[[], object]) -> None:
    with take_lock(folder), pytest.raises(JournalLockedError, match="belongs to process"):
        act()


def test_writing_commands_are_refused_while_a_bridge_runs(filled: Path, tmp_path: Path) -> None:
    refused_while_owned(filled, lambda: list(replay(filled, [1], again=False, originals_only=False, clock_ms=Clock())))
    refused_while_owned(filled, lambda: unpin(filled, [7], Clock()))
    refused_while_owned(filled, lambda: salvage(filled, tmp_path / "new", Clock()))
    assert verify(filled).entries == 20


def test_many_entries_are_copied_commit_by_commit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "COMMIT_ENTRIES", 7)
    with storage_in(folder) as storage:
        fill(storage, 100)
    done = replay(folder, range(5, 90), again=False, originals_only=True, clock_ms=Clock())
    for _ in range(10):
        next(done)
    assert len(list_entries(folder, Filter(), None)) == 114  # two commits are done
    assert [one.outcome for one in done] == ["copied"] * 75


async def test_a_replay_leaves_a_bridge_room_for_webhooks(opened: Opens, folder: Path) -> None:
    max_bytes = 16 << 20
    with storage_in(folder) as storage, transaction(storage.connection):
        storage.append([submission(b"x" * 9000) for _ in range(1000)])
        storage.advance(Positions(1001), None)
    done: list[Replayed] = []

    def copies() -> None:
        for one in replay(
            folder, range(1, 1001), again=False, originals_only=True, clock_ms=Clock(), bytes_max=max_bytes
        ):
            done.append(one)
            assert (folder / "journal.db-wal").stat().st_size < 14 << 20

    with pytest.raises(JournalFullError, match=r"stopped before entry \d+, with \d+ copied.*go on with entry"):
        await asyncio.to_thread(copies)
    assert 100 < len(done) < 700
    assert [one.outcome for one in done] == ["copied"] * len(done)
    journal = opened(max_bytes=max_bytes)
    assert journal.usage().pending == len(done)
    assert await journal.append(submission()) == 1001 + len(done)


def test_the_log_of_a_replay_stays_short(folder: Path) -> None:
    with storage_in(folder) as storage, transaction(storage.connection):
        storage.append([submission(b"x" * 90_000) for _ in range(600)])
        storage.advance(Positions(601), None)
    for one in replay(folder, range(1, 601), again=False, originals_only=True, clock_ms=Clock()):
        assert one.outcome == "copied"
        assert (folder / "journal.db-wal").stat().st_size < 20 << 20


def test_an_unpinned_entry_is_pinned_no_more(filled: Path) -> None:
    unpin(filled, [7], Clock())
    assert verify(filled).pinned == 0


# salvage


def test_a_whole_journal_is_salvaged_wholly(filled: Path, tmp_path: Path) -> None:
    end = PendingMarker("treble.message.read", 3, 17, (4, 5))
    in_doubt = InDoubt(
        (end,), InDoubtTransaction((end,), Positions(9, {"treble.message.read": 4}), 99, acknowledged=True)
    )
    with storage_in(filled) as storage:
        storage.note_in_doubt(in_doubt)
    new = tmp_path / "new"
    result = salvage(filled, new, Clock())
    assert (result.entries, result.lost, result.notes) == (20, [], [])
    old_report, new_report = verify(filled), verify(new)
    assert old_report == new_report
    with storage_in(new) as storage:
        assert set(look_up(storage.connection, [dedupe_key(2)], NOON_MS)) == {dedupe_key(2)}
        assert (storage.positions_offset, storage.unconfirmed_from) == (99, 1)
        assert storage.in_doubt == in_doubt


@pytest.mark.parametrize("seed", range(6))
def test_whatever_pages_are_damaged_most_entries_are_rescued_and_the_lost_are_named(
    folder: Path, tmp_path: Path, seed: int
) -> None:
    with storage_in(folder) as storage:
        fill(storage, 2000, 500)
    pages = random.Random(seed).sample(range(1, (folder / "journal.db").stat().st_size // 4096), 4)
    damage(folder / "journal.db", pages)
    damaged = (folder / "journal.db").read_bytes()
    result = salvage(folder, tmp_path / "new", Clock())
    assert (folder / "journal.db").read_bytes() == damaged
    assert result.entries >= 1900
    rescued = {entry.id: entry.body_bytes for entry in list_entries(tmp_path / "new", Filter(), None)}
    assert set(rescued.values()) == {500}
    lost = {entry_id for first, last in result.lost for entry_id in range(first, last + 1)}
    assert set(rescued) | lost == set(range(1, 2001))
    assert not set(rescued) & lost
    assert verify(tmp_path / "new").damage == ()
    with take_lock(tmp_path / "new"):
        pass


def test_a_target_that_is_not_empty_is_refused(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "something").touch()
    with pytest.raises(JournalError, match="not empty"):
        salvage(filled, tmp_path / "new", Clock())


async def test_a_salvaged_journal_goes_on_where_the_damaged_one_was(
    opened: Opens, folder: Path, tmp_path: Path
) -> None:
    await asyncio.to_thread(make_damaged, tmp_path / "damaged")
    await asyncio.to_thread(salvage, tmp_path / "damaged", folder, Clock())
    journal = opened()
    assert (journal.positions, journal.positions_offset) == (Positions(1996, {TOPIC: 3}), 99)
    assert await journal.append(submission()) == 2001


def make_damaged(folder: Path) -> None:
    with storage_in(folder) as storage:
        fill(storage, 2000, 500)
    damage(folder / "journal.db", [100])
