"""The journal as the event loop sees it: entries in, entries out, and how far they were forwarded.

Writes go to the writer's thread, which commits what has gathered; reads go to the reader's. A future is done only when
its commit is synced. What fails there fails the journal: whoever waits gets the error, and so does every later call.
"""

import asyncio
import contextlib
import io
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import apsw

from bridge.errors import JournalError, JournalFailedError, JournalFullError
from bridge.journal import queries
from bridge.journal.capacity import Capacity
from bridge.journal.database import open_reader, open_writer, prepare_folder, translated
from bridge.journal.dedupe_window import DedupeWindow, Merge, any_merged, look_up, pack
from bridge.journal.lock import take_lock
from bridge.journal.maintenance import Limits, Maintenance
from bridge.journal.storage import Storage
from bridge.journal.tail_cache import TailCache
from bridge.journal.writer import Commit, Step, Writer
from bridge.model import Entry, InDoubt, JournalUsage, Positions
from bridge.telemetry import Telemetry

T = TypeVar("T")


class Journal:
    """One durable queue, owned by this process. Everything but `open` is called on the event loop.

    `last_id` is the highest id that is durable. `failed` gets the error as its result when a commit, a sync or a read
    failed: from then on nothing is written, everything raises it, and the process has to restart.
    """

    def __init__(
        self,
        path: Path,
        lock: io.FileIO,
        storage: Storage,
        reader: apsw.Connection,
        limits: Limits,
        *,
        telemetry: Telemetry,
        clock_ms: Callable[[], int],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.path = path
        self.id = storage.journal_id
        self.last_id = storage.last_id
        self.unconfirmed_from = storage.unconfirmed_from
        """The first id given since Kafka's positions were compared last, by any process; None once they are."""
        self.positions = self._promised = storage.positions
        self.positions_offset = storage.positions_offset
        self.in_doubt = storage.in_doubt
        self.failed: asyncio.Future[JournalFailedError] = loop.create_future()
        self._lock, self._telemetry, self._loop = lock, telemetry, loop
        self._error: JournalFailedError | None = None
        self._appended = asyncio.Event()  # set for a moment, which wakes whoever waits
        self._entries, self._deferred, self._pinned = storage.entries, dict(storage.deferred), storage.pinned
        self._looking = threading.Lock()  # held while a query runs
        self._maintenance = Maintenance(storage, limits, clock_ms, self._looking)
        self._capacity = Capacity(limits.bytes_max, self._maintenance.used)
        self._oldest_pending_ms = storage.oldest_pending_ms()
        self._tail = TailCache()
        logged, merged_any = storage.dedupe_keys.logged(), any_merged(storage.connection)
        self._window = DedupeWindow(logged, limits.bytes_max, merged_any=merged_any)
        self._writer = Writer(
            storage, self._maintenance, loop, done=self._committed, measured=self._measured, failed=self._write_failed
        )
        # A thread and a connection of their own: no read waits for a commit, and no commit for a read.
        self._reader, self._read_connection = ThreadPoolExecutor(1, "journal-reader"), reader
        self._writer.start()

    @classmethod
    def open(
        cls,
        path: Path,
        limits: Limits,
        *,
        telemetry: Telemetry,
        clock_ms: Callable[[], int],
        loop: asyncio.AbstractEventLoop | None = None,
        vfs: str | None = None,
    ) -> Self:
        """Own and open the journal in the folder `path`, which is made if it isn't there. Blocks; any thread.

        `vfs` names the SQLite VFS to use instead of the system's. Raises JournalLockedError, JournalCorruptError,
        JournalUnusableError, or JournalFailedError.
        """
        loop = loop or asyncio.get_running_loop()
        with translated(path, "be opened"):
            prepare_folder(path)
            lock = take_lock(path)
            try:
                writer = open_writer(path, clock_ms(), vfs)
                reader = open_reader(path, vfs)
                storage = Storage(writer, limits.bytes_max)
                return cls(path, lock, storage, reader, limits, telemetry=telemetry, clock_ms=clock_ms, loop=loop)
            except BaseException:
                lock.close()
                raise

    async def close(self) -> None:
        """Commit what is queued, end the threads, let another process own the journal."""
        if self._error is None:
            self._error = JournalFailedError("the journal is closed")
        await asyncio.to_thread(self._reader.shutdown)
        with contextlib.suppress(apsw.Error):
            self._read_connection.close(True)
        self._writer.stop()  # last: whoever closes last tidies the log away, and only the writer may
        await self._writer.ended
        self._wake()
        self._lock.close()

    # entries

    def append(self, submission: Entry) -> "asyncio.Future[int]":
        """The entry's id, once the commit that holds it is synced. Ids follow the order of these calls.

        Raises JournalFullError or JournalFailedError, at once or through the future. A future that is cancelled takes
        nothing back.
        """
        if self._error is not None:
            raise self._error
        if not (submission.source.isascii() and submission.hint.isascii()):
            # Half a surrogate pair can't be stored, and would fail the whole commit: let it fail here, alone.
            f"{submission.source}{submission.hint}".encode()
        try:
            self._capacity.admit(len(submission.headers) + len(submission.body))
        except JournalFullError:
            self._settle()
            raise
        future: asyncio.Future[int] = self._loop.create_future()
        self._writer.put((submission, future))
        return future

    async def wait_for(self, entry_id: int) -> None:
        """Return as soon as an entry with this id, or a higher one, is durable."""
        while self.last_id < entry_id:
            if self._error is not None:
                raise self._error
            await self._appended.wait()

    async def read(self, from_id: int, max_entries: int, max_bytes: int) -> list[Entry]:
        """Entries from `from_id` on, in order; at the most so many, and so many bytes, but always one."""
        if self._error is None:
            if from_id > self.last_id:
                return []
            if (found := self._tail.read(from_id, max_entries, max_bytes)) is not None:
                await asyncio.sleep(0)  # whoever reads again and again leaves the loop a turn, as reading the disk does
                return found
        return await self._ask(lambda connection: queries.read(connection, from_id, max_entries, max_bytes))

    async def read_deferred(self, topic: str, from_id: int, max_entries: int, max_bytes: int) -> list[Entry]:
        """The same of the entries that are deferred for a topic."""
        return await self._ask(lambda c: queries.read_deferred(c, topic, from_id, max_entries, max_bytes))

    async def deferred_types(self, topic: str) -> set[str]:
        """The event types of what is deferred for a topic, as they were given to `defer`."""
        return await self._ask(lambda connection: queries.deferred_types(connection, topic))

    async def defer(self, rows: Sequence[tuple[int, str, str]]) -> None:
        """Note entries (id, topic, event type) that wait for their topic. Durable when it returns."""
        await self._do(lambda storage: storage.defer(rows))

    async def drop_deferred_from(self, entry_id: int) -> None:
        """Forget what a batch deferred from this id on that was not committed. Durable when it returns."""
        await self._do(lambda storage: storage.drop_deferred_from(entry_id))

    async def pin(self, entry_ids: Sequence[int]) -> None:
        """Keep these entries whatever retention says, until `journal unpin`. Durable when it returns."""
        await self._do(lambda storage: storage.pin(entry_ids))

    # positions and duplicates

    async def advance(
        self,
        positions: Positions,
        remembered: Sequence[tuple[bytes, int]],
        *,
        positions_offset: int | None = None,
        in_doubt: InDoubt | None = None,
        waiting: Iterable[tuple[int, str, str]] = (),
        gone: Iterable[int] = (),
    ) -> None:
        """Note positions, and the dedupe keys (16 bytes, received_at in ms) that the window remembers from now on.

        `in_doubt` as in `note_in_doubt`, None for what is noted already; `waiting` as in `defer`; the ids in `gone`
        don't wait any more. One commit, durable when it returns. Raises ValueError for a position that goes back.
        """
        topics = {*positions.behind, *self._promised.behind}
        if positions.next_id < self._promised.next_id or any(positions.of(t) < self._promised.of(t) for t in topics):
            raise ValueError(f"a position goes back: from {self._promised} to {positions}")
        self._promised = positions
        items = pack(remembered)

        def step(storage: Storage) -> int | None:
            storage.advance(positions, positions_offset)
            storage.defer(waiting)
            storage.drop_deferred(gone)
            if in_doubt is not None:
                storage.note_in_doubt(in_doubt)
            return storage.dedupe_keys.log(items) if items else None

        if in_doubt is not None:
            self.in_doubt = in_doubt

        def noted(done: "asyncio.Future[int | None]") -> None:
            if done.cancelled() or done.exception() is not None:
                return
            self.positions = positions
            self._tail.passed(positions.next_id)
            if positions_offset is not None:
                self.positions_offset = positions_offset
            if (seq := done.result()) is not None:
                self._window.add(seq, remembered)
                self._merge_dedupe_keys()

        future = self._queue(step)
        # Not after the await: what is committed counts, even when the caller is cancelled meanwhile.
        future.add_done_callback(noted)
        await asyncio.shield(future)

    async def confirm(self) -> None:
        """Note that Kafka's positions were compared, and that all they count is in this journal. Once a process.

        Durable when it returns, as it has to be before anything is sent: then they may well pass `unconfirmed_from`.
        """
        if self.unconfirmed_from is not None:
            await self._do(Storage.confirm)
            self.unconfirmed_from = None

    async def note_in_doubt(self, in_doubt: InDoubt) -> None:
        """Note what is unknown of the transactions so far, and nothing else any more. Durable when it returns."""
        if self.in_doubt != in_doubt:
            self.in_doubt = in_doubt
            await self._do(lambda storage: storage.note_in_doubt(in_doubt))

    def _merge_dedupe_keys(self) -> None:
        while self._error is None and (merge := self._window.to_merge()) is not None:
            merged = self._queue(partial(_merge_step, merge, self._window.log_merged))
            merged.add_done_callback(partial(self._merged, merge))

    def _merged(self, merge: Merge, done: "asyncio.Future[None]") -> None:
        if not done.cancelled() and done.exception() is None:
            self._window.merged(merge)

    async def seen(self, wanted: Sequence[bytes], since_ms: int) -> dict[bytes, int]:
        """Those of the dedupe keys that were remembered with a time of `since_ms` or later, each with that time."""
        found = self._window.find(wanted, since_ms)
        if self._window.merged_any and (rest := [dedupe_key for dedupe_key in wanted if dedupe_key not in found]):
            found |= await self._ask(lambda connection: look_up(connection, rest, since_ms))
        return found

    def remember_for(self, window_s: float) -> None:
        """Another length of the window of duplicates, from now on: how long dedupe keys are kept."""
        self._maintenance.set_window(int(window_s * 1000))

    # figures

    @property
    def ahead(self) -> int:
        """How many entries there are from the position at the front on."""
        return max(0, self.last_id + 1 - self.positions.next_id)

    def usage(self) -> JournalUsage:
        """The journal's state now. Costs no look at the disk."""
        pending = self.ahead + sum(self._deferred.values())
        return JournalUsage(
            entries=self._entries,
            pending=pending,
            bytes=self._capacity.used,
            bytes_max=self._capacity.bytes_max,
            oldest_pending_ms=self._oldest_pending_ms if pending > 0 else None,
            deferred=dict(self._deferred),
            pinned=self._pinned,
            fill=round(self._capacity.fill, 4),
            state=self._capacity.state,
        )

    # from the writer

    def _committed(self, commit: Commit) -> None:
        self.last_id, self._entries = max(self.last_id, commit.last_id), commit.count
        entry_id = commit.first_id
        for future in commit.entries:
            if not future.done():
                future.set_result(entry_id)
            entry_id += 1
        if commit.backlog is not None:
            self._deferred, self._oldest_pending_ms, self._pinned = commit.backlog
        for future, result in commit.steps:
            if not future.done():
                future.set_result(result)
        if commit.entries:
            if self._oldest_pending_ms is None:
                self._oldest_pending_ms = commit.submissions[0].received_at_ms
            self._tail.committed(commit.first_id, commit.submissions)
            self._capacity.committed(len(commit.entries), commit.size)
            self._telemetry.journal_committed(len(commit.entries), commit.seconds)
        self._wake()
        self._settle()

    def _wake(self) -> None:
        self._appended.set()
        self._appended.clear()

    def _measured(self, used: int, window_shortened_to_ms: int | None) -> None:
        if window_shortened_to_ms is not None:
            self._telemetry.window_shortened(window_shortened_to_ms / 1000)
        self._capacity.measured(used)
        self._settle()

    def _settle(self) -> None:
        if self._capacity.settle():
            self._telemetry.journal_filled(self.usage())

    def _write_failed(self, error: BaseException, waiting: Sequence["asyncio.Future[Any]"]) -> None:
        cause = str(error) or type(error).__name__
        self._fail(f"the journal {self.path} could not be written: {cause}", error)
        for future in [*waiting, *self._writer.abandoned()]:
            if not future.done():
                future.set_exception(self._error or error)

    def _fail(self, message: str, cause: BaseException) -> None:
        if self.failed.done():
            return
        self._error = JournalFailedError(message)
        self._error.__cause__ = cause
        self._telemetry.journal_failed(self._error)
        self.failed.set_result(self._error)
        self._wake()

    # to the threads

    def _queue(self, step: Step) -> "asyncio.Future[Any]":
        if self._error is not None:
            raise self._error
        future: asyncio.Future[Any] = self._loop.create_future()
        self._writer.put((step, future))
        return future

    async def _do(self, step: Step) -> None:
        """Run a step in the writer's next commit. It is done even when the caller is cancelled meanwhile."""
        await asyncio.shield(self._queue(step))

    async def _ask(self, query: Callable[[apsw.Connection], T]) -> T:
        """Run a query in the reader's thread. A disk that can't be read fails the journal."""
        if self._error is not None:
            raise self._error
        try:
            with translated(self.path, "be read"):
                return await self._loop.run_in_executor(self._reader, self._run_query, query)
        except JournalError as error:
            self._fail(f"{error}", error)
            raise

    def _run_query(self, query: Callable[[apsw.Connection], T]) -> T:
        with self._looking:
            return query(self._read_connection)


def _merge_step(merge: Merge, log_merged: int, storage: Storage) -> None:
    storage.dedupe_keys.merge(merge.bucket, merge.taken, log_merged)
