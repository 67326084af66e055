"""Rescuing a damaged journal: what can be read of it goes into a new one; the damaged files are kept as they are.

Ids stay as they were, so Kafka's positions stay true; the journal's own id too, if it can be read. Entries are read one
after another (see `readable`); where something is missing or contradicts its neighbours, the ids in between are
reported, and what was rescued is counted against what the state says.

The entries of a damaged journal that can be believed, growing by id, and where something is missing.

A row counts when it can be read, when its values have their types, and when it agrees with its neighbours: ids grow,
and `stream_end` grows by what the row holds. Of two neighbours that contradict each other, the one is left out that
agrees less with the rows on both sides.

Opens a damaged journal for reading; a copy of it with a new first page, when that page can't be read.

The first page holds the names and places of the tables, and the tables of one layout are always in the same places.

Which row ids a database's files mention, read past SQLite: where to go on when one of its pages can't be read.

Only places to look at: whatever is wrong here is found out when SQLite is asked for it. Formats:
https://www.sqlite.org/fileformat.html, "B-tree Pages" and "The Write-Ahead Log".

Keeps the write-ahead log of a long offline command from growing with all that the command writes.

The state row of a damaged journal, as far as it can be believed, and its way into the new one.
"""

import contextlib
import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw

from bridge.errors import JournalError
from bridge.journal import queries
from bridge.journal.database import (
    newer_layout,
    not_a_journal,
    open_raw_reader,
    open_writer,
    prepare_folder,
    sync_folder,
    transaction,
    translated,
)
from bridge.journal.lock import Ownership
from bridge.journal.queries import ID_MAX, Standing
from bridge.journal.schema import (
    DATABASE,
    FILE_MODE,
    FORMAT_APPLICATION_ID,
    ITEM_BYTES,
    LOCK,
    PAGE_BYTES,
    VERSION,
    WAL_FRAME_BYTES,
)
from bridge.model import Positions

UNREADABLE: Final = (apsw.Error, UnicodeError)
TRIED_IN_A_ROW: Final = 1000
"""Ids after one that can't be read that are tried one by one, before the next one that the files mention is: more than
a page holds."""

_FROM: Final = "SELECT id, received_at, stream_end, source, hint, headers, body FROM entries WHERE id >= ? ORDER BY id"
_ONE: Final = _FROM + " LIMIT 1"
_ENTRY_TYPES: Final = (int, int, int, str, str, bytes, bytes)
_JUDGED_WITH: Final = 3  # two that may contradict each other, and the one after them


@dataclass(slots=True, eq=False)
class Row:
    """An entry as it is stored. `after_gap`: between the row before and this one, something could not be read."""

    id: int
    received_at_ms: int
    stream_end: int
    source: str
    hint: str
    headers: bytes
    body: bytes
    after_gap: bool = False

    @property
    def size(self) -> int:
        """What it adds to the stream, bytes."""
        return len(self.headers) + len(self.body)


def check_types(values: Sequence[Any], types: tuple[type, ...]) -> None:
    """Raise apsw.CorruptError when a value is not of its column's type."""
    if not all(isinstance(value, kind) for value, kind in zip(values, types, strict=True)):
        raise apsw.CorruptError("a value of a wrong type")


