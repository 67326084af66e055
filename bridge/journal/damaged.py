"""Opens a damaged journal for reading; a copy of it with a new first page, when that page can't be read.

The first page holds the names and places of the tables, and the tables of one layout are always in the same places.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from bridge.errors import JournalError
from bridge.journal.database import newer_layout, not_a_journal, open_raw_reader
from bridge.journal.layout import DATABASE, FILE_MODE, FORMAT_APPLICATION_ID, PAGE_BYTES, VERSION
from bridge.journal.readable import UNREADABLE

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
