"""Draining: forwards what an abandoned journal still holds, and ends. Takes no webhooks, opens no port.

The stages are those of a running bridge, so what Kafka has already is not sent again. A drain that is killed, or ended
by its deadline, leaves the journal as a killed bridge would: the next drain, or the next bridge, goes on.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from bridge.errors import ExitCode, JournalLockedError
from bridge.forward import Forwarder, ForwarderStatus
from bridge.journal import Journal
from bridge.kafka.sink import Sink
from bridge.model import JournalUsage
from bridge.service.stages import Shutdown, handled_signals, keep_running, open_journal, paused_topics, wall_clock_ms
from bridge.service.topic_watch import TopicWatch
from bridge.settings.models import Settings
from bridge.settings.sources import names_of, secrets_of
from bridge.telemetry import Telemetry
from bridge.telemetry.log_writer import descriptor_sink
from bridge.telemetry.logs import Logs
from bridge.transform.prepare import Preparer

POLL_S: Final = 0.05
LOCK_POLL_S: Final = 0.2
PROGRESS_S: Final = 5.0
CLOSE_S: Final = 10.0
"""For the producer to close in order, once nothing is left: what it sent is committed by then."""

Tell = Callable[[int, int], None]
"""Called once in a while: entries that are done, entries that are left."""


def drain(settings: Settings, folder: Path, *, wait_s: float, deadline_s: float, tell: Tell | None = None) -> "Drained":
    """Drain in this process; see `Drain.run`. Its log goes to standard error: the account is for standard output.

    `tell` is for people who watch a terminal: then the log has only what is wrong.
    """
    level, form = settings.log.level, settings.log.format
    if tell is not None:
        level, form = "error" if level == "error" else "warning", "console"
    logs = Logs(level, form, sink=descriptor_sink(2))
    logs.set_secrets((secret for _, secret in secrets_of(settings)), [*names_of(settings), str(folder)])
    try:
        telemetry = Telemetry()
        telemetry.verbose = level == "debug"
        draining = Drain(settings, folder, telemetry=telemetry, tell=tell)
        return uvloop.run(draining.run(wait_s=wait_s, deadline_s=deadline_s))
    finally:
        logs.close()


@dataclass(frozen=True, slots=True)
class Left:
    """Entries that were not forwarded. `topic` is the queue they are deferred for, None for those that no queue holds.

    `state` says why in a word: the topic's state, `kafka` (nothing goes to Kafka at all), or `time` (it ran out).
    """

    topic: str | None
    entries: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of a journal's entries, in numbers of them.

    `pending` is how many there were to forward. `kept` are still in the journal, forwarded or not; `pinned` those of
    them whose quarantine record carries only a part: the journal has the only whole copy. `cause` of the end: "nothing
    left", "deadline", or a signal's name. The defaults are the account of a folder without a journal.
    """

    journal_id: str = ""
    pending: int = 0
    forwarded: int = 0
    quarantined: int = 0
    dropped: int = 0
    duplicates: int = 0
    left: tuple[Left, ...] = ()
    kept: int = 0
    pinned: int = 0
    seconds: float = 0.0
    cause: str = "no journal"

    @property
    def entries_left(self) -> int:
        return sum(left.entries for left in self.left)

    @property
    def known(self) -> int:
        """Those that Kafka turned out to have."""
        done = self.forwarded + self.quarantined + self.dropped + self.duplicates
        return max(0, self.pending - self.entries_left - done)

    @property
    def removable(self) -> bool:
        """Whether nothing is lost with the folder but copies kept for replay."""
        return not self.left and not self.pinned

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.UNREACHABLE if self.left else ExitCode.OK


