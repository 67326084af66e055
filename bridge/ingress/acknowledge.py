"""From a submission to its answer: 200 when the journal says that it is on stable storage, 503 when it doesn't.

What is waited for is the journal's future, never cancelled from here: a client that goes away, or a deadline that
passes, does not take an entry back. So an entry may be stored although its answer was 503; the other way round, a 200
for something that isn't stored, can't happen.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from bridge.errors import JournalError, JournalFullError
from bridge.ingress import responses
from bridge.ingress.limits import ENTRY_OVERHEAD_BYTES, ByteBudget
from bridge.ingress.responses import Answer
from bridge.model import Entry
from bridge.telemetry import Telemetry


class AppendsEntries(Protocol):
    """What the ingress needs of the journal."""

    def append(self, submission: Entry) -> Awaitable[int]:
        """The entry's id, once it is on stable storage. Raises JournalFullError or JournalFailedError.

        A journal that returns a future (rather than a coroutine) spares a task for each request.
        """
        ...


class Confirming:
    """The submissions that wait for the journal."""

    def __init__(self, journal: AppendsEntries, telemetry: Telemetry, budget: ByteBudget) -> None:
        self._journal = journal
        self._telemetry = telemetry
        self._budget = budget
        self._waiting: dict[_Wait, None] = {}  # oldest first
        self._late: set[_Wait] = set()  # answered 503, but still with the journal: their bytes are still held

    def confirm(
        self, submission: Entry, accepted: Answer, deadline_s: float, done: Callable[[Answer], None]
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
        if not isinstance(future, asyncio.Future):
            future = asyncio.ensure_future(future)
        wait = _Wait(
            self,
            source=submission.source,
            size=size,
            accepted=accepted,
            deadline_s=time.monotonic() + deadline_s,
            done=done,
        )
        if future.done():
            self.settle(wait, future)
        else:
            self._waiting[wait] = None
            future.add_done_callback(wait.settled)
        return future

    def settle(self, wait: "_Wait", future: asyncio.Future[int]) -> None:
        """The journal has said its word."""
        self._waiting.pop(wait, None)
        self._late.discard(wait)
        self._budget.give_back(wait.size)
        answer = wait.accepted
        if future.cancelled():
            answer = responses.JOURNAL_FAILED
        elif (error := future.exception()) is not None:
            answer = self._refusal(wait.source, error)
        done, wait.done = wait.done, None
        if done is not None:  # else its deadline has passed, and 503 was the answer
            done(answer)

    def sweep(self) -> None:
        """Answer 503 for those whose deadline has passed. Called some times a second."""
        now_s = time.monotonic()
        while self._waiting:
            wait = next(iter(self._waiting))
            if wait.deadline_s > now_s:
                return
            del self._waiting[wait]
            self._late.add(wait)
            done, wait.done = wait.done, None
            if done is not None:
                done(responses.UNCONFIRMED)

    def _refusal(self, source: str, error: BaseException) -> Answer:
        if isinstance(error, JournalFullError):
            return responses.JOURNAL_FULL
        if isinstance(error, JournalError):
            return responses.JOURNAL_FAILED
        self._telemetry.request_failed(source, error)
        return responses.UNFORESEEN


class _Wait:
    """One submission with the journal. `done` is None once it has been called."""

    __slots__ = ("_owner", "accepted", "deadline_s", "done", "size", "source")

    def __init__(
        self,
        owner: Confirming,
        *,
        source: str,
        size: int,
        accepted: Answer,
        deadline_s: float,
        done: Callable[[Answer], None],
    ) -> None:
        self._owner = owner
        self.source = source
        self.size = size
        self.accepted = accepted
        self.deadline_s = deadline_s
        self.done: Callable[[Answer], None] | None = done

    def settled(self, future: asyncio.Future[int]) -> None:
        self._owner.settle(self, future)
