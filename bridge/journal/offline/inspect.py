"""Reading a journal from outside: by the command line, also while a bridge runs. Never writes.

Reads go through SQLite in another process than the bridge's, page by page, so that the bridge is not held up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import apsw

from bridge.journal import queries
from bridge.journal.database import open_reader, translated
from bridge.journal.queries import EntryState, EntrySummary, JournalState
from bridge.journal.schema import DATABASE
from bridge.model import Entry


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
    connection = open_reader(folder)
    try:
        with translated(folder, "be read"):
            yield connection
    finally:
        connection.close(True)


def has_journal(folder: Path) -> bool:
    """Whether a journal was ever made in `folder`. The empty file that a crash may leave before that is none."""
    return (folder / DATABASE).is_file() and (folder / DATABASE).stat().st_size > 0


def list_entries(folder: Path, wanted: Filter, limit: int | None) -> list[EntrySummary]:
    """The newest `limit` entries that match, oldest first; all of them with None."""
    with reading(folder) as connection:
        found = (entry for entry in queries.list_newest_first(connection) if wanted.matches(entry))
        return list(islice(found, limit))[::-1]


def get_entry(folder: Path, entry_id: int) -> tuple[Entry, EntrySummary] | None:
    with reading(folder) as connection:
        return queries.get(connection, entry_id)


def read_state(folder: Path) -> JournalState:
    with reading(folder) as connection:
        return queries.journal_state(connection)
