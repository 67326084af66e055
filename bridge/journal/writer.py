"""The writer thread: everything that waits goes into one commit. No future is done before its commit is synced.

While a commit runs, the next one gathers by itself; under load, it also waits for a moment (`Writer.put`).
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

import apsw

from bridge.journal.database import transaction
from bridge.journal.maintenance import Maintenance
from bridge.journal.storage import ROWS_PER_INSERT, Storage
from bridge.model import Entry, PinnedEntries

MANY_ENTRIES: Final = 16
GATHER_S: Final = 0.0015
COMMIT_ITEMS_MAX: Final = 1024
COMMIT_BYTES_MAX: Final = 8 << 20

Step = Callable[[Storage], Any]
Item = tuple[Entry | Step, "asyncio.Future[Any]"]


@dataclass(slots=True)
class Commit:
    """One commit.

    `entries` are the futures of the appended entries, whose ids go up from `first_id`; `steps` are the futures of other
    work, with their results. `backlog` is set when a step may have changed it: what is deferred, the oldest pending
    entry's time, and what is pinned.
    """

    submissions: list[Entry] = field(default_factory=list)
    entries: list["asyncio.Future[int]"] = field(default_factory=list)
    size: int = 0
    work: list[tuple[Step, "asyncio.Future[Any]"]] = field(default_factory=list)
    steps: list[tuple["asyncio.Future[Any]", Any]] = field(default_factory=list)
    first_id: int = 0
    last_id: int = 0
    count: int = 0
    backlog: tuple[dict[str, int], int | None, PinnedEntries] | None = None
    seconds: float = 0.0


class Writer:
    """Owns the storage from `start` on. `done`, `measured` and `failed` are called on the loop; `failed` is the last.

    `failed` gets the error and the futures of the commit that failed; what is still queued is in `abandoned`. `ended`
    is done when the thread has ended and the connection is closed.
    """

    def __init__(
        self,
        storage: Storage,
        maintenance: Maintenance,
        loop: asyncio.AbstractEventLoop,
        *,
        done: Callable[[Commit], None],
        measured: Callable[[int, int | None], None],
        failed: Callable[[BaseException, Sequence["asyncio.Future[Any]"]], None],
    ) -> None:
        self._storage, self._maintenance, self._loop = storage, maintenance, loop
        self._done, self._measured, self._failed = done, measured, failed
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._outbox: list[Item] = []
        self._handing_over: asyncio.Handle | None = None
        self._last_entries = 0
        self._told_count = storage.entries
        self.ended: asyncio.Future[None] = loop.create_future()
        # A daemon: a process that is told to die does so in the middle of a commit, which the journal survives.
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Begin. Only when the callbacks can be called: the first commit may fail at once."""
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item: it is handed over once the loop has seen what else is ready.

        On one core, a writer that is woken by the first of many requests would commit it alone; and a commit costs as
        much as some twenty entries do. So when many came the last time, 1.5 ms are waited for others.
        """
        self._outbox.append(item)
        if self._handing_over is None:
            if self._last_entries >= MANY_ENTRIES:
                self._handing_over = self._loop.call_later(GATHER_S, self._hand_over)
            else:
                self._handing_over = self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._handing_over = None
        for item in self._outbox:
            self._queue.put(item)
        self._outbox.clear()

    def stop(self) -> None:
        """End once everything that is queued is committed."""
        self._hand_over()
        self._queue.put(None)

    def abandoned(self) -> list["asyncio.Future[Any]"]:
        """After a failure: the futures of what will not be written."""
        futures = [future for _, future in self._outbox]
        self._outbox.clear()
        with contextlib.suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    futures.append(item[1])
        return futures

    # the thread

    def _run(self) -> None:
        commit = Commit()
        try:
            stopping = False
            while not stopping:
                commit, stopping = self._gather()
                self._turn(commit)
            self._maintenance.checkpoint(idle=True)
        except BaseException as error:  # noqa: BLE001 - whatever it is, nothing may be acknowledged after it
            with contextlib.suppress(apsw.Error):
                # The log as it is tells the next start the most.
                self._storage.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._tell(self._failed, error, [*commit.entries, *(future for _, future in commit.work)])
        finally:
            with contextlib.suppress(apsw.Error):
                self._storage.connection.close(True)
            self._tell(self._end)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what, *arguments)

    def _gather(self) -> tuple[Commit, bool]:
        """What waits, or an empty commit when maintenance is due first; and whether to stop after it."""
        queue, commit = self._queue, Commit()
        with contextlib.suppress(Empty):
            item = queue.get(timeout=self._maintenance.wait_s())
            while item is not None:
                what, future = item
                if isinstance(what, Entry):
                    commit.submissions.append(what)
                    commit.entries.append(future)
                    commit.size += len(what.headers) + len(what.body)
                else:
                    commit.work.append((what, future))
                if commit.size > COMMIT_BYTES_MAX or len(commit.entries) + len(commit.work) >= COMMIT_ITEMS_MAX:
                    return commit, False
                item = queue.get_nowait()
            return commit, True
        return commit, False

    def _turn(self, commit: Commit) -> None:
        began_s = time.perf_counter()
        self._last_entries = len(commit.entries)
        due = self._maintenance.due()
        one_statement = not commit.work and not due and len(commit.entries) <= ROWS_PER_INSERT  # a transaction itself
        with contextlib.nullcontext() if one_statement else transaction(self._storage.connection):
            # Steps before entries: positions beyond the last id move the ids that new entries get.
            commit.steps = [(future, step(self._storage)) for step, future in commit.work]
            if due:
                self._maintenance.work()
            if commit.submissions:
                commit.first_id = self._storage.append(commit.submissions)
        commit.seconds = time.perf_counter() - began_s
        self._after(commit)

    def _after(self, commit: Commit) -> None:
        """Complete the futures; then maintenance, which no future waits for."""
        storage, maintenance = self._storage, self._maintenance
        if commit.work:
            commit.backlog = (dict(storage.deferred), storage.oldest_pending_ms(), storage.pinned)
        commit.last_id, commit.count = storage.last_id, storage.entries
        if commit.entries or commit.work or commit.count != self._told_count:
            self._told_count = commit.count
            self._tell(self._done, commit)
        maintenance.committed(commit.size, steps=len(commit.steps))
        maintenance.checkpoint(idle=not commit.entries and not commit.work)
        if maintenance.measure():
            self._tell(self._measured, maintenance.used, maintenance.shortened_to_ms())
