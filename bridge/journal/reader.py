"""The reader thread: a connection of its own, so that reading never waits for a commit, nor a commit for reading."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

T = TypeVar("T")
Job = tuple[Callable[[apsw.Connection], Any], "asyncio.Future[Any]"]


class ReaderThread:
    """Runs queries one after another. Their exceptions arrive in the futures as SQLite raised them.

    `looking` is locked while a query runs. `ended` is done when the thread has ended and the connection is closed.
    """

    def __init__(self, connection: apsw.Connection, loop: asyncio.AbstractEventLoop, looking: threading.Lock) -> None:
        self._connection = connection
        self._looking = looking
        self._loop = loop
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self.ended: asyncio.Future[None] = loop.create_future()
        threading.Thread(target=self._run, name="journal-reader", daemon=True).start()

    def ask(self, query: Callable[[apsw.Connection], T]) -> "asyncio.Future[T]":
        """The result of `query`, which runs in the thread."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((query, future))
        return future

    def stop(self) -> None:
        """End once everything that was asked is answered."""
        self._queue.put(None)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            query, future = job
            try:
                with self._looking:
                    result = query(self._connection)
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                self._tell(future, None, error)
            else:
                self._tell(future, result)
            del job, query, future  # a slice of the journal is not kept until the next one is asked for
        with contextlib.suppress(apsw.Error):
            self._connection.close(True)
        self._tell(self.ended, None)

    def _tell(self, future: "asyncio.Future[Any]", result: Any, error: Exception | None = None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
