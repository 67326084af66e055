"""Opens the database: folder, modes, version, recovery. What SQLite raises is translated here, once."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from bridge.errors import JournalCorruptError, JournalError, JournalFailedError
from bridge.journal.lock import denied, find_journal, unusable
from bridge.journal.schema import (
    DATABASE,
    FILE_MODE,
    FOLDER_MODE,
    FORMAT_APPLICATION_ID,
    PAGE_BYTES,
    SCHEMA,
    VERSION,
    WAL_FRAME_BYTES,
)

WRITER_CACHE_KIB: Final = 4096
READER_CACHE_KIB: Final = 8192
STATEMENTS_CACHED: Final = 160
BUSY_TIMEOUT_MS: Final = 10_000
WAL_KEPT_BYTES: Final = 16 << 20
WAL_LIMIT_BYTES: Final = 8 << 20
"""Above it, `limit_wal` moves the log into the database. One commit may exceed it."""
CHECKED_BYTES_MAX: Final = 128 << 20
"""Up to this size the whole structure is checked at each start (about half a second). A larger journal has its small
tables and the ends of the large ones checked, so that a start never takes minutes; `journal verify` checks all."""

_DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)


@contextlib.contextmanager
def translated(folder: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite and the disk raise into errors of the journal. `doing` completes the sentence "could not …"."""
    try:
        yield
    except _DAMAGE as error:
        raise damaged(folder, str(error)) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        # SQLite opens a file that may not be written for reading, and fails with the first write only.
        raise denied(folder) or _failed(folder, doing, error) from error
    except apsw.Error as error:
        raise _failed(folder, doing, error) from error
    except OSError as error:
        raise unusable(folder, error) or JournalFailedError(
            f"the journal {folder} could not {doing}: {error.strerror or error}"
        ) from error


def _failed(folder: Path, doing: str, error: apsw.Error) -> JournalFailedError:
    return JournalFailedError(f"the journal {folder / DATABASE} could not {doing}: {error}")


def damaged(folder: Path, finding: str) -> JournalCorruptError:
    """The error that says which file is damaged, and what rescues its entries."""
    return JournalCorruptError(
        f"{folder / DATABASE} is damaged: {finding}. What can be read of it is rescued into a new folder by: "
        f"treble-bridge journal salvage {folder} NEW-FOLDER"
    )


def prepare_folder(folder: Path) -> None:
    """Make the folder and an empty database file with their modes, durably. What exists is left as it is."""
    if not folder.is_dir():
        folder.mkdir(mode=FOLDER_MODE, parents=True)
        sync_folder(folder.parent)
    # SQLite would make the file with the umask's mode; the log and its index take over the mode of this one.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(folder / DATABASE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))


def sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def open_writer(folder: Path, created_at_ms: int, vfs: str | None = None) -> apsw.Connection:
    """The one writing connection. Makes, migrates or recovers the database; refuses a damaged one."""
    with _opening(folder, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, vfs) as connection:
        _configure(connection)
        _recover(connection)
        _migrate(connection, folder, created_at_ms)
        # Making the log deleted a rollback journal; were that name to come back after a power cut, SQLite would roll
        # back to the time before the log, and everything in it would be gone.
        sync_folder(folder)
        _check(connection, folder)
    return connection


def open_reader(folder: Path, vfs: str | None = None) -> apsw.Connection:
    """A connection that reads only. It works while another process writes."""
    if not find_journal(folder):
        raise JournalError(f"there is no journal in {folder}: {DATABASE} is missing")
    with _opening(folder, apsw.SQLITE_OPEN_READONLY, vfs) as connection:
        connection.pragma("cache_size", -READER_CACHE_KIB)
        connection.pragma("query_only", True)
        _check_version(connection, folder)
        connection.execute("SELECT id FROM entries LIMIT 0").fetchall()  # the names of the tables are there
    return connection


