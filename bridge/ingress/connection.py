"""One client: the clocks of its phases, the short way of its requests, errors of the protocol as our answers.

A connection is at every moment idle (nothing of a request is here), in a head (some bytes of one), or busy. Each phase
has its own bound, and a sweep of the server looks at them some times a second: no timer per request.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage

from bridge.ingress import answers
from bridge.ingress.answers import Answer
from bridge.ingress.intake import NO_SOURCE, Exchange
from bridge.ingress.wire import Wire, body_of, is_last

if TYPE_CHECKING:
    from bridge.ingress.connections import Connections

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
            self._leave(answers.CROWDED)
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
            self.answer(answers.UNFORESEEN)
        else:  # it was being answered: what the client has got is not known
            self.cut_off()

    # what is not HTTP

    def head_grew(self, count: int) -> None:
        """Part of a head arrived. Its lines are bounded by the parser, here is the bound for all of them together."""
        if self.head_bytes <= 1:
            self.since_s = self._loop.time()
        self.head_bytes += count
        if self.head_bytes > self.head_bytes_max and not self.leaving:
            self._server.telemetry.request_answered(NO_SOURCE, answers.MALFORMED.outcome)
            self._leave(answers.MALFORMED)

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
        answer = answers.MALFORMED if status == 400 else answers.UNFORESEEN
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
