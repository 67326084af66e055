"""From a submission to its response: 200 when the journal says that it is on stable storage, 503 when it doesn't.

What is waited for is the journal's future, never cancelled from here: a client that goes away, or a deadline that
passes, does not take an entry back. So an entry may be stored although its response was 503; the other way round, a
200 for something that isn't stored, can't happen.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from bridge.errors import JournalError, JournalFullError
from bridge.ingress import responses
from bridge.ingress.limits import ENTRY_OVERHEAD_BYTES, ByteBudget
from bridge.ingress.responses import Response
from bridge.model import Entry
from bridge.telemetry import Telemetry


class AppendsEntries(Protocol):
    """What the ingress needs of the journal."""

    def append(self, submission: Entry) -> asyncio.Future[int]:
        """The entry's id, once it is on stable storage. Raises JournalFullError or JournalFailedError."""


@dataclass(slots=True, eq=False)
class PendingAck:
    """One submission with the journal."""

    source: str
    size: int
    accepted: Response
    deadline_s: float
    done: Callable[[Response], None] | None

    def answer(self, response: Response) -> None:
        """The first time only: when its deadline has passed, 503 was the response."""
        done, self.done = self.done, None
        if done is not None:
            done(response)


class Acknowledger:
    """The submissions that wait for the journal."""

    def __init__(self, journal: AppendsEntries, telemetry: Telemetry, budget: ByteBudget) -> None:
        self._journal = journal
        self._telemetry = telemetry
        self._budget = budget
        self._waiting: dict[PendingAck, None] = {}  # oldest first

    def append(
        self, submission: Entry, accepted: Response, deadline_s: float, done: Callable[[Response], None]
    ) -> asyncio.Future[int] | None:
        """Hand the submission to the journal and call `done` once: with `accepted`, or with a 503.

        `deadline_s` is how long `done` may take; the entry has no deadline. Returns what the journal will say, None
        where it was not asked, or refused at once.
        """
        size = len(submission.body) + ENTRY_OVERHEAD_BYTES
        if not self._budget.take(size):
            done(responses.MEMORY_FULL)
            return None
        try:
            future = self._journal.append(submission)
        except Exception as error:  # noqa: BLE001 - told apart in one place, for both ways a journal may raise
            self._budget.give_back(size)
            done(self._refusal(submission.source, error))
            return None
        pending = PendingAck(submission.source, size, accepted, time.monotonic() + deadline_s, done)
        self._waiting[pending] = None
        future.add_done_callback(partial(self._on_appended, pending))
        return future

    def _on_appended(self, pending: PendingAck, future: asyncio.Future[int]) -> None:
        # The entry is on stable storage, or it can't be. After its deadline, too: its bytes count until now.
        self._waiting.pop(pending, None)
        self._budget.give_back(pending.size)
        response = pending.accepted
        if future.cancelled():
            response = responses.JOURNAL_FAILED
        elif (error := future.exception()) is not None:
            response = self._refusal(pending.source, error)
        pending.answer(response)

    def expire(self) -> None:
        """Answer 503 to those whose deadline has passed. Called some times a second."""
        now_s = time.monotonic()
        while self._waiting:
            pending = next(iter(self._waiting))
            if pending.deadline_s > now_s:
                return
            del self._waiting[pending]
            pending.answer(responses.UNCONFIRMED)

    def _refusal(self, source: str, error: BaseException) -> Response:
        if isinstance(error, JournalFullError):
            return responses.JOURNAL_FULL
        if isinstance(error, JournalError):
            return responses.JOURNAL_FAILED
        self._telemetry.request_failed(source, error)
        return responses.UNFORESEEN