class Readable:
    """Iterates over the rows. Once it is through, `cut` says whether there was more at the end that can't be read.

    `mentioned` gives ids that the files mention, growing (see `leaves`); it is called when they are needed first.
    """

    def __init__(self, connection: apsw.Connection, mentioned: Callable[[], list[int]]) -> None:
        self.cut = False
        self._connection = connection
        self._mentioned = mentioned
        self._ids: list[int] | None = None

    def __iter__(self) -> Iterator[Row]:
        last: Row | None = None
        waiting: list[Row] = []
        for row in self._scanned():
            if row is None:
                self.cut = True
                continue
            row.after_gap, self.cut = self.cut, False
            waiting.append(row)
            if len(waiting) == _JUDGED_WITH and (sound := self._judged(last, waiting)) is not None:
                yield (last := sound)
        while waiting:
            if (sound := self._judged(last, waiting)) is not None:
                yield (last := sound)

    def _judged(self, last: Row | None, waiting: list[Row]) -> Row | None:
        """The first that waits, taken out, when it is sound. Else None, and one of them was left out."""
        one, other, after = [*waiting, None, None][:_JUDGED_WITH]
        assert one is not None
        if last is not None and one.id <= last.id:
            self._leave_out(waiting, 0)
            return None
        if other is not None and not _link(one, other):
            scores = [_link(last, row) + _link(row, after) for row in (one, other)]
            if scores[0] < scores[1]:
                self._leave_out(waiting, 0)
                return None
            if scores[0] > scores[1] or other.id <= one.id:
                self._leave_out(waiting, 1)
                return None
            other.after_gap = True  # both have friends: where they meet, something is missing
        elif other is None and last is not None and not _link(last, one):
            self._leave_out(waiting, 0)  # the last of all, by its own word only
            return None
        return waiting.pop(0)

    def _leave_out(self, waiting: list[Row], number: int) -> None:
        del waiting[number]
        if number < len(waiting):
            waiting[number].after_gap = True
        else:
            self.cut = True

    # what SQLite gives

    def _scanned(self) -> Iterator[Row | None]:
        """All rows in the order of the pages; None where something can't be read."""
        from_id: int | None = 1
        while from_id is not None:
            before = high = from_id - 1
            try:
                for values in self._connection.execute(_FROM, (from_id,)):
                    entry_id = values[0]
                    # One that is lower than the one before it: which of the two is wrong? It matters where to go on.
                    if entry_id > high:
                        before, high = high, entry_id
                    elif entry_id > before:
                        high = entry_id
                    yield _row(values)
            except UNREADABLE:
                yield None
                from_id = self._next_readable(high + 1)
            else:
                from_id = None

    def _next_readable(self, failed: int) -> int | None:
        """The first id after one that fails from which on a row can be read, or nothing more is."""
        if self._ids is None:
            self._ids = self._mentioned()
        tried_from = entry_id = failed
        while True:
            entry_id += 1
            if entry_id - tried_from > TRIED_IN_A_ROW:
                place = bisect_right(self._ids, entry_id)
                if place == len(self._ids):
                    return None
                tried_from = entry_id = self._ids[place]
            elif (place := bisect_right(self._ids, entry_id - 1)) < len(self._ids) and self._ids[place] == entry_id:
                tried_from = entry_id
            if entry_id > ID_MAX:
                return None
            try:
                self._connection.execute(_ONE, (entry_id,)).fetchall()
            except UNREADABLE:
                continue
            return entry_id


def _row(values: Sequence[Any]) -> Row | None:
    try:
        check_types(values, _ENTRY_TYPES)
    except apsw.CorruptError:
        return None
    return Row(*values) if values[0] >= 1 else None


def _link(one: Row | None, other: Row | None) -> int:
    """How well a row follows another: 2 right behind it, 1 with others in between, 0 not at all."""
    if other is None:
        return 0
    if one is None:
        return 1
    end = one.stream_end + other.size
    if other.id == one.id + 1:
        return 2 if other.stream_end == end else 0
    return 1 if other.id > one.id and other.stream_end >= end else 0


COPY: Final = "damaged-copy.db"
# In SQLite's first page: the count of pages, the change counter and the number that says the count is valid, and the
# list of free pages (https://www.sqlite.org/fileformat.html, "The Database Header").
_PAGE_COUNT, _COUNTER, _COUNT_VALID_FOR, _FREE_LIST = slice(28, 32), slice(24, 28), slice(92, 96), slice(32, 40)


