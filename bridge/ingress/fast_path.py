"""The fast path, for requests that are already here. The one file that knows aiohttp's RequestHandler from the inside.

aiohttp's own path of a request wakes a task, makes another, and builds a request and a response object: 20 of the 32 µs
that a bare handler costs. A webhook is nearly always one packet with head and body. When a connection is idle and what
arrives is exactly one whole POST, `on_request` gets it at once, and aiohttp's loop stays asleep. Everything else
(a body that is still coming, several requests at once, HTTP/1.0, errors) takes the slow path: aiohttp's own.

How: the future on which aiohttp's loop sleeps (`_waiter`) is detached, so that parsing only queues. It stays so until
the response is sent; what arrives meanwhile queues up as behind any busy handler. `reattach_waiter` puts it back.

`FAST_PATH` is False when this aiohttp is not built like that: then all requests take the slow path, with the same
responses. A test fails when that is so for the aiohttp that is installed.

aiohttp bounds the lines of a head, and their number; together they may be a megabyte, and 32 such heads may be queued.
So here is counted what arrives: `head_bytes` is how much of a head is here that is not complete, also behind requests
that are not answered yet. And a client that does not take its responses is not listened to meanwhile.
"""

import asyncio
from typing import Any

from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.http import HttpRequestParser, HttpVersion11, RawRequestMessage
from aiohttp.web_protocol import _ErrInfo

_LAST_BYTES = 64  # of what arrived: enough to see whether it ends with a request
_PARSER_LIMITS = {"max_line_size", "max_field_size", "max_headers", "auto_decompress"}
_HEAD_END = b"\r\n\r\n"
_NEEDED = {"_waiter", "_messages", "_upgraded", "_parser", "_max_msg_queue_size", "_read_bufsize"}


def _has_fast_path() -> bool:
    slots = {name for kind in web.RequestHandler.__mro__ for name in getattr(kind, "__slots__", ())}
    return slots >= _NEEDED and "_buffer" in StreamReader.__slots__ and hasattr(HttpRequestParser, "message_consumed")


FAST_PATH = _has_fast_path()


