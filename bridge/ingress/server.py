"""The ingress as a whole: start, stop, pause, new configuration, and the sweep that enforces every time limit."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.errors import ConfigError
from bridge.ingress import fast_path, responses
from bridge.ingress.acknowledge import Acknowledger, AppendsEntries
from bridge.ingress.checks import Checks, Rules
from bridge.ingress.connection import Connections
from bridge.ingress.limits import ByteBudget, body_bytes_held_max
from bridge.ingress.listener import listen
from bridge.ingress.routes import Routes
from bridge.ingress.slow_path import SlowPath
from bridge.ingress.tls import Certificates, certificate_end_s
from bridge.settings.models import Settings
from bridge.settings.units import Address
from bridge.telemetry import Telemetry

if TYPE_CHECKING:
    from bridge.telemetry.tracing import Tracing

SWEEP_INTERVAL_S = 0.1
TLS_CHECK_INTERVAL_S = 1.0
_SHUTDOWN_S = 0.5


class Ingress:
    """Takes webhooks over HTTP and answers each once its entry is on stable storage.

    `clock_ms` is the time in milliseconds since the epoch, `tracing` makes spans, where there are to be any. Made in a
    running event loop; nothing is bound before `start`.
    """

    def __init__(
        self,
        settings: Settings,
        journal: AppendsEntries,
        telemetry: Telemetry,
        clock_ms: Callable[[], int],
        *,
        tracing: "Tracing | None" = None,
    ) -> None:
        server = settings.server
        self._telemetry = telemetry
        self._budget, self._unauthenticated = ByteBudget(), ByteBudget()
        self._set_budgets(server.max_body)
        self._acknowledger = Acknowledger(journal, telemetry, self._budget)
        rules = Rules(Routes(settings, time.monotonic()), server)
        self._checks = Checks(rules, self._acknowledger, telemetry, clock_ms, tracing)
        slow_path = SlowPath(self._checks, self._budget, self._unauthenticated)
        self._connections = Connections(slow_path, self._checks, telemetry)
        self._connections.close_after_response = server.keepalive_timeout == 0
        self._listener: asyncio.Server | None = None
        self._certificates = None if server.tls is None else Certificates(server.tls)
        self._sweeper: asyncio.Task[None] | None = None
        self._draining = False

    async def start(self) -> None:
        """Bind and listen. Raises ConfigError for an address that is taken and for TLS files that can't be read."""
        server = self._checks.rules.server
        context = None
        if self._certificates is not None:
            self._load_certificate(self._certificates)
            context = self._certificates.context
        self._listener = await listen(self._connections, server.listen, context, server.header_timeout)
        self._sweeper = asyncio.create_task(self._sweep(), name="ingress sweep")
        if not fast_path.FAST_PATH:
            self._telemetry.once("ingress.slow_path_only")

    @property
    def addresses(self) -> list[Address]:
        """Where it listens (IPv4 and IPv6, perhaps), with the real ports; empty when it doesn't."""
        sockets = self._listener.sockets if self._listener is not None else ()
        return [Address(*each.getsockname()[:2]) for each in sockets]

    @property
    def accepting(self) -> bool:
        return self._checks.paused is None

    def pause(self, reason: str) -> None:
        """Answer 503 from now on. `reason` is a bounded word for the log."""
        self._checks.paused = responses.unavailable(reason)

    def reconfigure(self, settings: Settings) -> None:
        """Put new sources, credentials, responses and limits in force, all at once; requests in flight finish under
        the old ones. The address and the paths of TLS files need a new start. Raises ValueError, and changes nothing,
        when the settings contradict each other."""
        former = self._checks.rules
        self._checks.rules = Rules(Routes(settings, time.monotonic(), former.routes), settings.server)
        self._set_budgets(settings.server.max_body)
        self._connections.close_after_response = self._draining or settings.server.keepalive_timeout == 0

    def start_draining(self) -> None:
        """Close each connection after its next response: the next call then reaches another instance."""
        self._draining = self._connections.close_after_response = True

    def stop_listening(self) -> None:
        """Take no new connections, and drain those that exist. Handshakes go on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.start_draining()

    async def finish(self, timeout_s: float) -> None:
        end_s = time.monotonic() + timeout_s
        # Looked at now and then, at the stop only: a signal would cost every request something.
        while self._connections.in_flight and time.monotonic() < end_s:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Stop, whatever is in flight. What the journal was given stays with it."""
        self.stop_listening()
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        # Else a request that comes on an idle connection meanwhile would be neither read nor refused.
        self._connections.close_idle()
        await asyncio.sleep(0)
        await self._connections.shutdown(_SHUTDOWN_S)
        self._connections.close()
        await asyncio.sleep(0)  # the transports tell their protocols that the connection is lost

    def _set_budgets(self, max_body: int) -> None:
        # A quarter beside it for bodies that arrive without proof yet: the signature that is to admit them needs their
        # bytes. Strangers may send such bodies, and must not take the room of webhooks whose credentials hold.
        self._budget.bytes_max = body_bytes_held_max(max_body)
        self._unauthenticated.bytes_max = self._budget.bytes_max // 4

    async def _sweep(self) -> None:
        check_tls_s = time.monotonic() + TLS_CHECK_INTERVAL_S
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            try:
                self._acknowledger.expire()
                self._connections.sweep()
                if time.monotonic() >= check_tls_s:
                    check_tls_s = time.monotonic() + TLS_CHECK_INTERVAL_S
                    self._renew_certificate()
            except Exception as error:  # noqa: BLE001 - without the sweep, no time limit would hold any more
                self._telemetry.request_failed("-", error)

    def _renew_certificate(self) -> None:
        certificates = self._certificates
        if certificates is None or not certificates.changed():
            return
        try:
            self._load_certificate(certificates)
        except ConfigError as error:  # half-written, perhaps: the next change is looked at again
            self._telemetry.certificate_changed(certificates.path, error)
        else:
            self._telemetry.certificate_changed(certificates.path)

    def _load_certificate(self, certificates: Certificates) -> None:
        certificates.load()
        self._telemetry.certificate_ends("ingress", certificate_end_s(certificates.path))
