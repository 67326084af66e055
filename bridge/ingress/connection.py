"""One client: the clocks of its phases, the short way of its requests, errors of the protocol as our answers.

A connection is at every moment idle (nothing of a request is here), in a head (some bytes of one), or busy. Each phase
has its own bound, and a sweep of the server looks at them some times a second: no timer per request.

All connections of the ingress port: how many there may be, and what they share.
"""

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage

from bridge.ingress import responses
from bridge.ingress.checks import NO_SOURCE, Exchange, Intake, Rules
from bridge.ingress.fast_path import Wire, body_of, is_last
from bridge.ingress.listener import connections_that_fit
from bridge.ingress.responses import Answer
from bridge.telemetry import Telemetry

UNREAD_S_MAX = 10.0  # a client that takes no answer, or does not let itself be closed, is cut off after this
GOODBYE_S = 1.0  # how long one that is not listened to any more may take to read why


class Connection(Wire):
    """One connection to the ingress port."""

    __slots__ = (
        "_exchange",
        "_link",
        "_server",
        "busy",
        "leaving",
        "refused",
        "remote",
        "since_s",
        "spoken",
        "stuck_since_s",
    )

    def __init__(self, server: "Connections", *, loop: asyncio.AbstractEventLoop, **limits: float | bool) -> None:
        super().__init__(server, server.head_bytes_max, loop=loop, **limits)
        self._server = server
        self._exchange: Exchange | None = None
        self._link: asyncio.Transport | None = None
        self.busy = False
        self.leaving = False
        self.refused = False
        self.remote = ""
        self.spoken = False
        """Whether the client has ended its side: it listens, perhaps, but says no more."""
        self.since_s = loop.time()
        self.stuck_since_s: float | None = None

    # the connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here; above the bound it gets a 503 and is closed."""
        self._link = link = cast("asyncio.Transport", transport)
        if not self._server.admit(self):
            self.refused = True
            self._leave(responses.CROWDED)
            return
        peer = link.get_extra_info("peername")
        self.remote = peer[0] if isinstance(peer, tuple) else ""
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone. What it asked for goes on: an entry that is on its way to the journal stays."""
        self._server.forget(self)
        self._link = None
        if not self.refused:
            super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp always closes then
        """The client says no more. What is here of it is answered first, then the connection ends; True keeps it."""
        self.spoken = True
        if self.at_rest or self._link is None or not self._link.can_write_eof():
            return False  # nothing to answer; or TLS, which can't be half closed
        self.end_open_body()
        return True

    def sweep(self, now_s: float) -> None:
        """Close what takes too long. Called some times a second with the loop's time."""
        link, server = self._link, self._server.rules.server
        if link is None:
            return
        if self.writing_paused or link.is_closing() or self.leaving:
            self.stuck_since_s = self.stuck_since_s or now_s
            if now_s - self.stuck_since_s > (GOODBYE_S if self.leaving else UNREAD_S_MAX):
                link.abort()
            return
        self.stuck_since_s = None
        if self.spoken and self.at_rest:
            link.close()
            return
        if self.busy:  # bounds its body and its confirmation by itself
            return
        patience_s = server.header_timeout if self.head_bytes else server.keepalive_timeout
        if now_s - self.since_s > patience_s:
            link.close()

    def rested(self) -> None:
        """A request was answered: the connection may idle, unless the next one has begun."""
        self.busy = False
        self.since_s = self._loop.time()

    def close_idle(self) -> None:
        """Close if nothing is under way."""
        if self._link is not None and self.at_rest and not self.in_flight:
            self._link.close()

    def cut_off(self) -> None:
        """Close at once."""
        if self._link is not None:
            self._link.abort()

    @property
    def last_answers(self) -> bool:
        """Whether the next answer is this connection's last."""
        return self._server.last_answers or (self.spoken and not self._messages)

    @property
    def in_flight(self) -> bool:
        """Whether a request, or the beginning of one, is here."""
        return self.busy or self.head_bytes > 1

    # the short way

    def whole_request(self, message: RawRequestMessage, content: StreamReader) -> None:
        """A request with its body: judged at once, answered now or when the journal has spoken."""
        intake = self._server.intake
        self._exchange = exchange = Exchange(
            intake.rules,
            method=message.method,
            path=message.path,
            headers=message.headers,
            remote=self.remote,
            now_ms=intake.clock_ms(),
            close=is_last(message, content) or self._server.last_answers,
        )
        self.busy = True
        try:
            refusal = intake.admit(exchange)
            if refusal is not None:
                self.answer(refusal)
            else:
                intake.settle(exchange, body_of(content), self.answer)
        except Exception as error:  # noqa: BLE001 - a mistake of ours is answered 503, and told in the log
            self._failed(exchange, error)

    def answer(self, answer: Answer) -> None:
        """Send the answer of the request that is being handled, the short way."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        link, server = self._link, self._server
        try:
            if link is not None and not link.is_closing():
                close = exchange.close or self.last_answers
                link.write(answer.wire(server.date, close=close))
                if close:
                    link.close()
            server.intake.count(exchange, answer)
        finally:
            self.rested()
            self.release()

    def _failed(self, exchange: Exchange, error: Exception) -> None:
        self._server.telemetry.request_failed(exchange.source, error)
        if self._exchange is not None:
            self.answer(responses.UNFORESEEN)
        else:  # it was being answered: what the client has got is not known
            self.cut_off()

    # what is not HTTP

    def head_grew(self, count: int) -> None:
        """Part of a head arrived. Its lines are bounded by the parser, here is the bound for all of them together."""
        if self.head_bytes <= 1:
            self.since_s = self._loop.time()
        self.head_bytes += count
        if self.head_bytes > self.head_bytes_max and not self.leaving:
            self._server.telemetry.request_answered(NO_SOURCE, responses.MALFORMED.outcome)
            self._leave(responses.MALFORMED)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp answers for broken HTTP, and for an error that a handler let through.

        `message` is aiohttp's text on what was wrong, with pieces of what was sent: it goes nowhere.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        answer = responses.MALFORMED if status == 400 else responses.UNFORESEEN
        if status != 400:
            self._server.telemetry.request_failed(NO_SOURCE, exc or RuntimeError(f"status {status}"))
        self._server.telemetry.request_answered(NO_SOURCE, answer.outcome)
        return answer.response(close=True)

    def _leave(self, answer: Answer) -> None:
        """Say why, and listen no more. Closing at once would reset the connection under the answer when the client has
        sent something that nobody read; so it may read first, for a moment, unless there is a crowd of such."""
        link = self._link
        if link is None or link.is_closing():
            return
        self.leaving = True
        self.head_bytes = 0
        self.close()  # aiohttp drops what still comes
        link.write(answer.wire(self._server.date, close=True))
        if self._server.refuses_quietly or not link.can_write_eof():
            link.close()
        else:
            link.write_eof()


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