@contextlib.contextmanager
def open_damaged(source: Path, target: Path, new: apsw.Connection, notes: list[str]) -> Iterator[apsw.Connection]:
    """A connection to the damaged database in `source`, or to a copy in `target`, which is removed at the end.

    `new` is a new journal, whose first page the copy gets. Raises JournalError for another program's database, and for
    a layout that this program doesn't know.
    """
    connection = _as_it_is(source)
    if connection is not None:
        with contextlib.closing(connection):
            yield connection
        return
    notes.append("the first page could not be read: it was replaced in a copy")
    copy = target / COPY
    try:
        _copy(source / DATABASE, copy)
        log = source / f"{DATABASE}-wal"
        if log.exists():
            _copy(log, target / f"{COPY}-wal")
        _replace_first_page(copy, new)
        with contextlib.closing(apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            yield connection
    finally:
        for name in (COPY, f"{COPY}-wal", f"{COPY}-shm", f"{COPY}-journal"):
            (target / name).unlink(missing_ok=True)


def _as_it_is(source: Path) -> apsw.Connection | None:
    """A connection when the first page is there, as far as the names of the tables tell."""
    connection: apsw.Connection | None = None
    try:
        connection = open_raw_reader(source)
        tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        application_id, version = int(connection.pragma("application_id")), int(connection.pragma("user_version"))
        ours = {"state", "entries"} <= tables
        if not ours and tables and application_id != FORMAT_APPLICATION_ID:
            raise not_a_journal(source)
        if ours and version > VERSION:
            raise newer_layout(source, version)
        connection.execute("SELECT id FROM entries WHERE id >= 1 LIMIT 0").fetchall()
    except (JournalError, *UNREADABLE) as error:
        if connection is not None:
            connection.close(True)
        if isinstance(error, JournalError):
            raise
        return None
    return connection


def _copy(file: Path, copy: Path) -> None:
    """A copy that only we may read, in a place where nothing was."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with file.open("rb") as old, os.fdopen(os.open(copy, flags, FILE_MODE), "wb") as new:
        shutil.copyfileobj(old, new, 1 << 20)


def _replace_first_page(copy: Path, new: apsw.Connection) -> None:
    new.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    first = bytearray(new.serialize("main")[:PAGE_BYTES])
    first[_PAGE_COUNT] = (copy.stat().st_size // PAGE_BYTES).to_bytes(4, "big")
    first[_COUNT_VALID_FOR] = first[_COUNTER]
    first[_FREE_LIST] = bytes(8)
    with copy.open("r+b") as file:
        file.write(first)


_LEAF, _INTERIOR = 0x0D, 0x05
_HEADER_BYTES: Final = {_LEAF: 8, _INTERIOR: 12}
_WAL_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = WAL_FRAME_BYTES - PAGE_BYTES
_VARINT_BYTES_MAX: Final = 9
_CHILD_BYTES: Final = 4


def mentioned_ids(folder: Path) -> list[int]:
    """The first and the last row id of each leaf, and where each begins by its parent; all tables together, growing."""
    found: set[int] = set()
    for page in _pages(folder / DATABASE, 0, 0, PAGE_BYTES):
        found.update(_ends(page))
    log = folder / f"{DATABASE}-wal"
    for page in _pages(log, _WAL_HEADER_BYTES, _FRAME_HEADER_BYTES, WAL_FRAME_BYTES):
        found.update(_ends(page))
    return sorted(found)


def _pages(file: Path, start: int, skipped: int, stride: int) -> Iterator[bytes]:
    if not file.exists():
        return
    with file.open("rb") as opened:
        for at in range(start, os.fstat(opened.fileno()).st_size, stride):
            opened.seek(at + skipped)
            yield opened.read(PAGE_BYTES)


def _ends(page: bytes) -> Iterator[int]:
    header = _HEADER_BYTES.get(page[0]) if len(page) == PAGE_BYTES else None
    if header is None:
        return
    cells = int.from_bytes(page[3:5], "big")
    for number in range(cells) if page[0] == _INTERIOR else {0, cells - 1} if cells else ():
        at = header + 2 * number
        cell = page[int.from_bytes(page[at : at + 2], "big") :]
        # A leaf's cell begins with the length of the row, an interior one with a page; then the id, both times. In an
        # interior page it is the highest on the left, so that the next begins another page.
        if page[0] == _LEAF:
            yield _varint(cell[_varint(cell)[1] :])[0]
        else:
            yield _varint(cell[_CHILD_BYTES:])[0] + 1


def _varint(data: bytes) -> tuple[int, int]:
    """SQLite's integer of variable length, and how many bytes it takes."""
    value = 0
    for length, byte in enumerate(data[:_VARINT_BYTES_MAX], 1):
        if length == _VARINT_BYTES_MAX:
            return value << 8 | byte, length
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, length
    return value, len(data)


LOG_BYTES_MAX: Final = 8 << 20
"""A log that is longer is moved into the database, after a commit; then it begins anew. One commit may exceed it."""


def keep_short(connection: apsw.Connection) -> None:
    """To be called between commits by the only one who has the database open."""
    frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    if frames * WAL_FRAME_BYTES >= LOG_BYTES_MAX:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)


