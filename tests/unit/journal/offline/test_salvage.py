"""Rescuing a damaged journal: what comes over, what is said to be lost, and what is left behind on the disk."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from bridge.errors import JournalCorruptError, JournalError, JournalFailedError
from bridge.journal.database import limit_wal, transaction
from bridge.journal.offline.inspect import Filter, list_entries, read_state, verify
from bridge.journal.offline.salvage import Salvaged, salvage
from bridge.journal.schema import PAGE_BYTES, VERSION
from bridge.model import Positions
from tests.unit.journal.making import NOON_MS, Clock, storage_in, submission
from tests.unit.journal.offline.test_offline import fill

LEAF, INTERIOR = 0x0D, 0x05


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Where the rescued journal goes."""
    return tmp_path / "new"


def taken(folder: Path, count: int, first_id: int = 1, size: int = 200) -> None:
    """A journal of so many entries that wait."""
    with storage_in(folder) as storage, transaction(storage.connection):
        if first_id > 1:
            storage.advance(Positions(first_id), None)
        storage.append([submission(f"{number:0{size}}") for number in range(count)])


class Pages:
    """The pages of a database's file, to be damaged."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "journal.db"
        self.data = bytearray(self._file.read_bytes())
        connection = apsw.Connection(str(self._file))
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'entries'").fetchall()[0]
        connection.close()
        self.root = int(str(root))

    def save(self) -> None:
        self._file.write_bytes(self.data)

    def start(self, page: int) -> int:
        return (page - 1) * PAGE_BYTES

    def cells(self, page: int) -> list[int]:
        at = self.start(page)
        header = at + (12 if self.data[at] == INTERIOR else 8)
        count = int.from_bytes(self.data[at + 3 : at + 5], "big")
        return [at + int.from_bytes(self.data[header + 2 * i : header + 2 * i + 2], "big") for i in range(count)]

    def leaves(self, page: int = 0) -> list[int]:
        page = page or self.root
        at = self.start(page)
        if self.data[at] == LEAF:
            return [page]
        children = [int.from_bytes(self.data[cell : cell + 4], "big") for cell in self.cells(page)]
        children.append(int.from_bytes(self.data[at + 8 : at + 12], "big"))
        return [leaf for child in children for leaf in self.leaves(child)]

    def rowid(self, entry_id: int) -> int:
        """Where the last byte of an entry's id is."""
        for leaf in self.leaves():
            for cell in self.cells(leaf):
                at = cell
                while self.data[at] & 0x80:
                    at += 1
                value, at = 0, at + 1
                while self.data[at] & 0x80:
                    value, at = value << 7 | self.data[at] & 0x7F, at + 1
                if value << 7 | self.data[at] == entry_id:
                    return at
        raise AssertionError(f"no entry {entry_id}")


def ids(folder: Path) -> list[int]:
    return [entry.id for entry in list_entries(folder, Filter(), None)]


def lost(result: Salvaged) -> set[int]:
    return {entry_id for first, last in result.lost for entry_id in range(first, last + 1)}


@pytest.mark.parametrize("first_id", [1, 1_000_000, 1 << 40])
def test_one_damaged_page_costs_its_entries_only_however_high_the_ids_are(
    folder: Path, new: Path, first_id: int
) -> None:
    taken(folder, 3000, first_id)
    pages = Pages(folder)
    for leaf in (pages.leaves()[0], pages.leaves()[60]):
        pages.data[pages.start(leaf)] = 0xEE
    pages.save()
    result = salvage(folder, new, Clock())
    assert 2900 <= result.entries < 3000
    every = set(range(first_id, first_id + 3000))
    missing = every - set(ids(new))
    inside = [(first, last) for first, last in result.lost if first >= first_id]
    assert missing == every & {i for first, last in result.lost for i in range(max(first, first_id), last + 1)}
    assert len(inside) == (2 if first_id == 1 else 1)
    assert any("by the journal's state there were 3000" in note for note in result.notes)


def test_the_first_and_the_last_page_may_be_damaged_both(folder: Path, new: Path) -> None:
    taken(folder, 3000, 1_000_000)
    pages = Pages(folder)
    for leaf in (pages.leaves()[0], pages.leaves()[-1]):
        pages.data[pages.start(leaf)] = 0xEE
    pages.save()
    result = salvage(folder, new, Clock())
    assert result.entries > 2950
    assert any("how many there were is unknown" in note for note in result.notes)


def test_a_damaged_inner_page_costs_the_pages_below_it_only(folder: Path, new: Path) -> None:
    taken(folder, 12_000, 1_000_000, size=400)
    pages = Pages(folder)
    inner = int.from_bytes(pages.data[pages.cells(pages.root)[0] :][:4], "big")
    assert pages.data[pages.start(inner)] == INTERIOR
    below = [cell for leaf in pages.leaves(inner) for cell in pages.cells(leaf)]
    pages.data[pages.start(inner)] = 0xEE
    pages.save()
    result = salvage(folder, new, Clock())
    assert result.entries == 12_000 - len(below)


@pytest.mark.parametrize("entry_id", [5, 1000])
def test_an_entry_whose_id_is_wrong_is_said_to_be_lost(folder: Path, new: Path, entry_id: int) -> None:
    taken(folder, 1500)
    pages = Pages(folder)
    pages.data[pages.rowid(entry_id)] ^= 0x02 if entry_id < 64 else 0x40
    pages.save()
    result = salvage(folder, new, Clock())
    assert ids(new) == [number for number in range(1, 1501) if number != entry_id]
    assert lost(result) == {entry_id}
    assert result.notes
    assert verify(new).findings == ("1 entries that were never forwarded are missing",)