class Drain:
    """One drain of the journal in `folder`; `journal.path` of the configuration is not used. `sink` is for tests."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *,
        telemetry: Telemetry,
        tell: Tell | None = None,
        sink: Sink | None = None,
    ) -> None:
        self.shutdown = Shutdown()
        self._settings, self._folder, self._telemetry = settings, folder, telemetry
        self._tell, self._sink = tell or telemetry.drain_progress, sink

    async def run(self, *, wait_s: float, deadline_s: float) -> Drained:
        """Wait `wait_s` for an owner to go, then forward for `deadline_s` at the most (0: as long as it takes).

        Raises JournalLockedError when it has an owner still, the other errors of a journal, and FencedError.
        """
        began_s = time.monotonic()
        status: ForwarderStatus | None = None
        outcomes = Counter[str]()
        async with AsyncExitStack() as closing:
            closing.enter_context(handled_signals(self.shutdown.request))
            journal = await self._own(wait_s)
            closing.push_async_callback(journal.close)
            before = journal.usage()
            if before.pending:
                status, outcomes = await self._forward(journal, deadline_s)
        after = journal.usage()
        drained = Drained(
            journal_id=journal.id,
            pending=before.pending,
            forwarded=outcomes["forwarded"],
            quarantined=outcomes["quarantined"],
            dropped=outcomes["dropped"],
            duplicates=outcomes["duplicate"],
            left=tuple(why_left(after, status)) if status is not None else (),
            kept=after.entries,
            pinned=after.pinned.entries,
            seconds=round(time.monotonic() - began_s, 3),
            cause=self.shutdown.cause or "nothing left",
        )
        self._telemetry.drain_ended(drained.cause, forwarded=drained.forwarded, left=drained.entries_left)
        return drained

    async def _own(self, wait_s: float) -> Journal:
        until_s = time.monotonic() + wait_s
        while True:
            try:
                return await open_journal(self._settings, self._folder, self._telemetry)
            except JournalLockedError as error:
                if self.shutdown.requested or time.monotonic() >= until_s:
                    raise
                self._telemetry.drain_waiting(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOCK_POLL_S):
                    await self.shutdown.wait()

    async def _forward(self, journal: Journal, deadline_s: float) -> tuple[ForwarderStatus, Counter[str]]:
        """Forward until nothing is left, the deadline, or a signal. The forwarder's status then, and its outcomes."""
        preparer = Preparer(self._settings, journal.id)
        forwarder = Forwarder(self._settings, journal, preparer, self._telemetry, wall_clock_ms, sink=self._sink)
        topics = TopicWatch(self._settings, preparer.topics(), self._telemetry, forwarder.topic_is_missing)
        forwarding = asyncio.create_task(forwarder.run())
        emptied = asyncio.create_task(self._watch(journal))
        asked = asyncio.create_task(self.shutdown.wait())
        tasks = (forwarding, emptied, asked, asyncio.create_task(keep_running("topics", topics.run, self._telemetry)))
        ends: set[asyncio.Future[Any]] = {forwarding, emptied, asked, journal.failed}
        try:
            await asyncio.wait(ends, timeout=deadline_s or None, return_when=asyncio.FIRST_COMPLETED)
            if journal.failed.done():
                raise journal.failed.result()
            if forwarding.done():  # by an error: nobody asked it to stop
                await forwarding
            status = forwarder.status()
            if emptied.done():
                self.shutdown.request("nothing left")
                forwarder.request_stop()
                await asyncio.wait({forwarding}, timeout=CLOSE_S)
            elif not self.shutdown.requested:
                self.shutdown.request("deadline")
            return status, forwarder.outcomes
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, journal: Journal) -> None:
        """Return when nothing is left, deferred entries included; say how far it is meanwhile."""
        total = journal.usage().pending
        self._telemetry.drain_started(total)
        told_s = time.monotonic()
        while left := journal.usage().pending:
            await asyncio.sleep(POLL_S)
            if time.monotonic() - told_s >= PROGRESS_S:
                told_s = time.monotonic()
                self._tell(total - left, left)


def why_left(usage: JournalUsage, forwarder: ForwarderStatus) -> Iterator[Left]:
    """What is left by `usage`, with the reason that the forwarder's status gives."""
    if forwarder["connected"]:
        general = ("time", "it was still being forwarded")
        paused = {topic: (queue["state"], queue["cause"]) for topic, queue in paused_topics(forwarder).items()}
    else:
        general, paused = ("kafka", forwarder["last_error"] or "no connection yet"), {}
    for topic, entries in sorted(usage.deferred.items()):
        yield Left(topic, entries, *paused.get(topic, general))
    if others := usage.pending - sum(usage.deferred.values()):
        yield Left(None, others, *general)
