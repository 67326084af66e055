"""Rescuing a damaged journal: what SQLite can read of it goes into a new one. The damaged files are kept as they are.

Ids stay as they were, and the journal's own id if it can be read, so that Kafka's positions stay true. Entries are read
by growing id. Where a page can't be read, the next id behind it is searched for, and those in between are reported as
lost. What was rescued is counted against the state. Without the first page of the database nothing is rescued.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import apsw

from bridge.errors import JournalCorruptError, JournalError
from bridge.journal import database, queries
from bridge.journal.lock import take_lock
from bridge.journal.queries import ID_MAX, JournalState
from bridge.journal.schema import DATABASE, ITEM_BYTES, LOCK
from bridge.model import Positions

Row = tuple[Any, ...]
UNREADABLE: Final = (apsw.Error, UnicodeError)
TRIED_ONE_BY_ONE: Final = 1000
"""Ids behind an unreadable one, more than a page holds. Then the steps double: a damaged inner page hides thousands."""
COMMIT_BYTES: Final = 4 << 20
ROW_BYTES: Final = 100  # what a row adds to a commit beside its blobs

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "entries": (int, int, int, str, str, bytes, bytes),
    "parked": (str, int, str),
    "held": (int,),
    "identities_log": (int, bytes),
    "identities": (bytes, bytes),
}
_FROM: Final = "WHERE id >= ? ORDER BY id"
_DEFER: Final = """
    INSERT OR IGNORE INTO parked SELECT ?, id, '' FROM entries WHERE id BETWEEN ? AND ?
    AND id NOT IN (SELECT entry_id FROM parked WHERE event_type <> '')"""
_FINISH: Final = f"""
    DELETE FROM parked WHERE entry_id NOT IN (SELECT id FROM entries);
    DELETE FROM held WHERE entry_id NOT IN (SELECT id FROM entries);
    DELETE FROM identities_log WHERE length(items) % {ITEM_BYTES} <> 0;
    UPDATE state SET deleted = max(next_id - 1, (SELECT coalesce(max(id), 0) FROM entries))
        - (SELECT count(*) FROM entries)"""  # noqa: S608 - a constant


@dataclass(slots=True)
class Salvaged:
    """What was rescued. `lost` are ranges of ids (both ends in) that could not be read; `notes` what to know."""

    journal_id: str = ""
    entries: int = 0
    lost: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def salvage(source: Path, target: Path, clock_ms: Callable[[], int]) -> Salvaged:
    """Rescue the journal in `source` into the new folder `target`. Raises JournalLockedError while a bridge runs."""
    if target.exists() and any(target.iterdir()):
        raise JournalError(f"{target} is not empty: name a folder that does not exist yet")
    made = not target.exists()
    with take_lock(source), database.translated(target, "be written"), contextlib.closing(_open(source)) as old:
        try:
            database.prepare_folder(target)
            with take_lock(target), contextlib.closing(database.open_writer(target, clock_ms())) as new:
                return _rescue(old, new, target)
        except BaseException:
            # Half a journal must not be taken for one, nor be in the way of the next try.
            for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", LOCK):
                (target / name).unlink(missing_ok=True)
            if made:
                with contextlib.suppress(OSError):
                    target.rmdir()
            raise


def _open(source: Path) -> apsw.Connection:
    try:
        return database.open_reader(source)
    except JournalCorruptError as error:
        if error.__cause__ is None:  # another program's database, or a newer program's journal
            raise
        raise JournalCorruptError(
            f"{source / DATABASE}: its first page can't be read, which says where all others are ({error.__cause__}): "
            "nothing is rescued. Keep this folder, and start the bridge on a new one, so that it takes webhooks. Then "
            f"restore an earlier copy of the volume, or try SQLite's own shell: sqlite3 {DATABASE} .recover"
        ) from error


def _rescue(old: apsw.Connection, new: apsw.Connection, target: Path) -> Salvaged:
    result = Salvaged()
    state = _read_state(old)
    highest = _copy_entries(old, new, state, result)
    unread = [table for table in _TYPES if table != "entries" and _insert(new, table, _rows(old, table))[1]]
    result.notes += [f"the table {table} could not be read to its end" for table in unread]
    if state is None:
        result.notes.append("id and positions are lost: under a new id, every rescued entry will be forwarded again")
    else:
        _copy_state(old, new, result.notes)
        if "parked" in unread and state.positions.behind:
            _defer_whatever_may_wait(new, state.positions, result)
        if result.entries != (expected := highest - state.deleted):
            result.notes.append(f"{result.entries} entries were rescued; by the journal's state there were {expected}")
    with database.transaction(new):
        new.execute(_FINISH).fetchall()
    result.journal_id = queries.journal_state(new).journal_id
    database.sync_folder(target)
    return result


def _read_state(old: apsw.Connection) -> JournalState | None:
    """None when it can't be read, or believed."""
    try:
        state = queries.journal_state(old)
        ids = (state.positions.next_id, *state.positions.behind.values())
        sound = type(state.deleted) is int and all(type(at) is int and 1 <= at <= ids[0] for at in ids)
    except (*UNREADABLE, AttributeError, IndexError, TypeError, ValueError):
        return None
    return state if sound else None


def _copy_state(old: apsw.Connection, new: apsw.Connection, notes: list[str]) -> None:
    """All columns that there are in this version. One of a wrong type is refused: the table is STRICT."""
    rows = old.execute("SELECT * FROM state")
    with database.transaction(new):
        for (name, _), value in zip(rows.get_description(), rows.fetchall()[0], strict=True):
            try:
                new.execute(f"UPDATE state SET {name} = ?", (value,))  # noqa: S608 - names of the schema
            except apsw.ConstraintError:
                notes.append(f"{name} of the journal's state could not be read")