_STATE: Final = "SELECT journal_id, created_at, next_id, behind, kafka_offset, deleted FROM state WHERE next_id >= 1"
_STATE_TYPES: Final = (str, int, int, str, object, int)
_UNKNOWN: Final = {"": 1}
"""In place of the lanes that are behind, when they can't be read."""
_NEW_ID: Final = (
    "the journal's id and positions could not be read: it got a new id, and every rescued entry will be forwarded again"
)


def read_state(old: apsw.Connection, notes: list[str]) -> Standing | None:
    """The state; None, with a note, when it can't be read. The lanes in it are for `with_lanes` first."""
    try:
        row: tuple[Any, ...] = old.execute(_STATE).fetchall()[0]
        check_types(row, _STATE_TYPES)
    except (*UNREADABLE, IndexError):
        notes.append(_NEW_ID)
        return None
    journal_id, created_at, next_id, behind, offset, deleted = row
    offset = offset if isinstance(offset, int) else None
    return Standing(journal_id, created_at, Positions(next_id, _lanes(behind, next_id)), offset, deleted)


def _lanes(text: str, next_id: int) -> dict[str, int]:
    try:
        lanes = json.loads(text)
    except ValueError:
        return _UNKNOWN
    if not isinstance(lanes, dict) or not all(type(at) is int and 1 <= at <= next_id for at in lanes.values()):
        return _UNKNOWN
    return lanes


def with_lanes(state: Standing, new: apsw.Connection, *, parked_known: bool, notes: list[str]) -> Standing | None:
    """The state with lanes that hold: when they could not be read, each from the first on that is parked in `new`.

    None, with a note, when nothing says what waits: then everything has to be forwarded again.
    """
    if state.positions.behind != _UNKNOWN:
        return state
    if not parked_known:
        notes.append(_NEW_ID)
        return None
    notes.append("how far the lanes were could not be read: each begins at its first entry that waits")
    rows = new.execute("SELECT topic, min(entry_id) FROM parked GROUP BY topic").fetchall()
    behind = {str(topic): int(str(first)) for topic, first in rows}
    return replace(state, positions=Positions(state.positions.next_id, behind))


def write_state(old: apsw.Connection, new: apsw.Connection, state: Standing) -> None:
    """Give the new journal the old one's state."""
    with transaction(new):
        new.execute(
            "UPDATE state SET journal_id = ?, created_at = ?, next_id = ?, behind = ?, kafka_offset = ?, "
            "unconfirmed_from = ?, doubts = ?",
            (
                state.journal_id,
                state.created_at_ms,
                state.positions.next_id,
                queries.behind_text(state.positions),
                state.positions_offset,
                _later(old, "unconfirmed_from", int),
                _later(old, "doubts", str),
            ),
        )