@contextlib.contextmanager
def _opening(folder: Path, flags: int, vfs: str | None) -> Iterator[apsw.Connection]:
    with translated(folder, "be opened"):
        connection = apsw.Connection(str(folder / DATABASE), flags=flags, vfs=vfs, statementcachesize=STATEMENTS_CACHED)
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            yield connection
        except BaseException:
            connection.close(True)
            raise


def _configure(connection: apsw.Connection) -> None:
    for name, value in (
        ("page_size", PAGE_BYTES),
        ("auto_vacuum", 0),
        ("cache_size", -WRITER_CACHE_KIB),
        ("mmap_size", 0),
        ("temp_store", 2),
        ("cell_size_check", 1),
        ("trusted_schema", 0),
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("journal_size_limit", WAL_KEPT_BYTES),
    ):
        connection.pragma(name, value)
    if str(connection.pragma("journal_mode")).lower() != "wal":
        raise apsw.CantOpenError("its file system does not support a write-ahead log (shared memory)")
    connection.wal_autocheckpoint(0)  # the writer does it, between commits: see `Maintenance.checkpoint`


def _recover(connection: apsw.Connection) -> None:
    """Move what the log holds into the database, and begin the log anew.

    If the last process ended because a sync failed, the log may be whole in the page cache and not on the disk. Were
    new commits appended to it, a later power cut would lose them with it; written anew, they stand on their own.
    """
    with contextlib.suppress(apsw.BusyError):  # a `journal ls` reads at this moment: the log goes on instead
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)


def _check_version(connection: apsw.Connection, folder: Path) -> int:
    version = int(connection.pragma("user_version"))
    if int(connection.pragma("application_id")) != FORMAT_APPLICATION_ID:
        raise JournalCorruptError(f"{folder / DATABASE} is a database, but not a journal of treble-bridge")
    if version > VERSION:
        raise JournalCorruptError(
            f"{folder / DATABASE} was written by a newer treble-bridge (schema {version}; this program knows up to "
            f"{VERSION}): run that version, or give this one a folder of its own"
        )
    return version


def _migrate(connection: apsw.Connection, folder: Path, created_at_ms: int) -> None:
    """Bring an older schema, or an empty file (version 0), to this one's, in one transaction."""
    empty = not int(connection.pragma("schema_version"))
    version = 0 if empty else _check_version(connection, folder)
    if version == VERSION:
        return
    with transaction(connection):
        for script in SCHEMA[version:]:
            for _ in connection.execute(script):
                pass
        if empty:
            connection.pragma("application_id", FORMAT_APPLICATION_ID)
            connection.execute(
                """INSERT INTO state (one, journal_id, created_at, next_id, behind, deleted)
                VALUES (1, ?, ?, 1, '{}', 0)""",
                (str(uuid.uuid4()), created_at_ms),
            )
        connection.pragma("user_version", VERSION)


@contextlib.contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Everything inside, or nothing. Takes the write lock at once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with contextlib.suppress(apsw.Error):  # the first error is the one that tells
                connection.execute("ROLLBACK")
        raise


def limit_wal(connection: apsw.Connection) -> None:
    """Keep the log of a long offline command short. To be called between commits, by the only one who writes."""
    frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    if frames * WAL_FRAME_BYTES >= WAL_LIMIT_BYTES:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)


def _check(connection: apsw.Connection, folder: Path) -> None:
    """Refuse a database whose structure is damaged, as far as a start has time to see it."""
    pages = int(connection.pragma("page_count"))
    # With a number, that many findings of all tables.
    for argument in ["1"] if pages * PAGE_BYTES <= CHECKED_BYTES_MAX else ["state", "held", "identities_log"]:
        findings = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({argument})")]
        if findings != ["ok"]:
            raise damaged(folder, findings[0])
    rows = connection.execute("SELECT one FROM state").fetchall()
    if rows != [(1,)]:
        raise damaged(folder, "its state is missing")
    for order in ("ASC", "DESC"):
        connection.execute(f"SELECT * FROM entries ORDER BY id {order} LIMIT 1").fetchall()  # noqa: S608 - constants
