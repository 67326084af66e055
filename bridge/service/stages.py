"""The stages of one running service, what a new configuration changes in them, and the one place that ends them.

What running a bridge and draining a journal have in common is here, too: the journal as configured, work that is
started again after a failure, signals.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.auth import REASONS
from bridge.errors import ConfigError, ExitCode
from bridge.forward import Forwarder, ForwarderStatus
from bridge.forward.topic_queues import TopicQueueStatus
from bridge.ingress import Ingress
from bridge.ingress.tls import certificate_end_s
from bridge.journal import Journal, Limits
from bridge.kafka.client import client_options
from bridge.kafka.sink import Sink
from bridge.service.reload import Reloader
from bridge.service.topic_watch import TopicWatch
from bridge.settings.models import Settings
from bridge.settings.sources import credential_ends, names_of, secrets_of
from bridge.telemetry import Telemetry
from bridge.telemetry.logs import Logs
from bridge.transform.dead_letter import REASONS as QUARANTINE_REASONS
from bridge.transform.prepare import Preparer

if TYPE_CHECKING:
    from bridge.telemetry.tracing import Tracing

RESTART_PAUSE_S = 5.0


class Stages:
    """What runs. `settings` is the configuration in force, `config_path` the file that it was read from.

    `sink` replaces Kafka in tests.
    """

    def __init__(
        self,
        settings: Settings,
        config_path: Path,
        journal: Journal,
        telemetry: Telemetry,
        logs: Logs,
        *,
        sink: Sink | None,
    ) -> None:
        self.settings, self.journal, self.telemetry, self.logs = settings, journal, telemetry, logs
        self.reloader = Reloader(config_path, settings, self.apply, telemetry)
        self.tracing = _tracing(settings, journal.id, telemetry)
        preparer = Preparer(settings, journal.id)
        self.forwarder = Forwarder(
            settings, journal, preparer, telemetry, wall_clock_ms, sink=sink, tracing=self.tracing
        )
        self.topics = TopicWatch(settings, preparer.topics(), telemetry, self.forwarder.topic_is_missing)
        self.ingress = Ingress(settings, journal, telemetry, wall_clock_ms, tracing=self.tracing)
        self._show_settings()

    async def close(self) -> None:
        await self.ingress.close()
        if self.tracing is not None:
            await self.tracing.close(0.0)

    def apply(self, settings: Settings, changed: Sequence[str]) -> None:
        """Put a configuration in force without dropping a request. `changed` are the paths of keys that differ.

        Raises ConfigError, with nothing changed, for one that can't be: what can fail comes first.
        """
        reconnect = any(key.startswith("kafka.") for key in changed)
        if reconnect:
            client_options(settings.kafka)  # a certificate without its key, say: the connection that exists goes on
        try:
            preparer = Preparer(settings, self.journal.id)
            self.ingress.reconfigure(settings)
        except ValueError as error:
            raise ConfigError(f"this configuration can't be put in force: {error}") from error
        self.forwarder.reconfigure(preparer, settings, reconnect=reconnect)
        self.topics.reconfigure(settings, preparer.topics())
        self.logs.set_secrets((secret for _, secret in secrets_of(settings)), names_of(settings))
        self.logs.set_level(settings.log.level)
        self.settings = settings
        self._show_settings()

    def _show_settings(self) -> None:
        """Show until when credentials and certificates are valid. Reads the client certificate for Kafka."""
        sources, telemetry = self.settings.sources, self.telemetry
        telemetry.verbose = self.settings.log.level == "debug"
        # From 0 on: a counter that first shows up with a 1 has not grown, as Prometheus sees it, and no alert fires.
        telemetry.counters_begin(sources, REASONS, QUARANTINE_REASONS)
        telemetry.credentials_end(credential_ends(sources))
        file = self.settings.kafka.security.certificate_file
        telemetry.certificate_ends("kafka", None if file is None else certificate_end_s(file))


def _tracing(settings: Settings, journal_id: str, telemetry: Telemetry) -> "Tracing | None":
    if not settings.tracing.enabled:
        return None
    from bridge.telemetry.tracing import Tracing  # noqa: PLC0415 - an extra, which only some have

    return Tracing(settings, journal_id, telemetry)


def paused_topics(forwarder: ForwarderStatus) -> Mapping[str, TopicQueueStatus]:
    """The queues of topics that can't take records now, by topic. The others that are behind catch up."""
    return {queue["topic"]: queue for queue in forwarder["topics_behind"] if queue["cause"]}


class Shutdown:
    """The one place that is asked to end the process. The first cause counts, unless a failure comes on top of an
    orderly stop."""

    def __init__(self) -> None:
        self.cause = ""
        self.exit_code = ExitCode.OK
        self._requested = asyncio.Event()
        self._forced = asyncio.Event()

    @property
    def requested(self) -> bool:
        return self._requested.is_set()

    @property
    def forced(self) -> bool:
        """Whether nothing should be waited for any more."""
        return self._forced.is_set()

    def request(self, cause: str, exit_code: ExitCode = ExitCode.OK) -> None:
        """Begin the end. Requested again, it is forced: a second signal, or a stage that failed meanwhile."""
        if self.requested:
            self._forced.set()
        if not self.requested or (exit_code is not ExitCode.OK and self.exit_code is ExitCode.OK):
            self.cause, self.exit_code = cause, exit_code
        self._requested.set()

    async def wait(self) -> None:
        await self._requested.wait()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0 or self.forced:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._forced.wait()


@contextlib.contextmanager
def handled_signals(stop: Callable[[str], None], reload: Callable[[], None] | None = None) -> Iterator[None]:
    """Inside the block, call `stop` with the name of SIGTERM or SIGINT, and `reload` on SIGHUP, in the event loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)
    if reload is not None:
        loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def open_journal(settings: Settings, path: Path, telemetry: Telemetry) -> Journal:
    """Own and open the journal in `path`, with the bounds of the configuration. Raises what `Journal.open` does."""
    bounds, window_s = settings.journal, settings.duplicates.window
    limits = Limits(bounds.max_bytes, int(bounds.retain * 1000), bounds.retain_bytes, int(window_s * 1000))
    loop = asyncio.get_running_loop()
    journal = await asyncio.to_thread(
        Journal.open, path, limits, telemetry=telemetry, clock_ms=wall_clock_ms, loop=loop
    )
    telemetry.journal_opened(str(journal.path), journal.id, journal.usage())
    return journal


async def keep_running(stage: str, work: Callable[[], Coroutine[Any, Any, None]], telemetry: Telemetry) -> None:
    """`work`, started again after a failure: a mistake in a side stage must not stop events."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a mistake of ours
            telemetry.stage_restarted(stage, error)
            await asyncio.sleep(RESTART_PAUSE_S)


def wall_clock_ms() -> int:
    """Milliseconds since the epoch. It may jump; what measures a duration asks the monotonic clock."""
    return time.time_ns() // 1_000_000