def _later(old: apsw.Connection, column: str, kind: type[int] | type[str]) -> int | str | None:
    """What a column holds that older layouts don't have."""
    try:
        (value,) = old.execute(f"SELECT {column} FROM state").fetchall()[0]  # noqa: S608 - ours
    except (*UNREADABLE, IndexError):
        return None
    return value if isinstance(value, kind) else None


def count_by(state: Standing, highest_id: int) -> int:
    """How many entries there were by the state, when `highest_id` was the highest that was taken."""
    return max(highest_id, state.positions.next_id - 1) - state.deleted


COMMIT_ROWS: Final = 1000
COMMIT_BYTES: Final = 4 << 20
_OTHERS: Final[tuple[tuple[str, str, tuple[type, ...]], ...]] = (
    ("parked", "SELECT topic, entry_id, event_type FROM parked", (str, int, str)),
    ("held", "SELECT entry_id FROM held", (int,)),
    ("identities_log", "SELECT seq, items FROM identities_log", (int, bytes)),
    ("identities", "SELECT identity, received_at FROM identities", (bytes, bytes)),
)
_PARK: Final = """
    INSERT OR IGNORE INTO parked SELECT ?, id, '' FROM entries WHERE id BETWEEN ? AND ?
    AND id NOT IN (SELECT entry_id FROM parked WHERE event_type <> '')"""
_INSERT: Final = "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class Salvaged:
    """What was rescued. `lost` are ranges of ids (both ends in) that could not be read; `notes` what to know."""

    journal_id: str = ""
    entries: int = 0
    lost: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def salvage(source: Path, target: Path, clock_ms: Callable[[], int]) -> Salvaged:
    """Rescue the journal in `source` into the new folder `target`. Raises JournalLockedError while a bridge runs."""
    if not (source / DATABASE).is_file():
        raise JournalError(f"there is no journal in {source}: {DATABASE} is missing")
    if target.exists() and any(target.iterdir()):
        raise JournalError(f"{target} is not empty: name a folder that does not exist yet")
    made = not target.exists()
    with Ownership.take(source), translated(target, "be written"):
        try:
            prepare_folder(target)
            with Ownership.take(target), closing(open_writer(target, clock_ms())) as new:
                return _rescue(source, target, new)
        except BaseException:
            _remove(target, made=made)
            raise


def _remove(target: Path, *, made: bool) -> None:
    """Nothing of what was begun stays: half a journal must not be taken for one, nor be in the way of the next try."""
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", LOCK):
        (target / name).unlink(missing_ok=True)
    if made:
        with contextlib.suppress(OSError):
            target.rmdir()


def _rescue(source: Path, target: Path, new: apsw.Connection) -> Salvaged:
    result = Salvaged()
    with open_damaged(source, target, new, result.notes) as old:
        state = read_state(old, result.notes)
        highest = _copy_entries(old, new, partial(mentioned_ids, source), state, result)
        unread = {part[0] for part in _OTHERS if not _copy_rows(old, new, part, result)}
        if state is not None:
            state = with_lanes(state, new, parked_known="parked" not in unread, notes=result.notes)
        if state is not None:
            write_state(old, new, state)
    if "parked" in unread and state is not None:
        _park_whatever_may_wait(new, state, result)
    if state is not None and result.entries != (expected := count_by(state, highest)):
        result.notes.append(f"{result.entries} entries were rescued; by the journal's state there were {expected}")
    _finish(new, result)
    sync_folder(target)
    return result