@pytest.mark.parametrize("entry_id", [1, 2, 700, 1499, 1500])
@pytest.mark.parametrize("change", [-(1 << 20), -1, 1, 1 << 20, 1 << 40])
def test_an_entry_whose_place_in_the_stream_is_wrong_gets_the_right_one(
    folder: Path, new: Path, entry_id: int, change: int
) -> None:
    taken(folder, 1500)
    with storage_in(folder) as storage:
        storage.connection.execute("UPDATE entries SET stream_end = stream_end + ? WHERE id = ?", (change, entry_id))
    result = salvage(folder, new, Clock())
    assert (ids(new), result.lost) == (list(range(1, 1501)), [])
    assert verify(new).findings == ()


def test_an_entry_that_waited_and_is_gone_without_a_trace_is_said_to_be_lost(folder: Path, new: Path) -> None:
    with storage_in(folder) as storage:
        fill(storage)
        storage.connection.execute("DELETE FROM entries WHERE id IN (10, 15, 16, 18)")  # to be forwarded: from 16 on
    result = salvage(folder, new, Clock())
    assert (result.entries, result.lost) == (16, [(16, 16), (18, 18)])
    assert len(result.notes) == 1


def test_what_was_retired_is_not_lost(folder: Path, new: Path) -> None:
    taken(folder, 2000)
    with storage_in(folder) as storage, transaction(storage.connection):
        storage.pin([3, 500])
        storage.advance(Positions(1001), None)
        storage.retire(received_before_ms=NOON_MS + 1, keep_bytes=1 << 40, rows_max=800)
    result = salvage(folder, new, Clock())
    assert (result.entries, result.lost, result.notes) == (1202, [], [])
    assert ids(new) == ids(folder)


def test_the_log_of_the_new_journal_stays_short(folder: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken(folder, 4000, size=9000)
    sizes: list[int] = []

    def spying(connection: apsw.Connection) -> None:
        limit_wal(connection)
        sizes.append(log_bytes(new))

    monkeypatch.setattr("bridge.journal.database.limit_wal", spying)
    assert salvage(folder, new, Clock()).entries == 4000
    assert 0 < max(sizes) < 14 << 20


def log_bytes(folder: Path) -> int:
    return (folder / "journal.db-wal").stat().st_size


# what is refused, and what is left behind


def test_a_newer_schema_is_refused_and_nothing_is_begun(folder: Path, new: Path) -> None:
    taken(folder, 20)
    with storage_in(folder) as storage:
        storage.connection.pragma("user_version", VERSION + 1)
        storage.connection.execute("ALTER TABLE entries ADD COLUMN extra BLOB")
    with pytest.raises(JournalError, match="newer treble-bridge"):
        salvage(folder, new, Clock())
    assert not new.exists()


def test_another_programs_database_is_refused_and_nothing_is_begun(folder: Path, new: Path) -> None:
    folder.mkdir()
    new.mkdir()
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.execute("CREATE TABLE a (x)")
    connection.close()
    with pytest.raises(JournalError, match="not a journal"):
        salvage(folder, new, Clock())
    assert list(new.iterdir()) == []


@pytest.mark.parametrize(("start", "end"), [(0, PAGE_BYTES), (0, 100), (100, PAGE_BYTES)])
def test_without_the_first_page_nothing_is_rescued_and_the_way_out_is_said(
    folder: Path, new: Path, start: int, end: int
) -> None:
    """It holds the header of the file, and behind that the names and places of the tables."""
    taken(folder, 20)
    pages = Pages(folder)
    pages.data[start:end] = b"\xee" * (end - start)
    pages.save()
    with pytest.raises(JournalCorruptError, match=r"its first page can't be read.*sqlite3 journal.db .recover"):
        salvage(folder, new, Clock())
    assert not new.exists()
    assert (folder / "journal.db").read_bytes() == pages.data


def test_the_new_journal_is_private(folder: Path, new: Path) -> None:
    taken(folder, 20)
    new.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        assert salvage(folder, new, Clock()).entries == 20
    finally:
        os.umask(before)
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in new.iterdir()} == {
        "journal.db": 0o600,
        "owner.lock": 0o600,
    }


def test_a_salvage_that_fails_leaves_nothing_and_can_be_tried_again(
    folder: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(folder, 20)
    with monkeypatch.context() as patched:
        patched.setattr("bridge.journal.database.limit_wal", raising(apsw.FullError("database or disk is full")))
        with pytest.raises(JournalFailedError, match="disk is full"):
            salvage(folder, new, Clock())
    assert not new.exists()
    assert salvage(folder, new, Clock()).entries == 20


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("behind", ["", "[]", "null", "{", '{"a": "b"}', '{"a": 0}', '{"a": 1e9}', '{"a": 99999}'])
def test_positions_that_can_not_be_read_mean_a_new_id_and_all_forwarded_again(
    folder: Path, new: Path, behind: str
) -> None:
    with storage_in(folder) as storage:
        fill(storage)
        storage.connection.execute("UPDATE state SET behind = ?", (behind,))
        former_id = storage.journal_id
    result = salvage(folder, new, Clock())
    state = read_state(new)
    assert (state.positions, result.entries, result.lost) == (Positions(), 20, [])
    assert former_id != state.journal_id == result.journal_id
    assert ["every rescued entry will be forwarded again" in note for note in result.notes] == [True]
    assert verify(new).findings == ()


def test_a_note_of_a_wrong_type_in_the_state_is_no_hindrance(folder: Path, new: Path) -> None:
    with storage_in(folder) as storage:
        fill(storage)
        storage.connection.pragma("writable_schema", True)
        storage.connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'state'")
    with storage_in(folder) as storage:
        storage.connection.execute("UPDATE state SET kafka_offset = 'nonsense'")
    result = salvage(folder, new, Clock())
    assert (result.entries, len(result.notes)) == (20, 1)
