"""One run of the bridge: what starts in which order, and how it ends.

Start: journal (whose entries must not be lost) → admin port (so that probes see a start that takes long) → forwarder,
topics, reload → ingress last, when whatever comes in can be kept. Kafka is not waited for.

End, on SIGTERM or SIGINT: unready → `drain_delay`, while a load balancer notices → no new connections → requests in
flight get their answer → forward until nothing can be moved or `drain_deadline` has passed → close. A second signal
ends the waiting, not the order. A journal that fails, or a stage that does, goes the same way without the waiting.
"""

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from bridge.errors import (
    BridgeError,
    ConfigError,
    ExitCode,
    JournalLockedError,
    JournalRestoredError,
    JournalUnusableError,
)
from bridge.journal import Journal
from bridge.kafka.sink import Sink
from bridge.service.admin import AdminServer
from bridge.service.health import Health
from bridge.service.stages import (
    Shutdown,
    Stages,
    handled_signals,
    keep_running,
    open_journal,
    wall_clock_ms,
)
from bridge.settings.models import Settings
from bridge.settings.sources import names_of, secrets_of
from bridge.telemetry import Telemetry
from bridge.telemetry.logs import Logs

FINISH_MARGIN_S = 1.0  # beyond ack_deadline, for a response to be written
GC_THRESHOLD = 50_000  # objects between two looks for cycles, of which requests make few


