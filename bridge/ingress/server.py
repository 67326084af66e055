"""The ingress as a whole: start, stop, pause, new configuration, and the sweep that enforces every time limit."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from bridge.errors import ConfigError
from bridge.ingress import fast_path, responses
from bridge.ingress.acknowledge import AppendsEntries, Confirming
from bridge.ingress.checks import Intake, Rules
from bridge.ingress.connection import Connections
from bridge.ingress.limits import ByteBudget, body_bytes_held_max, unproven_bytes_held_max
from bridge.ingress.listener import Listener
from bridge.ingress.routes import Routes
from bridge.ingress.slow_path import Streamed
from bridge.ingress.tls import Certificates
from bridge.settings.models import Settings
from bridge.settings.units import Address
from bridge.telemetry import Telemetry
from bridge.telemetry.tracing.spans import RequestTraces

SWEEP_EVERY_S = 0.1
TLS_LOOKED_AT_EVERY_S = 1.0
_LAST_WORDS_S = 0.5


class Ingress:
    """Takes webhooks over HTTP and answers each once its entry is on stable storage.

    `clock_ms` is the time in milliseconds since the epoch, `traces` makes spans, where there are to be any. Nothing is
    bound before `start`.
    """

    def __init__(
        self,
        settings: Settings,
        journal: AppendsEntries,
        telemetry: Telemetry,
        clock_ms: Callable[[], int],
        *,
        traces: RequestTraces | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._budget = ByteBudget(body_bytes_held_max(settings.server.max_body))
        self._unproven = ByteBudget(unproven_bytes_held_max(settings.server.max_body))
        self._confirming = Confirming(journal, telemetry, self._budget)
        rules = Rules(Routes(settings, time.monotonic()), settings.server)
        self._intake = Intake(rules, self._confirming, telemetry, clock_ms, traces)
        self._certificates = None if settings.server.tls is None else Certificates(settings.server.tls)
        self._tls_hint = asyncio.Event()
        self._connections: Connections | None = None
        self._listener: Listener | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._parting = False

    async def start(self) -> None:
        """Bind and listen. Raises ConfigError for an address that is taken and for TLS files that can't be read."""
        server = self._intake.rules.server
        context = None if self._certificates is None else self._certificates.context()
        self._connections = Connections(
            Streamed(self._intake, self._budget, self._unproven), self._intake, self._telemetry
        )
        self._connections.last_answers = server.keepalive_timeout == 0
        self._listener = Listener(self._connections, self._connections.may_shake_hands)
        await self._listener.bind(server.listen)
        if context is None:
            await self._listener.serve()
        else:
            self._listener.serve_tls(context, server.header_timeout)
        self._show_certificate_end()
        self._sweeper = asyncio.create_task(self._sweep(), name="ingress sweep")
        if not fast_path.SHORT_WAY:
            self._telemetry.once("ingress.long_way_only")

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with the real ports; empty when it doesn't."""
        return self._listener.addresses if self._listener is not None else []

    @property
    def accepting(self) -> bool:
        """Whether webhooks are taken: not paused."""
        return self._intake.paused is None

    def pause(self, reason: str) -> None:
        """Answer 503 from now on. `reason` is a bounded word for the log."""
        self._intake.paused = responses.unavailable(reason)

    def resume(self) -> None:
        """Take webhooks again."""
        self._intake.paused = None

    def reconfigure(self, settings: Settings) -> None:
        """Put new sources, credentials, responses and limits in force, all at once; requests in flight finish under
        the old ones. The address and the paths of TLS files need a new start. Raises ValueError, and changes nothing,
        when the settings can't be."""
        former = self._intake.rules
        self._intake.rules = Rules(Routes(settings, time.monotonic(), former.routes), settings.server)
        self._budget.bytes_max = body_bytes_held_max(settings.server.max_body)
        self._unproven.bytes_max = unproven_bytes_held_max(settings.server.max_body)
        if self._connections is not None and self._listener is not None and self._listener.addresses:
            self._connections.last_answers = self._parting or settings.server.keepalive_timeout == 0

    def reload_tls(self) -> None:
        """Look at the TLS files now, rather than within a second."""
        self._tls_hint.set()

    def part(self) -> None:
        """Each answer is the last one of its connection from now on: who calls again finds another instance by that."""
        self._parting = True
        if self._connections is not None:
            self._connections.last_answers = True

    def stop_listening(self) -> None:
        """Take no new connections. On those that exist, each answer is the last one."""
        if self._listener is not None:
            self._listener.close()
        self.part()

    async def finish(self, timeout_s: float) -> None:
        """Wait until no request is in flight, `timeout_s` seconds at the most."""
        end_s = time.monotonic() + timeout_s
        # Looked at now and then, at the stop only: a signal would cost every request something.
        while self._connections is not None and self._connections.in_flight and time.monotonic() < end_s:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Stop, whatever is in flight. What the journal was given stays with it."""
        self.stop_listening()
        if self._listener is not None:
            self._listener.cut_off()
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        if self._connections is not None:
            # Else a request that comes on one of them meanwhile would be neither read nor refused.
            self._connections.close_idle()
            await asyncio.sleep(0)
            await self._connections.shutdown(_LAST_WORDS_S)
            self._connections.cut_off()
            await asyncio.sleep(0)  # the transports say goodbye to their protocols

    async def _sweep(self) -> None:
        look_at_tls_s = time.monotonic() + TLS_LOOKED_AT_EVERY_S
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            assert self._connections is not None
            try:
                self._confirming.sweep()
                self._connections.sweep()
                if self._tls_hint.is_set() or time.monotonic() >= look_at_tls_s:
                    self._tls_hint.clear()
                    look_at_tls_s = time.monotonic() + TLS_LOOKED_AT_EVERY_S
                    self._renew_tls()
            except Exception as error:  # noqa: BLE001 - without the sweep, no time limit would hold any more
                self._telemetry.request_failed("-", error)

    def _renew_tls(self) -> None:
        certificates, listener = self._certificates, self._listener
        if certificates is None or listener is None or not listener.addresses or not certificates.changed():
            return
        try:
            context = certificates.context()
        except ConfigError as error:  # half-written, perhaps: the next change is looked at again
            self._telemetry.certificate_changed(certificates.path, error)
            return
        listener.serve_tls(context, self._intake.rules.server.header_timeout)
        self._telemetry.certificate_changed(certificates.path)
        self._show_certificate_end()

    def _show_certificate_end(self) -> None:
        if self._certificates is not None:
            self._telemetry.certificate_ends("ingress", self._certificates.end_s())