def _defer_whatever_may_wait(new: apsw.Connection, positions: Positions, result: Salvaged) -> None:
    """Which entries were deferred is unknown: from the first that may have been, all wait that aren't known to."""
    with database.transaction(new):
        # For each topic: what Kafka says of one must not take along what waits for another.
        for topic, first in positions.behind.items():
            new.execute(_DEFER, (topic, first, positions.next_id - 1))
        again = new.execute("SELECT count(DISTINCT entry_id) FROM parked WHERE event_type = ''").fetchall()[0][0]
    result.notes.append(
        f"which entries were deferred is lost: from entry {min(positions.behind.values())} on, {again} will be "
        "looked at again. What the window of duplicates knows does not go out twice; others may, under the same ce_id"
    )


def _copy_entries(old: apsw.Connection, new: apsw.Connection, state: JournalState | None, result: Salvaged) -> int:
    """Copy what can be read, note the ids that can't. Returns the highest id that there was, as far as is known."""
    positions = Positions() if state is None else state.positions
    waits_from = ID_MAX if state is None else positions.next_id
    newest = next(_rows(old, "entries", "ORDER BY id DESC LIMIT 1"), None)
    highest: int = newest[0] if newest else 0
    known_ids = sorted({*positions.behind.values(), positions.next_id, highest})
    last = end = 0
    gap = False

    def values() -> Iterator[Row]:
        nonlocal last, end, gap
        for row in _ascending(_scanned(old, known_ids)):
            if row is None:
                gap = True
                continue
            entry_id, at_ms, _, source, hint, headers, body = row
            # What was forwarded may be gone because it was retained no longer; what was not has to be there.
            if (first := last + 1 if gap else max(last + 1, waits_from)) < entry_id:
                result.lost.append((first, entry_id - 1))
            last, end, gap = entry_id, end + len(headers) + len(body), False
            yield entry_id, at_ms, end, source, hint, headers, body

    result.entries, _ = _insert(new, "entries", values())
    highest = max(last, highest, positions.next_id - 1)
    if gap:
        result.lost.append((last + 1, max(last + 1, highest)))
        result.notes.append(f"from entry {last + 1} on nothing could be read; how many there were is unknown")
    return highest


def _ascending(rows: Iterator[Row | None]) -> Iterator[Row | None]:
    """Put None for a row whose id contradicts: of a pair in the wrong order the first, if the second can be right."""
    last, waiting = 0, None
    for row in rows:
        if waiting is not None:
            too_high = row is not None and last < row[0] <= waiting[0]
            yield None if too_high else waiting
            last = last if too_high else waiting[0]
        waiting = row if row is not None and row[0] > last else None
        if waiting is None:
            yield None
    if waiting is not None:
        yield waiting


def _scanned(old: apsw.Connection, known_ids: list[int]) -> Iterator[Row | None]:
    """All entries in the order of the pages; None where something can't be read."""
    from_id: int | None = 1
    while from_id is not None:
        high, failed = from_id - 1, False
        for row in _rows(old, "entries", _FROM, (from_id,)):
            yield row
            failed = row is None
            high = high if row is None else max(high, row[0])
        from_id = _next_readable(old, high + 1, known_ids) if failed else None


def _rows(old: apsw.Connection, table: str, where: str = "", bindings: tuple[int, ...] = ()) -> Iterator[Row | None]:
    """Rows; None for one whose values have wrong types, and as the last one where the next can't be read."""
    try:
        for row in old.execute(f"SELECT * FROM {table} {where}", bindings):  # noqa: S608 - names from above
            yield row if tuple(map(type, row)) == _TYPES[table] else None
    except UNREADABLE:
        yield None


def _next_readable(old: apsw.Connection, failed: int, known_ids: list[int]) -> int | None:
    """The first id behind one that fails from which on rows can be read; None when there is none."""

    def can_read(entry_id: int) -> bool:
        return None not in _rows(old, "entries", f"{_FROM} LIMIT 1", (entry_id,))

    at, tried = failed, 0
    while at < ID_MAX:
        before, tried = at, tried + 1
        at = min(at + (1 if tried <= TRIED_ONE_BY_ONE else 1 << (tried - TRIED_ONE_BY_ONE)), ID_MAX)
        if (known := next((known for known in known_ids if before < known <= at), None)) is not None:
            at, tried = known, 0  # there were entries: their neighbours are tried one by one, too
        if can_read(at):
            return before + 1 + bisect_left(range(before + 1, at), True, key=can_read)
    return None


def _insert(new: apsw.Connection, table: str, rows: Iterator[Row | None]) -> tuple[int, int]:
    """Insert rows, about COMMIT_BYTES a commit. Returns how many, and how many were None."""
    sql = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(_TYPES[table]))})"  # noqa: S608 - names from above
    inserted, missing, size = 0, 0, COMMIT_BYTES
    while size >= COMMIT_BYTES:
        size = 0
        with database.transaction(new):
            for row in rows:
                if row is None:
                    missing += 1
                    continue
                new.execute(sql, row)
                inserted += 1
                size += ROW_BYTES + sum(len(value) for value in row if isinstance(value, bytes))
                if size >= COMMIT_BYTES:
                    break
        database.limit_wal(new)
    return inserted, missing