def run(settings: Settings, config_path: Path) -> ExitCode:
    """Run the bridge in this process until it ends. `config_path` is the file to read again on SIGHUP or a change.

    Expected errors are logged, and come back as exit codes; so do unforeseen ones, with their traceback in the log.
    """
    logs = Logs(settings.log.level, settings.log.format)
    logs.set_secrets((secret for _, secret in secrets_of(settings)), [*names_of(settings), str(config_path)])
    telemetry = Telemetry()
    threading.excepthook = lambda failed: telemetry.thread_failed(
        failed.thread.name if failed.thread else "?", failed.exc_value or failed.exc_type()
    )
    telemetry.metrics.watch_log(lambda: logs.writer.dropped)
    try:
        service = Service(settings, config_path, logs=logs, telemetry=telemetry, on_started=_settle_memory)
        return uvloop.run(service.run())
    except BridgeError as error:
        telemetry.service_not_started(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place that can log it
        telemetry.service_failed("service", error)
        return ExitCode.FAILURE
    finally:
        logs.close()


def _settle_memory() -> None:
    """What was built once is not looked at again by the garbage collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)


class Service:
    def __init__(
        self,
        settings: Settings,
        config_path: Path,
        *,
        logs: Logs,
        telemetry: Telemetry | None = None,
        sink: Sink | None = None,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        """`config_path` is what is read again on a reload. `sink` replaces Kafka in tests.

        `on_started` is called once everything is built and webhooks are taken.
        """
        self.telemetry = telemetry or Telemetry()
        self.shutdown = Shutdown()
        self.health = Health(self.telemetry, self.shutdown)
        self.admin = AdminServer(settings.admin.listen, self.health, self.telemetry)
        self._settings, self._config_path, self._logs = settings, config_path, logs
        self._sink, self._on_started = sink, on_started

    async def run(self) -> ExitCode:
        """Run until a signal, or a failure, ends it. Raises BridgeError when it can't even start."""
        started_s = time.monotonic()
        async with AsyncExitStack() as closing:
            journal = await self._open_journal()
            closing.push_async_callback(journal.close)
            await self.admin.start()
            closing.push_async_callback(self.admin.close)
            stages = Stages(self._settings, self._config_path, journal, self.telemetry, self._logs, sink=self._sink)
            closing.push_async_callback(stages.close)
            self.health.stages = stages
            closing.enter_context(handled_signals(self._on_stop_signal, stages.reloader.request))
            await self._live(stages)
            pending = journal.usage().pending
        self.telemetry.service_stopped(self.shutdown.exit_code, pending, time.monotonic() - started_s)
        return self.shutdown.exit_code

    async def _open_journal(self) -> Journal:
        """Raises ConfigError where `journal.path` is of no use: a restart would change nothing."""
        path = Path(self._settings.journal.path)
        try:
            journal = await open_journal(self._settings, path, self.telemetry)
        except JournalUnusableError as error:
            raise ConfigError(f"journal.path: {error}, and name it there") from error
        except JournalLockedError as error:
            raise JournalLockedError(f"{error}, or give this one a folder of its own (journal.path)") from error
        self.telemetry.metrics.watch_journal(journal.usage, wall_clock_ms)
        return journal

    async def _live(self, stages: Stages) -> None:
        async with asyncio.TaskGroup() as group:

            def start(stage: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
                return group.create_task(work, name=stage)

            others = [
                start("journal", self._essential("journal", lambda: self._watch_journal(stages.journal))),
                start("heartbeat", keep_running("heartbeat", self.health.beat, self.telemetry)),
                start("topics", keep_running("topics", stages.topics.run, self.telemetry)),
                start("reload", keep_running("reload", stages.reloader.run, self.telemetry)),
            ]
            forwarding = start("forward", self._essential("forward", lambda: self._forward(stages)))
            await self._essential("ingress", lambda: self._take_requests(stages))
            await self.shutdown.wait()
            self.telemetry.service_stopping(self.shutdown.cause)
            await self._stop_taking(stages)
            await self._drain(stages, forwarding)
            for task in others:
                task.cancel()

    async def _essential(self, stage: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """`work`, whose failure ends the service in order instead of tearing the other stages down.

        Called here: the end may come before this begins, and a coroutine that nobody awaits is a warning.
        """
        try:
            await work()
        except BridgeError as error:
            self.telemetry.stage_ended(stage, error)
            self.shutdown.request(stage, error.exit_code)
        except Exception as error:  # noqa: BLE001 - a mistake of ours: the others still end in order
            self.telemetry.service_failed(stage, error)
            self.shutdown.request(stage, ExitCode.FAILURE)

    async def _forward(self, stages: Stages) -> None:
        """A restored copy of a journal takes webhooks all the same: they wait in it for `journal renew`."""
        with contextlib.suppress(JournalRestoredError):
            await stages.forwarder.run()

    async def _take_requests(self, stages: Stages) -> None:
        await stages.ingress.start()
        self._on_started()
        self.telemetry.accepting_changed(accepting=True)
        self.telemetry.service_started(
            ingress=[str(address) for address in stages.ingress.addresses],
            admin=[str(address) for address in self.admin.addresses],
            journal_id=stages.journal.id,
        )

    async def _watch_journal(self, journal: Journal) -> None:
        raise await asyncio.shield(journal.failed)

    async def _stop_taking(self, stages: Stages) -> None:
        if self.shutdown.exit_code is not ExitCode.OK:
            if stages.ingress.addresses:  # else nobody is answered at all
                self.telemetry.accepting_changed(accepting=False, reason=self.shutdown.cause)
            stages.ingress.pause(self.shutdown.cause)
        else:
            stages.ingress.start_draining()
            await self.shutdown.sleep(stages.settings.server.drain_delay)
        stages.ingress.stop_listening()
        await stages.ingress.finish(stages.settings.server.ack_deadline + FINISH_MARGIN_S)
        self.telemetry.accepting_changed(accepting=False)

    async def _drain(self, stages: Stages, forwarding: asyncio.Task[None]) -> None:
        """Let the forwarder empty the journal, as far as it can within `drain_deadline`; then it is cancelled.

        Nothing is lost by that: a transaction without its commit is aborted at the next start, and its entries are
        still in the journal.
        """
        stages.forwarder.request_stop()
        until_s = time.monotonic() + stages.settings.server.drain_deadline
        if self.shutdown.exit_code is ExitCode.OK:
            deadline = asyncio.ensure_future(self.shutdown.sleep(stages.settings.server.drain_deadline))
            await asyncio.wait({forwarding, deadline}, return_when=asyncio.FIRST_COMPLETED)
            deadline.cancel()
        forwarding.cancel()
        if stages.tracing is not None:
            await stages.tracing.close(0.0 if self.shutdown.forced else until_s - time.monotonic())

    def _on_stop_signal(self, name: str) -> None:
        if self.shutdown.requested:
            self.telemetry.shutdown_forced(name)
        self.shutdown.request(name)
