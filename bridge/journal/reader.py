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


class Reader:
    """Runs queries one after another. Their exceptions arrive in the futures as SQLite raised them.

    `looking` is held while a query runs.
    """

    def __init__(self, connection: apsw.Connection, loop: asyncio.AbstractEventLoop, looking: threading.Lock) -> None:
        self._connection = connection
        self._looking = looking
        self._loop = loop
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="journal-reader", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, query: Callable[[apsw.Connection], T]) -> "asyncio.Future[T]":
        """The result of `query`, which runs in the thread."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((query, future))
        return future

    def stop(self) -> None:
        """End once everything that was asked is answered; then `ended` is done, and the connection closed."""
        self._queue.put(None)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            query, future = job
            try:
                with self._looking:
                    result = query(self._connection)
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                self._tell(_fail, future, error)
            else:
                self._tell(_answer, future, result)
            del job, query, future  # a slice of the journal is not kept until the next one is asked for
        with contextlib.suppress(apsw.Error):
            self._connection.close(True)
        self._tell(_answer, self.ended, None)

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what, *arguments)


def _answer(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
