"""The long way of a request: its body is still coming, or it is not the plain case. As aiohttp handles it, a task each.

The decisions are those of `intake`; here is what waiting for a body needs: 100 Continue, its time limit, its share of
memory, and what happens to a body that nobody wants.
"""

import asyncio
import contextlib

from aiohttp import StreamReader, web
from aiohttp.http import HttpVersion11

from bridge.ingress import responses
from bridge.ingress.checks import Exchange, Intake
from bridge.ingress.connection import Connection
from bridge.ingress.content_coding import TooLargeError
from bridge.ingress.fast_path import is_last_of, speak_http_1
from bridge.ingress.limits import ByteBudget
from bridge.ingress.responses import Answer


class BrokenBodyError(Exception):
    """The body ends early, or its framing is not valid HTTP."""


class MemoryFullError(Exception):
    """There is no room for the rest of the body now."""


async def read(content: StreamReader, bytes_max: int, budget: ByteBudget) -> bytes:
    """The whole body, whose bytes count in `budget` while it arrives.

    Raises TooLargeError as soon as it is above `bytes_max`, MemoryFullError, BrokenBodyError, ConnectionError.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := await content.readany():
            if size + len(chunk) > bytes_max:
                raise TooLargeError
            if not budget.take(len(chunk)):
                raise MemoryFullError
            size += len(chunk)
            chunks.append(chunk)
    except web.RequestPayloadError as error:
        raise BrokenBodyError from error
    except RuntimeError as error:  # how a reader says that the connection is gone
        raise ConnectionResetError from error
    finally:
        budget.give_back(size)
    return b"".join(chunks)


LINGER_S = 1.0
LINGER_BYTES_MAX = 1 << 20
"""How much of an unwanted body is read and dropped after the answer. Closing while the client still sends resets the
connection, and the client may never see the answer; reading on for ever would be a gift to those who waste our time."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Streamed:
    """Handles requests the long way. Callable: what web.Server wants as its handler.

    While they arrive, bodies count in `budget`; those whose credentials are not decided yet, in `unproven`.
    """

    def __init__(self, intake: Intake, budget: ByteBudget, unproven: ByteBudget) -> None:
        self._intake = intake
        self._budget = budget
        self._unproven = unproven

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, to its end."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        connection.busy = True
        try:
            return await self._handle(request, connection)
        finally:
            connection.rested()

    async def _handle(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        path = request.raw_path
        exchange = Exchange(
            self._intake.rules,
            method=request.method,
            path=path if path.startswith("/") else request.path_qs,  # the absolute form, by which proxies ask
            headers=request.headers,
            remote=connection.remote,
            now_ms=self._intake.clock_ms(),
            close=is_last_of(request) or request.version[0] != 1,
        )
        if request.version[0] == 1:
            answer = self._intake.admit(exchange)
        else:  # the parser takes HTTP/0.9 and 2.0 in a request line too; neither looks like what follows it
            answer = responses.MALFORMED
            speak_http_1(request)
        if answer is None:
            answer = await self._after_body(request, exchange, connection)
        self._intake.count(exchange, answer)
        unread = not request.content.is_eof()
        response = answer.response(close=exchange.close or unread or connection.last_answers)
        if unread:
            await response.prepare(request)
            await response.write_eof()
            await _linger(request)
        return response

    async def _after_body(self, request: web.BaseRequest, exchange: Exchange, connection: Connection) -> Answer:
        server = exchange.rules.server
        budget = self._budget if exchange.undecided is None else self._unproven
        try:
            _let_continue(request)
            connection.reading = request.content
            if connection.spoken:
                connection.end_open_body()
            async with asyncio.timeout(server.body_timeout):
                body = await read(request.content, server.max_body, budget)
        except TimeoutError:
            return responses.TIMED_OUT
        except ConnectionError:
            return responses.CLIENT_GONE
        except TooLargeError:
            return responses.TOO_LARGE
        except MemoryFullError:
            return responses.MEMORY_FULL
        except BrokenBodyError:
            exchange.close = True
            return responses.MALFORMED
        finally:
            connection.reading = None
        exchange.now_ms = self._intake.clock_ms()
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer) -> None:
            if not answered.done():  # cancelled: the server closes
                answered.set_result(answer)

        self._intake.settle(exchange, body, done)
        return await answered


def _let_continue(request: web.BaseRequest) -> None:
    """Ask for the body, if the client waits to be asked: its credentials hold, and its size was said to fit."""
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
