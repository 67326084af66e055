"""Journals for tests: a clock that stands still, submissions, and an opener with small defaults."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bridge.journal import Journal, Limits
from bridge.journal.database import open_writer, prepare_folder
from bridge.journal.storage import Storage
from bridge.model import Entry, JournalUsage
from bridge.telemetry import Telemetry

NOON_MS = 1_750_000_000_000
HOUR_MS = 3_600_000


class Clock:
    """Says the time that it was given."""

    def __init__(self, ms: int = NOON_MS) -> None:
        self.ms = ms

    def __call__(self) -> int:
        """The time, ms since the epoch."""
        return self.ms


class Heard(Telemetry):
    """Keeps what the journal reports."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[str] = []
        self.failures: list[BaseException] = []
        self.remembered_s: list[float] = []

    def journal_filled(self, usage: JournalUsage) -> None:
        """Note the state."""
        self.states.append(usage.state)

    def journal_failed(self, error: BaseException) -> None:
        """Note the error."""
        self.failures.append(error)

    def window_shortened(self, seconds: float) -> None:
        """Note how far back it goes."""
        self.remembered_s.append(seconds)


def submission(body: bytes | str = b"{}", *, at_ms: int = NOON_MS, source: str = "treble", hint: str = "read") -> Entry:
    """A request as the ingress hands it over."""
    return Entry(0, at_ms, source, hint, b"", body if isinstance(body, bytes) else body.encode())


def open_journal(path: Path, **options: Any) -> Journal:
    """Open with defaults that keep everything; a running loop is needed."""
    bounds = {"max_bytes": 64 << 20, "retain_s": 3600.0, "retain_bytes": 1 << 30, "window_s": 3600.0}
    given: dict[str, Any] = {"telemetry": Heard(), "clock_ms": Clock()} | bounds | options
    max_bytes, retain_s, retain_bytes, window_s = [given.pop(name) for name in bounds]
    return Journal.open(path, Limits(max_bytes, int(retain_s * 1000), retain_bytes, int(window_s * 1000)), **given)


@contextmanager
def storage_in(folder: Path, vfs: str | None = None) -> Iterator[Storage]:
    """The tables of a journal without threads and without a lock."""
    prepare_folder(folder)
    connection = open_writer(folder, NOON_MS, vfs)
    try:
        yield Storage(connection)
    finally:
        connection.close(True)


async def until(condition: Callable[[], Any], what: str, timeout_s: float = 10.0) -> None:
    """Wait for `condition` to hold."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, f"{what}: not within {timeout_s} s"
        await asyncio.sleep(0.005)


def dedupe_key(number: int) -> bytes:
    """A 16-byte dedupe key."""
    return number.to_bytes(2, "big") + number.to_bytes(14, "big")
