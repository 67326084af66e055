"""Is a journal whole? SQLite's own check of the structure, then what `schema` promises of its contents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from bridge.errors import JournalCorruptError
from bridge.journal import queries
from bridge.journal.offline.inspect import reading
from bridge.journal.schema import ITEM_BYTES

FINDINGS_MAX: Final = 100

# What must not be there: a query that counts it, and what to say. Names: see `schema`.
_MUST_BE_NONE: Final = (
    (
        """SELECT count(*) FROM entries AS e JOIN entries AS f ON f.id = e.id + 1
        WHERE f.stream_end <> e.stream_end + length(f.headers) + length(f.body)""",
        "entries whose stream_end does not follow from the entry before",
    ),
    ("SELECT count(*) FROM entries WHERE id < 1", "entries with an id below 1"),
    (
        "SELECT count(*) FROM parked WHERE entry_id NOT IN (SELECT id FROM entries)",
        "deferred rows whose entry is missing",
    ),
    ("SELECT count(*) FROM held WHERE entry_id NOT IN (SELECT id FROM entries)", "held rows whose entry is missing"),
    (
        f"SELECT count(*) FROM identities_log WHERE length(items) % {ITEM_BYTES} <> 0",  # noqa: S608 - a constant
        "rows of the dedupe keys' log that are cut",
    ),
    (
        "SELECT count(*) FROM identities WHERE length(identity) <> 16 OR length(received_at) <> 6",
        "dedupe keys of a wrong length",
    ),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `damage` is SQLite's word on the structure; `findings` what contradicts the schema."""

    journal_id: str
    next_id: int
    last_id: int
    entries: int
    pending: int
    deferred: int
    pinned: int
    dedupe_keys: int
    damage: tuple[str, ...]
    findings: tuple[str, ...]


def verify(folder: Path) -> Report:
    """Check everything, in one read transaction. Takes about a second for 200 MiB, and reads all of it.

    Raises JournalError or JournalCorruptError when there is nothing that could be checked.
    """
    with reading(folder) as connection:
        connection.execute("BEGIN")
        damage = _damage(connection)
        try:
            return _report(connection, damage)
        except (apsw.CorruptError, IndexError, ValueError) as error:
            found = "; ".join(damage) or str(error) or "its state is missing"
            raise JournalCorruptError(
                f"{folder} is damaged beyond counting: {found}. "
                f"What can be read is rescued by: treble-bridge journal salvage {folder} NEW-FOLDER"
            ) from error


def _damage(connection: apsw.Connection) -> tuple[str, ...]:
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({FINDINGS_MAX})")]
    except apsw.CorruptError as error:
        return (str(error),)
    return () if found == ["ok"] else tuple(found)


def _report(connection: apsw.Connection, damage: tuple[str, ...]) -> Report:
    state = queries.journal_state(connection)
    next_id = state.positions.next_id
    entries = _number(connection, "SELECT count(*) FROM entries")
    waiting = _number(connection, "SELECT count(*) FROM entries WHERE id >= ?", next_id)
    highest = _number(connection, "SELECT coalesce(max(id), 0) FROM entries")
    last_id = max(highest, next_id - 1)
    deferred = sum(
        _number(connection, "SELECT count(*) FROM parked WHERE topic = ? AND entry_id >= ?", topic, position)
        for topic, position in state.positions.behind.items()
    )
    dedupe_keys = _number(connection, "SELECT count(*) FROM identities")
    logged = _number(connection, "SELECT coalesce(sum(length(items)), 0) FROM identities_log")
    findings = [f"{count} {what}" for sql, what in _MUST_BE_NONE if (count := _number(connection, sql))]
    if waiting != last_id - next_id + 1:
        findings.append(f"{last_id - next_id + 1 - waiting} entries that were never forwarded are missing")
    if entries != last_id - state.deleted:
        findings.append(f"there are {entries} entries; by the state there should be {last_id - state.deleted}")
    ahead = [topic for topic, position in state.positions.behind.items() if position > next_id]
    findings += [f"the topic queue of {topic} is ahead of the next entry" for topic in ahead]
    return Report(
        journal_id=state.journal_id,
        next_id=next_id,
        last_id=last_id,
        entries=entries,
        pending=waiting + deferred,
        deferred=deferred,
        pinned=_number(connection, "SELECT count(*) FROM held"),
        dedupe_keys=dedupe_keys + logged // ITEM_BYTES,
        damage=damage,
        findings=tuple(findings),
    )


def _number(connection: apsw.Connection, sql: str, *bindings: int | str) -> int:
    return int(str(connection.execute(sql, bindings).fetchall()[0][0]))
