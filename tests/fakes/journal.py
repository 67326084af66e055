"""A journal in memory for the ingress: it takes what it is given, and can be told to hold, to fail, or to be full.

It has no fsync to lose and no file to break: those faults are injected beneath the real journal, in tests/faults/.
"""

import asyncio
from typing import Literal

from bridge.errors import JournalFailedError, JournalFullError
from bridge.model import Entry

Mode = Literal["taking", "holding", "full", "failing", "odd"]


class FakeJournal:
    """`submissions` is everything that was handed over, stored or not; `stored` is what was confirmed."""

    def __init__(self) -> None:
        self.mode: Mode = "taking"
        self.submissions: list[Entry] = []
        self.stored: list[Entry] = []
        self._held: list[tuple[Entry, asyncio.Future[int]]] = []

    def append(self, submission: Entry) -> "asyncio.Future[int]":
        """Confirmed at once, or as `mode` says: held, refused as full or failing, or an error that nobody expects."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.mode == "odd":
            raise ZeroDivisionError("an error with a secret in its text: hunter2")
        if self.mode == "full":
            future.set_exception(JournalFullError("full"))
            return future
        if self.mode == "failing":
            future.set_exception(JournalFailedError("no space left on device"))
            return future
        self.submissions.append(submission)
        if self.mode == "holding":
            self._held.append((submission, future))
        else:
            self._store(submission, future)
        return future

    @property
    def held(self) -> int:
        """How many wait for `release`."""
        return len(self._held)

    def release(self, error: Exception | None = None) -> None:
        """Confirm all that is held, or fail it with `error`."""
        held, self._held = self._held, []
        for submission, future in held:
            assert not future.cancelled(), "the journal's work must not be cancelled"
            if error is None:
                self._store(submission, future)
            else:
                future.set_exception(error)

    def _store(self, submission: Entry, future: asyncio.Future[int]) -> None:
        self.stored.append(submission)
        future.set_result(len(self.stored))