class FastPathHandler(web.RequestHandler):
    """One connection, as aiohttp handles it, with the fast path. Subclasses say what happens."""

    __slots__ = (
        "_detached_waiter",
        "_ends_with_body",
        "_input_closed",
        "_last_bytes",
        "_newest",
        "broken",
        "closes",
        "head_bytes",
        "head_bytes_max",
        "reading",
    )

    def __init__(
        self, manager: web.Server, head_bytes_max: int, *, loop: asyncio.AbstractEventLoop, **limits: float | bool
    ) -> None:
        super().__init__(manager, loop=loop, access_log=None, **limits)  # type: ignore[arg-type]  # names and types as in Server
        if FAST_PATH:
            own: dict[str, Any] = {name: limit for name, limit in limits.items() if name in _PARSER_LIMITS}
            own |= {"payload_exception": web.RequestPayloadError, "max_msg_queue_size": 1}
            self._parser = HttpRequestParser(self, loop, self._read_bufsize, **own)
        self._detached_waiter: asyncio.Future[None] | None = None
        self._newest: StreamReader = EMPTY_PAYLOAD  # the body of the request that came last
        self._last_bytes = b""
        self._ends_with_body = True  # whether what is here ended with that body, when it last grew
        self._input_closed = False
        self.broken = b""
        """How that began which is no HTTP."""
        self.closes = False
        """Whether nothing behind the newest request may be read."""
        self.head_bytes_max = head_bytes_max
        """Bound of a head as a whole; as the bounds of its lines, what it was when the connection began."""
        self.head_bytes = 1
        """How much of the next head is here. A new connection owes one: it may not idle before its first request."""
        self.reading: StreamReader | None = None
        """The body that a handler waits for. Broken framing ends it."""

    def on_request(self, message: RawRequestMessage, content: StreamReader) -> None:
        """A request is here, whole; `body_of(content)` is its body. Whoever handles it writes the response, then calls
        `reattach_waiter`."""
        raise NotImplementedError

    def on_partial_head(self, count: int) -> None:
        """`count` bytes of a head arrived, and it is not complete. Nothing else is under way."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._input_closed:
            return
        waiter = self._waiter
        if waiter is None or waiter.done() or self._upgraded or not FAST_PATH:
            self._more_data(data)
            return
        self._waiter = None
        try:
            self._parse(data)
        finally:
            self._waiter = waiter
        if not self._messages:
            self.on_partial_head(len(data))
            return
        if self._holds_one_whole_post():
            message, content = self._messages.popleft()
            self._newest = EMPTY_PAYLOAD
            self._parser.message_consumed()  # type: ignore[union-attr]  # there is one until the connection is lost
            self._waiter, self._detached_waiter = None, waiter
            if data.endswith(_end_of(content)):
                self.head_bytes = 0
            else:
                self._begin_head(_left_over(data, content))
            self.on_request(message, content)  # type: ignore[arg-type]
            return
        self._last_bytes = data[-_LAST_BYTES:]
        self._begin_head(self._behind(data))
        if not waiter.done():
            waiter.set_result(None)

    def _parse(self, data: bytes) -> None:
        # aiohttp's parser forgets, when it fails, what it completed in the same call. So ours stops behind each request
        # and is called again for what follows, if that may be read.
        messages, begins, bound = self._messages, self.head_bytes <= 1, self.head_bytes_max
        large = not data or self.head_bytes + len(data) > bound  # without data: what had to wait is parsed now
        while True:
            known, was_open = len(messages), not self._newest.is_eof()
            super().data_received(data)
            if len(messages) > known:
                message, content = messages[-1]
                self._newest = content
                if not isinstance(message, RawRequestMessage):
                    self.broken = self.broken or data[:_LAST_BYTES]
                    if self.reading is not None and not self.reading.is_eof():  # else a handler would wait for the rest
                        self.reading.set_exception(web.RequestPayloadError("broken framing"))
                    return
                if large and _head_size(message) > bound:
                    self._refuse(len(messages) - 1)
                    return
                self.closes = must_close(message, content)
                if begins and data.find(_HEAD_END) + len(_HEAD_END) + content.total_bytes == len(data):
                    return
            elif not was_open:
                return
            if not FAST_PATH or self.closes or not self._newest.is_eof() or len(messages) >= self._max_msg_queue_size:
                return
            data, begins = b"", False

    def _more_data(self, data: bytes) -> None:
        """Bytes that come while a request is under way: of its body, or of what is pipelined behind it."""
        known, open_body = len(self._messages), not self._newest.is_eof()
        self._parse(data)
        if not FAST_PATH:
            return
        self._last_bytes = (self._last_bytes + data)[-_LAST_BYTES:]
        if open_body or len(self._messages) > known:
            self._begin_head(self._behind(data))
        else:
            self._begin_head(self.head_bytes + len(data))

    def _begin_head(self, count: int) -> None:
        """So many bytes are here behind the newest request."""
        self.head_bytes = count
        if count > self.head_bytes_max and not self._input_closed:
            self._refuse(len(self._messages))

    def _behind(self, data: bytes) -> int:
        """How much is here behind the newest request; at least that much."""
        content = self._newest
        if data or self._messages:
            self._ends_with_body = self._last_bytes.endswith(_end_of(content))
        # Else the parser, which had stopped for a while, found that it is through: nothing has come since.
        return 0 if self._ends_with_body or not content.is_eof() else _left_over(data, content)

    def _refuse(self, at: int) -> None:
        """What stands at this place of the queue, or begins there, is no HTTP, and the end of what is listened to."""
        error = web.HTTPBadRequest()
        while len(self._messages) > at:
            self._messages.pop()
        self._messages.append((_ErrInfo(400, error, ""), EMPTY_PAYLOAD))
        self._newest = EMPTY_PAYLOAD
        self._input_closed = True

    def pause_writing(self) -> None:
        """The client does not take its responses: what it still asks for waits with the system."""
        super().pause_writing()
        self._pause_transport_reading()

    def resume_writing(self) -> None:
        """It takes them again."""
        super().resume_writing()
        if not self._reading_paused and not self._buffer_paused:
            self._resume_transport_reading()

    def _resume_transport_reading(self) -> None:
        if not self.writing_paused:
            super()._resume_transport_reading()

    def reattach_waiter(self) -> None:
        """Give the connection back to aiohttp's loop, and with it what arrived meanwhile."""
        waiter, self._detached_waiter = self._detached_waiter, None
        if waiter is not None and not waiter.done():
            self._waiter = waiter
            # Once the connection closes, aiohttp's loop must not wake up any more: it would find itself taken apart.
            if self._messages and self.transport is not None and not self.transport.is_closing():
                waiter.set_result(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone; aiohttp cancels the future on which its loop sleeps, so it must be back in its place."""
        if self._detached_waiter is not None:
            self._waiter, self._detached_waiter = self._detached_waiter, None
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
    def idle(self) -> bool:
        """Whether all that came whole is answered: aiohttp's loop sleeps, and nothing is on the fast path."""
        return self._waiter is not None and not self._waiter.done()

    def abort_open_body(self) -> None:
        """No more comes: whoever waits, or will wait, for the rest of a body gets an error instead."""
        content = self.reading or (self._messages[-1][1] if self._messages else None)
        if isinstance(content, StreamReader) and not content.is_eof():
            content.set_exception(ConnectionResetError("ended early"))


def body_of(content: StreamReader) -> bytes:
    """All of a body that is here. `read_nowait` would do, but makes the connection parse nothing once more: 2 µs."""
    if content is EMPTY_PAYLOAD:
        return b""
    pieces = content._buffer  # noqa: SLF001 - this file knows aiohttp from the inside
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _end_of(content: StreamReader) -> bytes:
    """The last bytes of a request whose body is here: those of the body, or of the head."""
    pieces = content._buffer if content is not EMPTY_PAYLOAD else ()  # noqa: SLF001 - as above
    return pieces[-1][-_LAST_BYTES:] if pieces else _HEAD_END


def _left_over(data: bytes, content: StreamReader) -> int:
    """How much of `data` is behind the request with this body, at least; above 1, since something is."""
    end = _end_of(content)
    return max(2, len(data) - max(0, data.rfind(end) + len(end)))


def _head_size(message: RawRequestMessage) -> int:
    return len(message.path) + sum(len(name) + len(value) + 4 for name, value in message.raw_headers)


def must_close(message: RawRequestMessage, content: StreamReader) -> bool:
    """Whether nothing behind this request may be read: its response closes the connection.

    A client may ask for that. Besides, aiohttp's parser (3.14) has three gaps. It loses what comes in one piece with an
    offer to switch protocols. It takes a length of 2^64 - 1 for no body, and then swallows whatever comes. And it
    leaves the last trailer of a chunked body where it collects headers, so that it would become one of the next
    request: whoever shares the connection, behind a proxy, could lend that request a credential, or spoil its own.
    """
    if message.should_close or message.upgrade or message.chunked:
        return True
    return content is EMPTY_PAYLOAD and message.headers.get("Content-Length", "").strip("0") != ""


def request_must_close(request: web.BaseRequest) -> bool:
    """`must_close` for a request on the slow path."""
    return must_close(request._message, request.content)  # noqa: SLF001 - as above


def answer_as_http_1(request: web.BaseRequest) -> None:
    """Answer in HTTP/1.1, whatever version the request line claims: aiohttp would repeat it."""
    request._cache["version"] = HttpVersion11  # noqa: SLF001 - as above
