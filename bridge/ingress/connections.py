"""All connections of the ingress port: how many there may be, and what they share."""

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from aiohttp import web

from bridge.ingress.connection import Connection
from bridge.ingress.descriptors import connections_that_fit
from bridge.ingress.intake import NO_SOURCE, Intake, Rules
from bridge.telemetry import Telemetry

HEAD_LINES_MAX = 100
BUFFER_BYTES = 32 << 10  # of an unread body; twice that, and the socket is no longer read
_REFUSED_MAX = 100  # connections that are being told why they are refused; above it they are just closed
_NEVER_S = 30 * 86400.0

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connections(web.Server):
    """Makes a `Connection` for each client. `open` are those that were not refused."""

    def __init__(self, handler: Handler, intake: Intake, telemetry: Telemetry) -> None:
        super().__init__(handler)
        self._event_loop = asyncio.get_running_loop()
        self.intake = intake
        self.telemetry = telemetry
        self.date = b""
        """The value of the Date header (RFC 9110, 5.6.7), as of the last sweep."""
        self._tell_date()
        self.open: set[Connection] = set()
        self.saying_goodbye: set[Connection] = set()
        self._wanted = self._fit = 0
        self.last_answers = False
        """Whether each answer is its connection's last: the bridge stops, or keeps no idle connections."""

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self.intake.rules

    @property
    def head_bytes_max(self) -> int:
        """Bound of a request's head as a whole."""
        return 4 * self.rules.server.max_header

    @property
    def refuses_quietly(self) -> bool:
        """Whether there are so many to refuse that there is no time to let them read the answer."""
        return len(self.saying_goodbye) > _REFUSED_MAX

    def __call__(self) -> Connection:
        """The protocol of a new connection."""
        line_max = self.rules.server.max_header
        return Connection(
            self,
            loop=self._event_loop,
            keepalive_timeout=_NEVER_S,  # Connection.sweep closes idle ones
            max_line_size=line_max,
            max_field_size=line_max,
            max_headers=HEAD_LINES_MAX,
            read_bufsize=BUFFER_BYTES,
            auto_decompress=False,  # `reading` undoes codings, within a bound
            lingering_time=0,  # `streamed` does, within a bound
        )

    def admit(self, connection: Connection) -> bool:
        """Whether one more connection may stay."""
        if len(self.open) >= self._connections_max():
            self.saying_goodbye.add(connection)
            self._count_refusal()
            return False
        self.open.add(connection)
        self.telemetry.connections_open(len(self.open))
        return True

    def may_shake_hands(self, under_way: int) -> bool:
        """Whether one more TLS handshake may begin, beside the `under_way` and the connections that are open."""
        if len(self.open) + under_way < self._connections_max():
            return True
        self._count_refusal()
        return False

    def _count_refusal(self) -> None:
        self.telemetry.request_answered(NO_SOURCE, "too_many_connections")
        self.telemetry.not_accepted(NO_SOURCE, "too_many_connections")

    def _connections_max(self) -> int:
        wanted = self.rules.server.max_connections
        if wanted != self._wanted:  # at the first connection, and when a reload has changed it
            self._wanted, self._fit = wanted, connections_that_fit(wanted)
            if self._fit < wanted:
                self.telemetry.once("ingress.fewer_connections", str(wanted), wanted=wanted, possible=self._fit)
        return self._fit

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        self.open.discard(connection)
        self.saying_goodbye.discard(connection)
        self.telemetry.connections_open(len(self.open))

    def sweep(self) -> None:
        """Close connections whose time is up."""
        self._tell_date()
        now_s = self._event_loop.time()
        for connection in (*self.open, *self.saying_goodbye):
            connection.sweep(now_s)

    def _tell_date(self) -> None:
        self.date = formatdate(self.intake.clock_ms() // 1000, usegmt=True).encode()

    @property
    def in_flight(self) -> int:
        """Connections on which a request, or the beginning of one, is here."""
        return sum(connection.in_flight for connection in self.open)

    def close_idle(self) -> None:
        """Close the connections on which nothing is under way."""
        for connection in tuple(self.open):
            connection.close_idle()

    def cut_off(self) -> None:
        """Close all connections at once."""
        for connection in (*self.open, *self.saying_goodbye):
            connection.cut_off()