def _copy_entries(
    old: apsw.Connection,
    new: apsw.Connection,
    mentioned: Callable[[], list[int]],
    state: Standing | None,
    result: Salvaged,
) -> int:
    """Copy what can be read, note the ids that can't. Returns the highest id that there was, as far as is known."""
    highest = max(_highest(old), state.positions.next_id - 1 if state else 0)
    entries = Readable(old, lambda: sorted({*mentioned(), *([highest] if highest else [])}))
    last = end = 0
    waits_from = state.positions.next_id if state else queries.ID_MAX

    def values() -> Iterator[tuple[Any, ...]]:
        nonlocal last, end
        for row in entries:
            # What was forwarded may be gone because it was retained no longer; what was not has to be there.
            if (first := last + 1 if row.after_gap else max(last + 1, waits_from)) < row.id:
                result.lost.append((first, row.id - 1))
            last, end = row.id, end + row.size
            yield row.id, row.received_at_ms, end, row.source, row.hint, row.headers, row.body

    for rows in _parts(values()):
        with transaction(new):
            before = new.total_changes()
            new.executemany(_INSERT, rows)
            inserted = new.total_changes() - before
        result.entries += inserted
        if inserted < len(rows):
            result.notes.append(f"{len(rows) - inserted} entries had the id of another one, and were left out")
        keep_short(new)
    if entries.cut:
        result.lost.append((last + 1, max(last + 1, highest)))
        result.notes.append(f"from entry {last + 1} on nothing could be read; how many there were is unknown")
    return max(last, highest)


def _highest(old: apsw.Connection) -> int:
    try:
        rows = old.execute("SELECT id FROM entries ORDER BY id DESC LIMIT 1").fetchall()
    except UNREADABLE:
        return 0
    return int(str(rows[0][0])) if rows else 0


def _parts(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """What goes into one commit: so many rows, or so many bytes."""
    part: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        part.append(row)
        size += sum(len(value) for value in row if isinstance(value, bytes))
        if len(part) == COMMIT_ROWS or size >= COMMIT_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _copy_rows(
    old: apsw.Connection, new: apsw.Connection, part: tuple[str, str, tuple[type, ...]], result: Salvaged
) -> bool:
    """Copy what can be read of a table. Whether that was all."""
    table, sql, types = part
    insert = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(types))})"  # noqa: S608 - names from above
    failure: list[Exception] = []

    def values() -> Iterator[tuple[Any, ...]]:
        try:
            for row in old.execute(sql):
                check_types(row, types)
                yield row
        except UNREADABLE as error:
            failure.append(error)

    for rows in _parts(values()):
        with transaction(new):
            new.executemany(insert, rows)
        keep_short(new)
    if failure:
        result.notes.append(f"the table {table} could not be read to its end: {failure[0]}")
    return not failure


def _park_whatever_may_wait(new: apsw.Connection, state: Standing, result: Salvaged) -> None:
    """Which entries waited for a lane is unknown: from the first that may have, all wait that aren't known to."""
    if not state.positions.behind:
        return
    with transaction(new):
        # For each lane: what Kafka says of one must not take along what waits for another.
        for topic, first in state.positions.behind.items():
            new.execute(_PARK, (topic, first, state.positions.next_id - 1))
        first = min(state.positions.behind.values())
        again = new.execute("SELECT count(DISTINCT entry_id) FROM parked WHERE event_type = ''").fetchall()[0][0]
    result.notes.append(
        f"which entries waited for a lane is lost: from entry {first} on, {again} will be looked at again. "
        "Those that the window of duplicates knows don't go out twice; others may, under the same ce_id"
    )


def _finish(new: apsw.Connection, result: Salvaged) -> None:
    """Make the new journal agree with itself."""
    with transaction(new):
        new.execute("DELETE FROM parked WHERE entry_id NOT IN (SELECT id FROM entries)")
        new.execute("DELETE FROM held WHERE entry_id NOT IN (SELECT id FROM entries)")
        new.execute(f"DELETE FROM identities_log WHERE length(items) % {ITEM_BYTES} <> 0")  # noqa: S608 - a constant
        new.execute(
            "UPDATE state SET deleted = max(next_id - 1, (SELECT coalesce(max(id), 0) FROM entries)) "
            "- (SELECT count(*) FROM entries)"
        )
    result.journal_id = queries.standing(new).journal_id
