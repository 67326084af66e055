"""Opening: modes, lock, versions, what is refused."""

import json
import os
import random
import socket
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from bridge.errors import ExitCode, JournalCorruptError, JournalFailedError, JournalLockedError, JournalUnusableError
from bridge.journal import database, schema
from bridge.journal.database import open_writer, prepare_folder
from bridge.journal.lock import take_lock
from bridge.journal.offline.inspect import Filter, list_entries, verify
from bridge.journal.offline.salvage import salvage
from bridge.journal.schema import FORMAT_APPLICATION_ID, VERSION
from bridge.model import NOTHING_IN_DOUBT
from tests.unit.journal.conftest import Opens
from tests.unit.journal.making import NOON_MS, Clock, storage_in, submission

OPEN_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from tests.unit.journal.making import open_journal
async def main():
    journal = open_journal(Path(sys.argv[1]))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


def damage(database_file: Path, pages: list[int]) -> None:
    """Overwrite pages (0 is the first) with noise."""
    noise = random.Random(1)
    with database_file.open("r+b") as file:
        for page in pages:
            file.seek(page * schema.PAGE_BYTES)
            file.write(noise.randbytes(schema.PAGE_BYTES))


def mode(file: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(file.stat().st_mode)


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(file.name for file in folder.iterdir())


def make(folder: Path, content: bytes | None = None, mode: int = 0o700) -> Path:
    """A folder, and in it a database file with this content."""
    folder.mkdir()
    folder.chmod(mode)
    if content is not None:
        (folder / "journal.db").write_bytes(content)
    return folder / "journal.db"


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """A process that owns the journal until it is killed."""
    command = [sys.executable, "-c", OPEN_AND_WAIT, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def test_everything_is_private_whatever_the_umask(opened: Opens, folder: Path) -> None:
    before = os.umask(0)
    try:
        journal = opened()
        await journal.append(submission())
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert names(folder) == ["journal.db", "journal.db-shm", "journal.db-wal", "owner.lock"]
    assert {mode(folder / name) for name in names(folder)} == {0o600}


async def test_a_folder_that_exists_keeps_its_mode(opened: Opens, folder: Path) -> None:
    make(folder, mode=0o2770)
    await opened().append(submission())
    assert mode(folder) == 0o2770


async def test_the_database_says_what_it_is_and_syncs_every_commit(opened: Opens, folder: Path) -> None:
    journal = opened()
    await journal.close()
    connection = apsw.Connection(str(folder / "journal.db"))
    assert connection.pragma("application_id") == FORMAT_APPLICATION_ID
    assert connection.pragma("user_version") == VERSION
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("auto_vacuum") == 0
    connection.close()
    with storage_in(folder) as storage:
        assert storage.connection.pragma("synchronous") == 2


async def test_a_second_process_is_refused_with_the_owner_named(opened: Opens, folder: Path) -> None:
    with start(folder) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        with pytest.raises(JournalLockedError) as refused:
            opened()
        assert f"process {owner.pid} on host {socket.gethostname()}" in str(refused.value)
        assert refused.value.exit_code is ExitCode.JOURNAL_LOCKED
        owner.kill()
    opened()


async def test_the_same_process_cannot_open_it_twice(opened: Opens) -> None:
    first = opened()
    with pytest.raises(JournalLockedError):
        opened()
    await first.close()
    opened()


async def test_an_owner_that_left_no_name_is_still_an_owner(opened: Opens, folder: Path) -> None:
    first = opened()
    (folder / "owner.lock").write_bytes(b"\xff")
    with pytest.raises(JournalLockedError, match="another process"):
        opened()
    await first.close()


async def test_a_newer_schema_is_refused_and_left_alone(opened: Opens, folder: Path) -> None:
    with storage_in(folder) as storage:
        storage.connection.pragma("user_version", VERSION + 1)
    with pytest.raises(JournalCorruptError, match=f"newer treble-bridge \\(schema {VERSION + 1}") as refused:
        opened()
    assert refused.value.exit_code is ExitCode.JOURNAL_CORRUPT
    take_lock(folder).close()  # what refused it has let go of the lock
    connection = apsw.Connection(str(folder / "journal.db"))
    assert connection.pragma("user_version") == VERSION + 1
    connection.close()


async def test_an_older_schema_is_migrated_and_keeps_its_entries(
    opened: Opens, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage_in(folder) as storage:
        storage.append([submission("old")])
    monkeypatch.setattr(database, "SCHEMA", (*schema.SCHEMA, "CREATE TABLE added (x INTEGER) STRICT;"))
    monkeypatch.setattr(database, "VERSION", VERSION + 1)
    journal = opened()
    assert [entry.body for entry in await journal.read(1, 10, 1000)] == [b"old"]
    await journal.close()
    connection = apsw.Connection(str(folder / "journal.db"))
    assert connection.pragma("user_version") == VERSION + 1
    assert connection.execute("SELECT count(*) FROM added").fetchall() == [(0,)]
    connection.close()


async def test_a_journal_of_version_1_can_be_read_from_outside_and_is_migrated_when_opened(
    opened: Opens, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(database, "SCHEMA", schema.SCHEMA[:1])
        older.setattr(database, "VERSION", 1)
        prepare_folder(folder)
        connection = open_writer(folder, NOON_MS)
        connection.execute("INSERT INTO entries VALUES (1, ?, 3, 'treble', 'read', x'', x'6f6c64')", (NOON_MS,))
        connection.close()
    assert (verify(folder).findings, [entry.id for entry in list_entries(folder, Filter(), None)]) == ((), [1])
    assert salvage(folder, tmp_path / "rescued", Clock()).notes == []
    journal = opened()
    assert [entry.body for entry in await journal.read(1, 10, 1000)] == [b"old"]
    assert (journal.unconfirmed_from, journal.in_doubt) == (2, NOTHING_IN_DOUBT)
    await journal.close()
    with storage_in(folder) as storage:
        assert storage.connection.pragma("user_version") == VERSION == 3


async def test_a_migration_that_fails_changes_nothing(
    opened: Opens, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage_in(folder):
        pass
    monkeypatch.setattr(database, "SCHEMA", (*schema.SCHEMA, "CREATE TABLE added (x INTEGER) STRICT; NONSENSE;"))
    monkeypatch.setattr(database, "VERSION", VERSION + 1)
    with pytest.raises(JournalFailedError, match="could not be opened"):
        opened()
    monkeypatch.undo()
    with storage_in(folder) as storage:
        assert storage.connection.pragma("user_version") == VERSION
        assert not storage.connection.table_exists("main", "added")


async def test_another_programs_database_is_refused(opened: Opens, folder: Path) -> None:
    connection = apsw.Connection(str(make(folder)))
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(JournalCorruptError, match="not a journal"):
        opened()


@pytest.mark.parametrize("pages", [[0], [1], [30], [5, 20, 40]])
async def test_a_damaged_database_is_refused_with_the_file_and_the_way_out(
    opened: Opens, folder: Path, pages: list[int]
) -> None:
    with storage_in(folder) as storage:
        storage.append([submission(b"x" * 500) for _ in range(1000)])
    damage(folder / "journal.db", pages)
    with pytest.raises(JournalCorruptError) as refused:
        opened()
    assert f"{folder}/journal.db" in str(refused.value)
    assert f"treble-bridge journal salvage {folder} NEW-FOLDER" in str(refused.value)


async def test_a_file_that_is_no_database_is_refused(opened: Opens, folder: Path) -> None:
    make(folder, b"not a database at all, but long enough to look like something\n" * 200)
    with pytest.raises(JournalCorruptError, match="salvage"):
        opened()


async def test_an_empty_file_left_by_a_crash_becomes_a_journal(opened: Opens, folder: Path) -> None:
    make(folder, b"")
    assert await opened().append(submission()) == 1


async def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(folder: Path, opened: Opens) -> None:
    make(folder.parent / "file", b"a file stands where the folder should be").rename(folder)
    with pytest.raises(JournalUnusableError, match=f"{folder}: File exists") as refused:
        opened()
    assert f"{folder}, a file, belongs to" in str(refused.value)


async def test_the_lock_file_is_readable_for_people(opened: Opens, folder: Path) -> None:
    opened()
    owner = json.loads((folder / "owner.lock").read_text())
    assert (owner["pid"], owner["host"]) == (os.getpid(), socket.gethostname())


async def test_a_clean_close_leaves_one_file_of_data(opened: Opens, folder: Path) -> None:
    journal = opened()
    await journal.append(submission())
    await journal.close()
    assert names(folder) == ["journal.db", "owner.lock"]
