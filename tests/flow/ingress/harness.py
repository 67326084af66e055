"""A real Ingress on loopback over a journal in memory, and a client that says exactly the bytes it is told to."""

import asyncio
import contextlib
import gc
import logging
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from multidict import CIMultiDict

from bridge.ingress import Ingress
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from tests.fakes.journal import FakeJournal

TOKEN = "a-token-of-thirty-two-characters"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
READ = orjson.dumps({"session_id": "s-1", "read_at": "2026-06-22 15:19:08"})
PATH = "/webhooks/treble"
LIMIT_S = 10.0  # of anything a test waits for


def settings(*, server: dict[str, Any] | None = None, **source: Any) -> Settings:
    """One source `treble` that wants TOKEN as bearer, unless told otherwise; any port."""
    sources = source.pop("sources", None) or {"treble": {"auth": [{"bearer": TOKEN}], **source}}
    return Settings.model_validate(
        {
            "server": {"listen": "127.0.0.1:0", **(server or {})},
            "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
            "sources": sources,
        }
    )


@dataclass(frozen=True)
class Reply:
    """One answer, taken apart."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def problem(self) -> str:
        """The last part of the problem's type; fails for what is no problem."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.json["status"] == self.status
        assert self.json["title"]
        prefix, _, slug = self.json["type"].rpartition(":")
        assert prefix == "urn:treble-bridge:problem"
        return str(slug)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, *, head_only: bool = False) -> Reply:
        """The next answer."""
        async with asyncio.timeout(LIMIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers: CIMultiDict[str] = CIMultiDict()
            for line in lines:
                headers.add(*line.split(": ", 1))
            length = 0 if head_only else int(headers.get("Content-Length", 0))
            return Reply(int(first.split()[1]), headers, await self.reader.readexactly(length))

    async def ended(self) -> bytes:
        """What still comes until the server closes the connection."""
        async with asyncio.timeout(LIMIT_S):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
            return b""

    def vanish(self) -> None:
        """Be gone, without a goodbye: what the server sends is refused."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


class Door:
    """The ingress under test."""

    def __init__(self, ingress: Ingress, journal: FakeJournal, telemetry: Telemetry) -> None:
        self.ingress = ingress
        self.journal = journal
        self.telemetry = telemetry
        self._clients: list[Client] = []

    @property
    def port(self) -> int:
        return self.ingress.addresses[0].port

    async def connect(self, context: ssl.SSLContext | None = None, name: str | None = None) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=name)
        self._clients.append(Client(reader, writer))
        return self._clients[-1]

    async def ask(self, request: bytes) -> Reply:
        """One request on a connection of its own."""
        client = await self.connect()
        await client.send(request)
        return await client.reply()

    async def post(
        self, path: str = f"{PATH}/read", body: bytes = READ, headers: dict[str, str] | None = None, **more: str
    ) -> Reply:
        """A POST with the right credentials, unless `headers` says otherwise."""
        return await self.ask(request(path, body, AUTHORIZED if headers is None else headers, **more))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():  # noqa: ASYNC110 - what is waited for is the server's state, which signals nobody
                await asyncio.sleep(0.005)

    @property
    def requests(self) -> dict[tuple[str | int, ...], int]:
        """Counted requests by source and outcome."""
        return self.telemetry.metrics.requests.counts

    @property
    def open(self) -> int:
        """Open connections, as the server sees them."""
        return len(self.ingress._connections.open)

    @property
    def in_flight(self) -> int:
        """Connections with a request on them."""
        return self.ingress._connections.in_flight

    async def close(self) -> None:
        for client in self._clients:
            client.close()
        for client in self._clients:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await client.writer.wait_closed()
        await self.ingress.close()


def request(path: str, body: bytes = b"", headers: dict[str, str] | None = None, method: str = "POST") -> bytes:
    """The bytes of a request with a Content-Length."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bridge.test", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "\r\n"]).encode("utf-8", "surrogateescape") + body


@contextlib.asynccontextmanager
async def door(
    configured: Settings | None = None,
    journal: FakeJournal | None = None,
    clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> AsyncIterator[Door]:
    """A started ingress, closed at the end. Fails when a library had to log an error or the loop had to report one."""
    journal = journal or FakeJournal()
    telemetry = Telemetry()
    ingress = Ingress(configured or settings(), journal, telemetry, clock_ms)
    await ingress.start()
    opened = Door(ingress, journal, telemetry)
    with no_complaints():
        try:
            yield opened
        finally:
            await opened.close()


@contextlib.contextmanager
def no_complaints() -> Iterator[None]:
    """No traceback: neither the loop's exception handler nor a standard logger has anything to say."""
    complaints: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.append(record.getMessage())

    listening = Listening(logging.WARNING)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(repr(context)))
    logging.getLogger().addHandler(listening)
    try:
        yield
        gc.collect(1)  # an exception that nobody retrieved is reported when its future goes
    finally:
        logging.getLogger().removeHandler(listening)
        loop.set_exception_handler(None)
    assert not complaints
