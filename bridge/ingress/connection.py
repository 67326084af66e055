"""The clients: how many there may be, the time limits of each, the fast path of its requests, and broken HTTP.

A connection is at every moment idle (nothing of a request is here), in a head (some bytes of one), or busy. Each phase
has its own bound, and a sweep looks at them some times a second: no timer per request.
"""

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage

from bridge.ingress import responses
from bridge.ingress.checks import NO_SOURCE, Checks, RequestContext
from bridge.ingress.fast_path import FastPathHandler, answer_as_http_1, body_of
from bridge.ingress.listener import connections_that_fit
from bridge.ingress.responses import Response
from bridge.telemetry import Telemetry

UNREAD_S_MAX = 10.0  # a client that takes no response, or does not let itself be closed, is cut off after this
REFUSED_S_MAX = 1.0  # how long one that is not listened to any more may take to read why
REFUSED_MAX = 100  # connections that are being told why they are refused; above it they are just closed
HEAD_LINES_MAX = 100
BUFFER_BYTES = 32 << 10  # of an unread body; twice that, and the socket is no longer read
_NEVER_S = 30 * 86400.0


class Connections(web.Server):
    """Makes a `Connection` for each client. `open` are those that were not refused."""

    def __init__(
        self,
        slow_path: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        checks: Checks,
        telemetry: Telemetry,
    ) -> None:
        super().__init__(slow_path)
        self._event_loop = asyncio.get_running_loop()
        self.checks = checks
        self.telemetry = telemetry
        self.date = b""
        """The value of the Date header (RFC 9110, 5.6.7), as of the last sweep."""
        self._update_date()
        self.open: set[Connection] = set()
        self.refused: set[Connection] = set()
        self.closed = False
        self.close_after_response = False
        """Whether each response is its connection's last: the bridge stops, or keeps no idle connections."""

    def __call__(self) -> "Connection":
        line_max = self.checks.rules.server.max_header
        return Connection(
            self,
            4 * line_max,
            loop=self._event_loop,
            keepalive_timeout=_NEVER_S,  # Connection.sweep closes idle ones
            max_line_size=line_max,
            max_field_size=line_max,
            max_headers=HEAD_LINES_MAX,
            read_bufsize=BUFFER_BYTES,
            auto_decompress=False,  # `checks` undoes codings, within a bound
            lingering_time=0,  # the slow path does, within a bound
        )

    def register(self, connection: "Connection") -> bool:
        """Whether one more connection may stay."""
        wanted = self.checks.rules.server.max_connections
        fit = connections_that_fit(wanted)
        if fit < wanted:
            self.telemetry.once("ingress.fewer_connections", str(wanted), wanted=wanted, possible=fit)
        if len(self.open) >= fit:
            self.refused.add(connection)
            self.telemetry.request_answered(NO_SOURCE, "too_many_connections")
            self.telemetry.not_accepted(NO_SOURCE, "too_many_connections")
            return False
        self.open.add(connection)
        self.telemetry.connections_open(len(self.open))
        return True

    def unregister(self, connection: "Connection") -> None:
        self.open.discard(connection)
        self.refused.discard(connection)
        self.telemetry.connections_open(len(self.open))

    def sweep(self) -> None:
        self._update_date()
        now_s = self._event_loop.time()
        for connection in (*self.open, *self.refused):
            connection.sweep(now_s)

    @property
    def in_flight(self) -> int:
        return sum(connection.in_flight for connection in self.open)

    def close_idle(self) -> None:
        for connection in tuple(self.open):
            connection.close_idle()

    def close(self) -> None:
        """Close all connections at once, and any that still comes: its TLS handshake was under way."""
        self.closed = True
        for connection in (*self.open, *self.refused):
            connection.abort()

    def _update_date(self) -> None:
        self.date = formatdate(self.checks.clock_ms() // 1000, usegmt=True).encode()


class Connection(FastPathHandler):
    __slots__ = (
        "_client",
        "_context",
        "_server",
        "busy",
        "half_closed",
        "input_ended",
        "refused",
        "remote",
        "since_s",
        "stuck_since_s",
    )

    def __init__(
        self, server: Connections, head_bytes_max: int, *, loop: asyncio.AbstractEventLoop, **limits: float | bool
    ) -> None:
        super().__init__(server, head_bytes_max, loop=loop, **limits)
        self._server = server
        self._client: asyncio.Transport | None = None  # also when it is refused; aiohttp's `transport` is not set then
        self._context: RequestContext | None = None
        self.busy = False
        self.refused = False
        self.remote = ""
        self.half_closed = False
        """Whether the client has ended its side: it listens, perhaps, but sends no more."""
        self.input_ended = False
        """Whether we have ended ours: the client was told why, and may read that for a moment."""
        self.since_s = loop.time()
        self.stuck_since_s: float | None = None

    # the connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Above the bound, a client gets a 503 and is closed."""
        self._client = client = cast("asyncio.Transport", transport)
        if self._server.closed:
            self.refused = True
            client.abort()
            return
        if not self._server.register(self):
            self.refused = True
            self._send_and_close(responses.TOO_MANY_CONNECTIONS)
            return
        peer = client.get_extra_info("peername")
        self.remote = peer[0] if isinstance(peer, tuple) else ""
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone. What it asked for goes on: an entry that is on its way to the journal stays."""
        self._server.unregister(self)
        self._client = None
        if not self.refused:
            super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp always closes then
        """The client sends no more. What is here of it is answered first, then the connection ends; True keeps it."""
        self.half_closed = True
        if self.idle or self._client is None or not self._client.can_write_eof():
            return False  # nothing to answer; or TLS, which can't be half closed
        self.abort_open_body()
        return True

    def sweep(self, now_s: float) -> None:
        """Close what takes too long. Called some times a second with the loop's time."""
        client, server = self._client, self._server.checks.rules.server
        if client is None:
            return
        if self.writing_paused or client.is_closing() or self.input_ended:
            self.stuck_since_s = self.stuck_since_s or now_s
            if now_s - self.stuck_since_s > (REFUSED_S_MAX if self.input_ended else UNREAD_S_MAX):
                client.abort()
            return
        self.stuck_since_s = None
        if self.half_closed and self.idle:
            client.close()
            return
        if self.busy:  # bounds its body and its acknowledgement by itself
            return
        timeout_s = server.header_timeout if self.head_bytes else server.keepalive_timeout
        if now_s - self.since_s > timeout_s:
            client.close()

    def on_request_done(self) -> None:
        self.busy = False
        self.since_s = self._loop.time()

    def close_idle(self) -> None:
        if self._client is not None and self.idle and not self.in_flight:
            self._client.close()

    def abort(self) -> None:
        if self._client is not None:
            self._client.abort()

    @property
    def close_after_response(self) -> bool:
        return self._server.close_after_response or (self.half_closed and not self._messages)

    @property
    def in_flight(self) -> bool:
        return self.busy or self.head_bytes > 1

    # the fast path

    def on_request(self, message: RawRequestMessage, content: StreamReader) -> None:
        """A request with its body: checked at once, answered now or when the journal has it on stable storage."""
        checks = self._server.checks
        self._context = context = RequestContext(
            rules=checks.rules,
            method=message.method,
            path=message.path,
            headers=message.headers,
            remote=self.remote,
            now_ms=checks.clock_ms(),
            close=self.closes or self._server.close_after_response,
        )
        self.busy = True
        try:
            refusal = checks.check_head(context)
            if refusal is not None:
                self.respond(refusal)
            else:
                checks.handle_body(context, body_of(content), self.respond)
        except Exception as error:  # noqa: BLE001 - a mistake of ours is answered 503, and told in the log
            self._failed(context, error)

    def respond(self, response: Response) -> None:
        """Send the response to the request that is being handled on the fast path."""
        context, self._context = self._context, None
        if context is None:
            return
        client, server = self._client, self._server
        try:
            if client is not None and not client.is_closing():
                close = context.close or self.close_after_response
                client.write(response.encode(server.date, close=close))
                if close:
                    client.close()
            server.checks.on_response(context, response)
        finally:
            self.on_request_done()
            self.reattach_waiter()

    def _failed(self, context: RequestContext, error: Exception) -> None:
        self._server.telemetry.request_failed(context.source, error)
        if self._context is not None:
            self.respond(responses.UNFORESEEN)
        else:  # it was being answered: what the client has got is not known
            self.abort()

    # what is not HTTP

    def on_partial_head(self, count: int) -> None:
        """Part of a head arrived. Its lines are bounded by the parser, here is the bound for all of them together."""
        if self.head_bytes <= 1:
            self.since_s = self._loop.time()
        self.head_bytes += count
        if self.head_bytes > self.head_bytes_max and not self.input_ended:
            self._count(responses.MALFORMED)
            self._send_and_close(responses.MALFORMED)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is answered to broken HTTP, and after an error that a handler let through.

        `message` is aiohttp's text on what was wrong, with pieces of what was sent: it goes nowhere.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun already")
        answer_as_http_1(request)  # else in HTTP/1.0: there is no version in what could not be read
        response = responses.not_http(self.broken) if status == 400 else responses.UNFORESEEN
        if status != 400:
            self._server.telemetry.request_failed(NO_SOURCE, exc or RuntimeError(f"status {status}"))
        self._count(response)
        return response.to_aiohttp(close=True)

    def _count(self, response: Response) -> None:
        self._server.telemetry.request_answered(NO_SOURCE, response.outcome)
        if response.status == 400:
            self._server.telemetry.refused(NO_SOURCE, response.outcome, remote=self.remote)

    def _send_and_close(self, response: Response) -> None:
        # Closing at once would reset the connection under the response when the client has sent something that nobody
        # read. So it may read first, for a moment, unless there are too many such clients.
        client = self._client
        if client is None or client.is_closing():
            return
        self.input_ended = True
        self.head_bytes = 0
        self.close()  # aiohttp drops what still comes
        client.write(response.encode(self._server.date, close=True))
        if len(self._server.refused) > REFUSED_MAX or not client.can_write_eof():
            client.close()
        else:
            client.write_eof()
