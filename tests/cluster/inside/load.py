"""Send webhooks at a steady rate until told to stop, and say what became of each.

Two kinds of callers: some keep their connection, some open one for each call. A call whose connection is refused is
tried once more; nothing else is tried again. Prints one line of JSON a second (`{"answered": N, "failed": N}`), and at
the end `{"calls": [[session, number, status, seconds, tries], …]}`. A status below 100: REFUSED, UNANSWERED.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

from bridge.catalogue.samples import hint_for, sample

EVENT_TYPE = "message.read"
REFUSED, UNANSWERED = 1, 0
ANSWER_WAIT_S = 15.0
CONNECT_WAIT_S = 5.0
RETRY_PAUSE_S = 0.2
_BEGIN = dt.datetime(2026, 6, 22, tzinfo=dt.UTC)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def body_of(session: str, number: int) -> bytes:
    """A webhook that is no copy of any other with another session or number."""
    keys = [{"key": "number", "value": str(number)}]
    moment = _BEGIN + dt.timedelta(seconds=number)
    return json.dumps(sample(EVENT_TYPE, session_id=session, at=moment, user_session_keys=keys)).encode()


class Caller:
    """One session, call after call. `keeps`: over one connection, as long as that lives."""

    def __init__(self, url: str, token_file: Path, session: str, *, keeps: bool) -> None:
        parts = urlsplit(url)
        self._host, self._path = parts.hostname or "", f"{parts.path or '/webhooks/treble'}/{hint_for(EVENT_TYPE)}"
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = _trusting_anybody() if parts.scheme == "https" else None
        self._token_file, self._session, self._keeps = token_file, session, keeps
        self._open: Streams | None = None
        self.calls: list[tuple[str, int, int, float, int]] = []

    async def run(self, interval_s: float, stop_file: Path) -> None:
        """Call at this interval, later where an answer takes longer."""
        loop = asyncio.get_running_loop()
        number, due_s = 0, loop.time()
        while not stop_file.exists():
            began_s = loop.time()
            status, tries = await self._call(body_of(self._session, number))
            self.calls.append((self._session, number, status, round(loop.time() - began_s, 4), tries))
            number += 1
            due_s = max(due_s + interval_s, loop.time() - interval_s)
            await asyncio.sleep(max(0.0, due_s - loop.time()))
        await self._close()

    async def _call(self, body: bytes) -> tuple[int, int]:
        for tries in (1, 2):
            try:
                reader, writer = await self._connected()
            except (OSError, TimeoutError):
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            try:
                async with asyncio.timeout(ANSWER_WAIT_S):
                    writer.write(self._head(len(body)) + body)
                    status, closes, server = await _answer(reader)
            except (OSError, EOFError, TimeoutError):
                await self._close()
                return UNANSWERED, tries
            if server != b"treble-bridge":
                # Where nothing stands behind a Service, something of the network may answer. The bridge saw nothing.
                await self._close()
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            if closes or not self._keeps:
                await self._close()
            return status, tries
        return REFUSED, 2

    def _head(self, length: int) -> bytes:
        # The file is read for each call, so that the token can be changed while calls are made.
        lines = [
            f"POST {self._path} HTTP/1.1",
            f"Host: {self._host}",
            f"Authorization: Bearer {self._token_file.read_text().strip()}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
        ]
        if not self._keeps:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def _connected(self) -> Streams:
        # After a reset the reader is not at its end; the transport is closing, though.
        if self._open is not None and (self._open[0].at_eof() or self._open[1].is_closing()):
            await self._close()
        if self._open is None:
            async with asyncio.timeout(CONNECT_WAIT_S):
                self._open = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return self._open

    async def _close(self) -> None:
        if self._open is not None:
            writer = self._open[1]
            self._open = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    """Status, whether the connection ends, and who answers."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).lower().rstrip().split(b"\r\n")
    headers = {name: value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return int(first.split(b" ", 2)[1]), headers.get(b"connection") == b"close", headers.get(b"server", b"")


async def _tell(callers: list[Caller]) -> None:
    while True:
        await asyncio.sleep(1)
        statuses = [call[2] for caller in callers for call in caller.calls]
        answered = statuses.count(200)
        print(json.dumps({"answered": answered, "failed": len(statuses) - answered}), flush=True)


async def main() -> None:
    """Call until the file `stop` is there, `seconds` at the most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="begins the names of the sessions")
    parser.add_argument("url")
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--stop", type=Path, required=True, help="end when this file is there")
    parser.add_argument("--seconds", type=float, default=240.0, help="end after so many in any case")
    parser.add_argument("--rate", type=float, default=80.0, help="calls a second, of all callers")
    parser.add_argument("--callers", type=int, default=8, help="half of them keep their connection")
    options = parser.parse_args()
    callers = [
        Caller(options.url, options.token_file, f"{options.name}-{i}", keeps=i % 2 == 0) for i in range(options.callers)
    ]
    telling = asyncio.create_task(_tell(callers))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(options.seconds):
            await asyncio.gather(*(one.run(options.callers / options.rate, options.stop) for one in callers))
    telling.cancel()
    print(json.dumps({"calls": [call for caller in callers for call in caller.calls]}), flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
