"""Reading a journal from outside: by the command line, also while a bridge runs. Never writes.

Reads go through SQLite in another process than the bridge's, page by page, so that the bridge is not held up. `verify`
has SQLite check the structure, and then checks what `schema` promises of the contents.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import apsw

from bridge.errors import JournalCorruptError
from bridge.journal import queries
from bridge.journal.database import open_reader, translated
from bridge.journal.queries import EntryState, EntrySummary, JournalState
from bridge.journal.schema import ITEM_BYTES
from bridge.model import Entry

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
class Filter:
    """Which entries to list; None is all. `since_ms` is the earliest time of reception."""

    state: EntryState | None = None
    source: str | None = None
    hint: str | None = None
    since_ms: int | None = None

    def matches(self, entry: EntrySummary) -> bool:
        return (
            (self.state is None or entry.state == self.state)
            and (self.source is None or entry.source == self.source)
            and (self.hint is None or entry.hint == self.hint)
            and (self.since_ms is None or entry.received_at_ms >= self.since_ms)
        )


@contextmanager
def reading(folder: Path) -> Iterator[apsw.Connection]:
    """A connection that reads the journal in `folder`. Raises JournalError, JournalCorruptError, JournalFailedError."""
    with closing(open_reader(folder)) as connection, translated(folder, "be read"):
        yield connection


def list_entries(folder: Path, wanted: Filter, limit: int | None) -> list[EntrySummary]:
    """The newest `limit` entries that match, oldest first; all of them with None."""
    with reading(folder) as connection:
        found = (entry for entry in queries.list_entries(connection, newest_first=True) if wanted.matches(entry))
        return list(islice(found, limit))[::-1]


def get_entry(folder: Path, entry_id: int) -> tuple[Entry, EntrySummary] | None:
    with reading(folder) as connection:
        return queries.get(connection, entry_id)


def read_state(folder: Path) -> JournalState:
    with reading(folder) as connection:
        return queries.journal_state(connection)


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
        try:
            found = tuple(str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({FINDINGS_MAX})"))
        except apsw.CorruptError as error:
            found = (str(error),)
        damage = () if found == ("ok",) else found
        try:
            return _report(connection, damage)
        except (apsw.CorruptError, IndexError, ValueError) as error:
            finding = "; ".join(damage) or str(error) or "its state is missing"
            raise JournalCorruptError(
                f"{folder} is damaged beyond counting: {finding}. "
                f"What can be read is rescued by: treble-bridge journal salvage {folder} NEW-FOLDER"
            ) from error


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
