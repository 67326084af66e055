"""The one file that knows aiohttp's RequestHandler from the inside: a short way for requests that are already here.

aiohttp's own way of a request wakes a task, makes another, and builds a request and a response object: 20 of the 32 µs
that a bare handler costs. A webhook is nearly always one packet with head and body. When a connection is idle and what
arrives is exactly one whole POST, `whole_request` gets it at once, and aiohttp's loop stays asleep. Everything else
(a body that is still coming, several requests at once, HTTP/1.0, errors) goes aiohttp's way.

How: the future on which aiohttp's loop sleeps (`_waiter`) is set aside, so that parsing only queues. It stays aside
until the answer is sent; what arrives meanwhile queues up as behind any busy handler. `release` puts it back.

`SHORT_WAY` is False when this aiohttp is not built like that: then all requests go the long way, with the same answers.
A test fails when that is so for the aiohttp that is installed.
"""

import asyncio

from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.http import HttpRequestParser, HttpVersion11, RawRequestMessage

_NEEDED = {"_waiter", "_messages", "_upgraded", "_parser"}


def _has_short_way() -> bool:
    slots = {name for kind in web.RequestHandler.__mro__ for name in getattr(kind, "__slots__", ())}
    return slots >= _NEEDED and "_buffer" in StreamReader.__slots__ and hasattr(HttpRequestParser, "message_consumed")


SHORT_WAY = _has_short_way()


class Wire(web.RequestHandler):
    """One connection, as aiohttp handles it, with the short way. Subclasses say what happens."""

    __slots__ = ("_aside", "reading")

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, **limits: float | bool) -> None:
        super().__init__(manager, loop=loop, access_log=None, **limits)  # type: ignore[arg-type]  # names and types as in Server
        self._aside: asyncio.Future[None] | None = None
        self.reading: StreamReader | None = None
        """The body that a handler waits for. Broken framing ends it."""

    def whole_request(self, message: RawRequestMessage, content: StreamReader) -> None:
        """A request is here, whole; `body_of(content)` is its body. Whoever handles it writes the answer, then calls
        `release`."""
        raise NotImplementedError

    def head_grew(self, count: int) -> None:
        """`count` bytes of a head arrived, and it is not complete."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._upgraded or not SHORT_WAY:
            super().data_received(data)
            self._end_broken_body()
            return
        self._waiter = None
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if not self._messages:
            self.head_grew(len(data))
        elif self._holds_one_whole_post():
            message, content = self._messages.popleft()
            self._parser.message_consumed()  # type: ignore[union-attr]  # there is one until the connection is lost
            self._waiter, self._aside = None, waiter
            self.whole_request(message, content)  # type: ignore[arg-type]
        elif not waiter.done():
            waiter.set_result(None)

    def release(self) -> None:
        """Give the connection back to aiohttp's loop, and with it what arrived meanwhile."""
        waiter, self._aside = self._aside, None
        if waiter is not None and not waiter.done():
            self._waiter = waiter
            # Once the connection closes, aiohttp's loop must not wake up any more: it would find itself taken apart.
            if self._messages and self.transport is not None and not self.transport.is_closing():
                waiter.set_result(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone; aiohttp cancels the future on which its loop sleeps, so it must be back in its place."""
        if self._aside is not None:
            self._waiter, self._aside = self._aside, None
        super().connection_lost(exc)

    def _holds_one_whole_post(self) -> bool:
        if len(self._messages) != 1 or self._upgraded:
            return False
        message, content = self._messages[0]
        return (
            content.is_eof()
            and isinstance(message, RawRequestMessage)
            and message.method == "POST"
            and message.version == HttpVersion11
            and message.path[0] == "/"  # a proxy may send the absolute form
        )

    @property
    def at_rest(self) -> bool:
        """Whether all that came whole is answered: aiohttp's loop sleeps, and nothing goes the short way."""
        return self._waiter is not None and not self._waiter.done()

    def end_open_body(self) -> None:
        """No more comes: whoever waits, or will wait, for the rest of a body gets an error instead."""
        content = self.reading or (self._messages[-1][1] if self._messages else None)
        if isinstance(content, StreamReader) and not content.is_eof():
            content.set_exception(ConnectionResetError("ended early"))

    def _end_broken_body(self) -> None:
        # aiohttp queues an error behind a request whose framing broke, and leaves its body open: a handler that waits
        # for the rest would wait until its time is up.
        if self.reading is not None and self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            self.reading.set_exception(web.RequestPayloadError("broken framing"))


def body_of(content: StreamReader) -> bytes:
    """All of a body that is here. `read_nowait` would do, but makes the connection parse nothing once more: 2 µs."""
    if content is EMPTY_PAYLOAD:
        return b""
    pieces = content._buffer  # noqa: SLF001 - this file knows aiohttp from the inside
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def speak_http_1(request: web.BaseRequest) -> None:
    """Answer in HTTP/1.1, whatever version the request line claims: aiohttp would repeat it."""
    request._cache["version"] = HttpVersion11  # noqa: SLF001 - as above
