"""Rescuing a damaged journal: what can be read of it goes into a new one; the damaged files are kept as they are.

Ids stay as they were, so Kafka's positions stay true; the journal's own id too, if it can be read. Entries are read one
after another (see `readable`); where something is missing or contradicts its neighbours, the ids in between are
reported, and what was rescued is counted against what the state says.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw

from bridge.errors import JournalError
from bridge.journal import queries
from bridge.journal.damaged import open_damaged
from bridge.journal.database import open_writer, prepare_folder, sync_folder, transaction, translated
from bridge.journal.layout import DATABASE, ITEM_BYTES, LOCK
from bridge.journal.leaves import mentioned_ids
from bridge.journal.log_size import keep_short
from bridge.journal.ownership import Ownership
from bridge.journal.queries import Standing
from bridge.journal.readable import UNREADABLE, Readable, check_types
from bridge.journal.rescued_state import count_by, read_state, with_lanes, write_state

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
