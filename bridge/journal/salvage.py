"""Rescuing a damaged journal: what can be read of it goes into a new one; the damaged files are kept as they are.

Ids stay as they were, so Kafka's positions stay true; the journal's own id too, if it can be read. Entries are read one
after another; where reading fails, the next readable one is looked for, and the ids in between are reported. When not
even the first page can be read (it holds the names and places of the tables), a copy gets the first page of a new
journal: the tables of one layout are always in the same places.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import apsw

from bridge.errors import JournalError
from bridge.journal import queries
from bridge.journal.database import open_reader, open_writer, prepare_folder, sync_folder, transaction, translated
from bridge.journal.layout import DATABASE, ITEM_BYTES, PAGE_BYTES
from bridge.journal.ownership import Ownership
from bridge.journal.queries import Standing

GIVE_UP_AFTER: Final = 200_000
"""Ids that can't be read in a row, before the rest is taken for lost."""
COMMIT_ROWS: Final = 1000
_UNREADABLE: Final = (apsw.Error, UnicodeError)
_ENTRIES: Final = "SELECT id, received_at, source, hint, headers, body FROM entries WHERE id >= ? ORDER BY id LIMIT ?"
_OTHERS: Final[tuple[tuple[str, str, tuple[type, ...]], ...]] = (
    ("parked", "SELECT topic, entry_id, event_type FROM parked", (str, int, str)),
    ("held", "SELECT entry_id FROM held", (int,)),
    ("identities_log", "SELECT seq, items FROM identities_log", (int, bytes)),
    ("identities", "SELECT identity, received_at FROM identities", (bytes, bytes)),
)
_ENTRY_TYPES: Final = (int, int, str, str, bytes, bytes)
# In SQLite's first page: the count of pages, the change counter and the number that says the count is valid, and the
# list of free pages (https://www.sqlite.org/fileformat.html, "The Database Header").
_PAGE_COUNT, _COUNTER, _COUNT_VALID_FOR, _FREE_LIST = slice(28, 32), slice(24, 28), slice(92, 96), slice(32, 40)


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
    with Ownership.take(source), translated(target, "be written"):
        prepare_folder(target)
        with Ownership.take(target), closing(open_writer(target, clock_ms())) as new:
            return _rescue(source, target, new)


def _rescue(source: Path, target: Path, new: apsw.Connection) -> Salvaged:
    result = Salvaged()
    old, copied = _open_damaged(source, target, new, result)
    with closing(old):
        state = _state(old, result)
        with transaction(new):
            if state is not None:
                new.execute(
                    "UPDATE state SET journal_id = ?, created_at = ?, next_id = ?, behind = ?, kafka_offset = ?",
                    _state_values(state),
                )
                new.execute("UPDATE state SET unconfirmed_from = ?", (_unconfirmed_from(old),))
        _copy_entries(old, new, result)
        for part in _OTHERS:
            _copy_rows(old, new, part, result)
    for path in copied:
        path.unlink(missing_ok=True)
    _finish(new, result)
    sync_folder(target)
    return result


def _open_damaged(
    source: Path, target: Path, new: apsw.Connection, result: Salvaged
) -> tuple[apsw.Connection, list[Path]]:
    """A connection to the damaged database, or to a copy of it with a new first page."""
    try:
        connection = open_reader(source)
        connection.execute(_ENTRIES, (1, 0)).fetchall()
    except (JournalError, *_UNREADABLE):
        result.notes.append("the first page could not be read: it was replaced in a copy")
    else:
        return connection, []
    copy = target / "damaged-copy.db"
    shutil.copyfile(source / DATABASE, copy)
    log = source / f"{DATABASE}-wal"
    if log.exists():
        shutil.copyfile(log, target / f"{copy.name}-wal")
    new.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    pages = copy.stat().st_size // PAGE_BYTES
    first = bytearray(new.serialize("main")[:PAGE_BYTES])
    first[_PAGE_COUNT] = pages.to_bytes(4, "big")
    first[_COUNT_VALID_FOR] = first[_COUNTER]
    first[_FREE_LIST] = bytes(8)
    with copy.open("r+b") as file:
        file.write(first)
    flags = apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(str(copy), flags=flags)
    return connection, [copy, target / f"{copy.name}-wal", target / f"{copy.name}-shm"]


def _state(old: apsw.Connection, result: Salvaged) -> Standing | None:
    try:
        return queries.standing(old)
    except (*_UNREADABLE, IndexError, ValueError):
        result.notes.append(
            "the journal's id and positions could not be read: it got a new id, and every rescued entry will be "
            "forwarded again"
        )
        return None


def _state_values(state: Standing) -> tuple[str, int, int, str, int | None]:
    return (
        state.journal_id,
        state.created_at_ms,
        state.positions.next_id,
        queries.behind_text(state.positions),
        state.positions_offset,
    )


def _unconfirmed_from(old: apsw.Connection) -> int | None:
    try:
        (value,) = old.execute("SELECT unconfirmed_from FROM state").fetchall()[0]
    except (*_UNREADABLE, IndexError):  # an older layout
        return None
    return value if isinstance(value, int) else None


def _copy_entries(old: apsw.Connection, new: apsw.Connection, result: Salvaged) -> None:
    rows: list[tuple[Any, ...]] = []
    end = 0
    for row in _readable(old, result):
        entry_id, at_ms, source, hint, headers, body = row
        end += len(headers) + len(body)
        rows.append((entry_id, at_ms, end, source, hint, headers, body))
        if len(rows) == COMMIT_ROWS:
            _insert(new, rows)
            rows.clear()
    _insert(new, rows)


def _insert(new: apsw.Connection, rows: list[tuple[Any, ...]]) -> None:
    with transaction(new):
        new.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _readable(old: apsw.Connection, result: Salvaged) -> Iterator[tuple[Any, ...]]:
    """The entries that can be read, growing by id. Notes the ids in between that can't."""
    next_id, failed_from = 1, 0
    while not failed_from or next_id - failed_from < GIVE_UP_AFTER:
        count = 0
        try:
            # One by one after a failure: the row that can't be read must not take its readable neighbours along.
            for row in old.execute(_ENTRIES, (next_id, 1 if failed_from else COMMIT_ROWS)):
                _check_types(row, _ENTRY_TYPES)
                if failed_from and row[0] > failed_from:
                    result.lost.append((failed_from, row[0] - 1))
                failed_from, next_id, count = 0, row[0] + 1, count + 1
                result.entries += 1
                yield row
        except _UNREADABLE:
            failed_from = failed_from or next_id
            next_id += 1
            continue
        if not count:
            break
    if failed_from:
        result.lost.append((failed_from, next_id - 1))
        result.notes.append(f"from entry {failed_from} on nothing could be read; how many there were is unknown")


def _check_types(row: tuple[Any, ...], types: tuple[type, ...]) -> None:
    if not all(isinstance(value, kind) for value, kind in zip(row, types, strict=True)):
        raise apsw.CorruptError("a value of a wrong type")


def _copy_rows(
    old: apsw.Connection, new: apsw.Connection, part: tuple[str, str, tuple[type, ...]], result: Salvaged
) -> None:
    table, sql, types = part
    insert = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(types))})"  # noqa: S608 - names from above
    with transaction(new):
        try:
            for row in old.execute(sql):
                _check_types(row, types)
                new.execute(insert, row)
        except _UNREADABLE as error:
            result.notes.append(f"the table {table} could not be read to its end: {error}")


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
