"""The slow path of a request: its body is still coming, or it is not the plain case. aiohttp makes a task for each.

The decisions are those of `checks`; here is what waiting for a body needs: 100 Continue, its time limit, its share of
memory, and what happens to a body that nobody wants.
"""

import asyncio
import contextlib

from aiohttp import StreamReader, hdrs, web
from aiohttp.http import HttpVersion11

from bridge.ingress import responses
from bridge.ingress.checks import Checks, RequestContext
from bridge.ingress.connection import Connection
from bridge.ingress.fast_path import answer_as_http_1, request_must_close
from bridge.ingress.limits import ByteBudget
from bridge.ingress.responses import Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LINGER_S = 1.0
LINGER_BYTES_MAX = 1 << 20
"""How much of an unwanted body is read and dropped after the response. Closing while the client still sends resets the
connection, and the client may never see the response; reading on without a bound would let a sender keep us busy."""


class SlowPath:
    """Handles requests on the slow path. Callable: what web.Server wants as its handler.

    While they arrive, bodies count in `budget`; those whose credentials are not decided yet, in `unauthenticated`.
    """

    def __init__(self, checks: Checks, budget: ByteBudget, unauthenticated: ByteBudget) -> None:
        self._checks = checks
        self._budget = budget
        self._unauthenticated = unauthenticated

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.busy = True
        try:
            return await self._handle(request, connection)
        finally:
            connection.on_request_done()

    async def _handle(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        path = request.raw_path
        context = RequestContext(
            rules=self._checks.rules,
            method=request.method,
            path=path if path.startswith("/") else request.path_qs,  # the absolute form, by which proxies ask
            headers=request.headers,
            remote=connection.remote,
            now_ms=self._checks.clock_ms(),
            close=request_must_close(request) or request.version[0] != 1,
        )
        # In 1.0 there is no chunked body (RFC 9112, 6.1): who sends one may mean another end of it than we read.
        old = request.version < HttpVersion11 and hdrs.TRANSFER_ENCODING in request.headers
        if request.version[0] == 1 and not old:
            response = self._checks.check_head(context)
        else:  # the parser takes HTTP/0.9 and 2.0 in a request line too; neither looks like what follows it
            response = responses.MALFORMED
            answer_as_http_1(request)
        if response is None:
            response = await self._receive_body(request, context, connection)
        self._checks.on_response(context, response)
        unread = not request.content.is_eof()
        sent = response.to_aiohttp(close=context.close or unread or connection.close_after_response)
        if unread:
            await sent.prepare(request)
            await sent.write_eof()
            await _linger(request)
        return sent

    async def _receive_body(
        self, request: web.BaseRequest, context: RequestContext, connection: Connection
    ) -> Response:
        server = context.rules.server
        budget = self._budget if context.undecided is None else self._unauthenticated
        try:
            _send_continue(request)
            connection.reading = request.content
            if connection.half_closed:
                connection.abort_open_body()
            async with asyncio.timeout(server.body_timeout):
                body = await _read(request.content, server.max_body, budget)
        except TimeoutError:
            return responses.TIMED_OUT
        except (ConnectionError, RuntimeError):  # the latter is how a reader says that the connection is gone
            return responses.CLIENT_GONE
        except web.RequestPayloadError:
            context.close = True
            return responses.MALFORMED
        finally:
            connection.reading = None
        if isinstance(body, Response):
            return body
        context.now_ms = self._checks.clock_ms()
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def done(response: Response) -> None:
            if not answered.done():  # cancelled: the server closes
                answered.set_result(response)

        self._checks.handle_body(context, body, done)
        return await answered


async def _read(content: StreamReader, bytes_max: int, budget: ByteBudget) -> bytes | Response:
    # The whole body, whose bytes count in `budget` while it arrives; or why it is not read to its end.
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := await content.readany():
            if size + len(chunk) > bytes_max:
                return responses.TOO_LARGE
            if not budget.take(len(chunk)):
                return responses.MEMORY_FULL
            size += len(chunk)
            chunks.append(chunk)
    finally:
        budget.give_back(size)
    return b"".join(chunks)


def _send_continue(request: web.BaseRequest) -> None:
    # The client waits to be asked for the body: its credentials hold, and its size was said to fit.
    asked = request.headers.get("Expect", "").strip().lower() == "100-continue"
    waits = asked and request.version == HttpVersion11 and not request.content.total_bytes
    if waits and not request.content.is_eof() and request.transport is not None:
        request.transport.write(CONTINUE)


async def _linger(request: web.BaseRequest) -> None:
    content, transport, left = request.content, request.transport, LINGER_BYTES_MAX
    if transport is not None and not transport.is_closing() and transport.can_write_eof():
        transport.write_eof()  # the client sees at once that no more comes
    with contextlib.suppress(TimeoutError, OSError, RuntimeError, web.RequestPayloadError):
        async with asyncio.timeout(LINGER_S):
            while left > 0 and not content.at_eof():
                left -= len(await content.readany())
