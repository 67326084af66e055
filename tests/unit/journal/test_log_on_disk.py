"""The write-ahead log: bounded under load, tidied when idle, and no reader keeps it from that for long."""

import asyncio
import itertools
from pathlib import Path

import pytest

from bridge.journal import queries
from bridge.journal.maintenance import LOG_FRAMES_MAX
from bridge.journal.offline.inspect import reading
from bridge.journal.schema import WAL_FRAME_BYTES
from tests.unit.journal.conftest import Opens
from tests.unit.journal.making import submission, until


def file_bytes(file: Path) -> int:
    return file.stat().st_size


def log_bytes(folder: Path) -> int:
    return file_bytes(folder / "journal.db-wal")


async def test_the_log_stays_short_under_load(opened: Opens, folder: Path) -> None:
    journal = opened()
    highest = 0
    for _ in range(100):
        await asyncio.gather(*(journal.append(submission(b"x" * 3000)) for _ in range(100)))
        highest = max(highest, log_bytes(folder))
    assert highest < 2 * LOG_FRAMES_MAX * WAL_FRAME_BYTES


async def test_a_reader_that_looks_again_and_again_does_not_make_it_grow(opened: Opens, folder: Path) -> None:
    journal = opened()
    stop = asyncio.Event()

    async def look() -> None:
        while not stop.is_set():
            await journal._ask(
                lambda connection: list(queries.list_entries(connection, 1, 500))
            )  # by the reader thread

    looking = asyncio.create_task(look())
    for _ in range(100):
        await asyncio.gather(*(journal.append(submission(b"x" * 3000)) for _ in range(100)))
    stop.set()
    await looking
    assert log_bytes(folder) < 5 * LOG_FRAMES_MAX * WAL_FRAME_BYTES


async def test_a_reader_that_stands_still_makes_it_grow_only_until_it_ends(opened: Opens, folder: Path) -> None:
    journal = opened(max_bytes=1 << 30)
    await journal.append(submission())
    with reading(folder) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM state").fetchall()
        for _ in range(150):
            await asyncio.gather(*(journal.append(submission(b"x" * 3000)) for _ in range(100)))
        connection.execute("COMMIT")
    blocked = log_bytes(folder)
    assert blocked > 5 * LOG_FRAMES_MAX * WAL_FRAME_BYTES
    numbers = itertools.count()

    async def shorter() -> bool:
        await journal.append(submission(f"{next(numbers)}" * 3000))
        return log_bytes(folder) < blocked

    for _ in range(2000):
        if await shorter():
            break
    assert log_bytes(folder) <= 16 << 20


async def test_what_was_committed_reaches_the_database_while_it_is_idle(
    opened: Opens, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.journal.maintenance.IDLE_CHECKPOINT_S", 0.1)
    monkeypatch.setattr("bridge.journal.maintenance.IDLE_S", 0.1)
    journal = opened()
    await journal.append(submission(b"x" * 100_000))
    await until(lambda: file_bytes(folder / "journal.db") > 100_000, "checkpoint")
