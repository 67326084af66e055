"""A disk that fails: nothing of the failed commit is acknowledged, nothing is written after it, restarting recovers."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ExitCode, JournalCorruptError, JournalFailedError
from bridge.journal import Journal
from bridge.model import Positions
from tests.fakes.disk import Disk
from tests.unit.journal.making import Heard, dedupe_key, open_journal, submission, until

Opens = Callable[..., Journal]


@pytest.fixture
async def opened(tmp_path: Path, disk: Disk) -> AsyncIterator[Opens]:
    """Opens a journal on the scripted disk."""
    journals: list[Journal] = []

    def opens(**options: Any) -> Journal:
        journals.append(open_journal(tmp_path / "journal", **{"vfs": disk.name} | options))
        return journals[-1]

    yield opens
    for journal in journals:
        await journal.close()


FAULTS: dict[str, dict[str, Any]] = {
    "the log's sync fails": {"operation": "sync", "name_ends": "-wal"},
    "a write to the log fails": {"operation": "write", "name_ends": "-wal"},
    "a write to the log fails half way": {"operation": "write", "name_ends": "-wal", "skip": 1, "part": 0.5},
    "the disk is full": {"operation": "write", "name_ends": "-wal", "full": True, "stays": True},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_nothing_of_a_failed_commit_is_acknowledged_and_a_restart_has_all_that_was(
    opened: Opens, disk: Disk, fault: dict[str, Any]
) -> None:
    heard = Heard()
    journal = opened(telemetry=heard)
    acknowledged = await asyncio.gather(*(journal.append(submission(f"good {n}")) for n in range(10)))
    disk.fail(**fault)
    waiting = [journal.append(submission("lost")) for _ in range(5)]
    waiter = asyncio.create_task(journal.wait_for(100))
    advancing = asyncio.create_task(journal.advance(Positions(5), [(dedupe_key(1), 1)]))
    failures = await asyncio.gather(*waiting, advancing, waiter, return_exceptions=True)
    assert all(isinstance(failure, JournalFailedError) for failure in failures), failures

    error = await asyncio.wait_for(asyncio.shield(journal.failed), 5)
    assert error.exit_code is ExitCode.JOURNAL_FAILED
    assert "could not be written" in str(error)
    assert heard.failures == [error]
    with pytest.raises(JournalFailedError):
        journal.append(submission())
    with pytest.raises(JournalFailedError):
        await journal.advance(Positions(5), [])
    assert journal.last_id == 10
    await journal.close()

    disk.faults.clear()
    again = opened()
    found = await again.read(1, 100, 1 << 20)
    assert [entry.id for entry in found[:10]] == acknowledged
    assert again.positions.next_id in {1, 5}
    last_id = again.last_id
    assert await again.append(submission("goes on")) == last_id + 1


async def test_what_is_queued_behind_a_failed_commit_fails_with_it(opened: Opens, disk: Disk) -> None:
    journal = opened()
    disk.fail("sync", "-wal", stays=True)
    waiting = [journal.append(submission()) for _ in range(5000)]  # several commits' worth
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(failure) for failure in failures} == {JournalFailedError}


async def test_a_checkpoint_that_fails_stops_the_journal_but_takes_back_nothing(opened: Opens, disk: Disk) -> None:
    journal = opened(max_bytes=1 << 20)  # its log is short: checkpoints come early
    acknowledged = [await journal.append(submission())]
    disk.fail("sync", "journal.db", stays=True)
    for _ in range(100):
        try:
            acknowledged.append(await journal.append(submission(b"x" * 2000)))
        except JournalFailedError:
            break
    await until(journal.failed.done, "failure")
    await journal.close()
    disk.faults.clear()
    again = opened()
    assert [entry.id for entry in await again.read(1, 1000, 1 << 20)][: len(acknowledged)] == acknowledged


async def test_a_full_disk_at_the_start_is_said_and_leaves_no_lock(opened: Opens, disk: Disk) -> None:
    disk.fail("write", full=True, stays=True)
    with pytest.raises(JournalFailedError, match="full"):
        opened()
    disk.faults.clear()
    assert await opened().append(submission()) == 1


ROT = """
import random, sys
with open(sys.argv[1], "r+b") as file:
    file.seek(100 * 4096)
    file.write(random.Random(1).randbytes(1000 * 4096))
"""


def rot(database: Path) -> None:
    """Overwrite pages, from another process: closing the file in this one would take SQLite's locks away."""
    subprocess.run([sys.executable, "-c", ROT, str(database)], check=True)


async def read_all(journal: Journal) -> None:
    for from_id in range(1, 3001, 100):
        await journal.read(from_id, 100, 1 << 30)


async def test_a_page_that_rots_while_running_fails_the_journal_when_it_is_read(opened: Opens, tmp_path: Path) -> None:
    journal = opened(vfs=None)
    await asyncio.gather(*(journal.append(submission(b"x" * 3000)) for _ in range(3000)))
    await journal.close()
    again = opened(vfs=None)
    rot(tmp_path / "journal" / "journal.db")
    with pytest.raises(JournalCorruptError, match="salvage"):
        await read_all(again)
    assert "damaged" in str(again.failed.result())
    with pytest.raises(JournalFailedError):
        again.append(submission())
