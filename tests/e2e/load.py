"""Webhooks over real HTTP, and exact knowledge of what became of each.

Three things can happen to a request, and the tests' claims rest on telling them apart:

- answered: with 200 it must be on its topic, once
- refused: nobody listened. No bridge has seen it, so the same body may be sent again without being a copy
- unanswered: the connection broke after it was sent. It may be on its topic or not, at most once, and is not sent again
"""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from bridge.catalogue.samples import hint_for, sample
from tests.flow.running import TOKEN

ANSWER_WAIT_S = 30.0
REFUSED_PAUSE_S = 0.02
UNANSWERED = 0
READS, OTHERS = "message.read", "message.delivered"
_BEGIN = dt.datetime(2026, 6, 22, tzinfo=dt.UTC)


class Name(NamedTuple):
    """What identifies a test's webhook, in its body and in the event that it becomes."""

    event_type: str
    session: str
    number: int


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook. Those of a session and type differ by `number`, in the order in which they are sent."""

    name: Name
    path: str
    body: bytes


def webhook(session: str, number: int, event_type: str = "message.read") -> Webhook:
    """A flow webhook that no other test body is a copy of. The number is in a session key, and in the event's time."""
    body = sample(
        event_type,
        session_id=session,
        at=_BEGIN + dt.timedelta(seconds=number),
        user_session_keys=[{"key": "number", "value": str(number)}],
    )
    path = f"/webhooks/treble/{hint_for(event_type)}"
    return Webhook(Name(event_type, session, number), path, orjson.dumps(body))


def conversations(count: int, sessions: int) -> list[Webhook]:
    """Webhooks of so many sessions in turn."""
    return [webhook(f"s-{n % sessions}", n // sessions, READS if n // sessions % 2 else OTHERS) for n in range(count)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request. `seconds`: from when it was due to its answer; `status` UNANSWERED without one."""

    webhook: Webhook
    status: int
    seconds: float


class RefusedError(Exception):
    """Nobody listens."""


class Connection:
    """One keep-alive connection, opened anew when it broke."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes, token: str = TOKEN) -> int:
        """Send one request; its status, or UNANSWERED. Raises RefusedError when it could not even be sent."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        reader, writer = await self._open()
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                writer.write(head.encode() + body)
                return await _status(reader)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            await self.close()
            return UNANSWERED

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[0].at_eof():
            await self.close()
        if self._streams is None:
            try:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as error:
                raise RefusedError from error
        return self._streams

    async def close(self) -> None:
        """End it."""
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return status


class Load:
    """A client of one bridge. `answers` grows while it sends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answers: list[Answer] = []
        self._enough = False

    def names(self, status: int = 200) -> set[Name]:
        """The webhooks that were answered with this."""
        return {answer.webhook.name for answer in self.answers if answer.status == status}

    def statuses(self) -> set[int]:
        """Every answer that was seen."""
        return {answer.status for answer in self.answers}

    def slowest_s(self) -> float:
        """The longest time from due to answered."""
        return max(answer.seconds for answer in self.answers)

    def enough(self) -> None:
        """Let `in_order` end after what is under way."""
        self._enough = True

    async def acknowledged(self, count: int, within_s: float = 60.0) -> None:
        """Wait until so many were answered with 200."""
        async with asyncio.timeout(within_s):
            while sum(answer.status == 200 for answer in self.answers) < count:  # noqa: ASYNC110 - it is a number to watch
                await asyncio.sleep(0.01)

    async def in_order(self, *streams: Iterable[Webhook]) -> None:
        """Send each stream over a connection of its own, the next only after the answer of the one before.

        What is refused is sent again until somebody listens.
        """
        await asyncio.gather(*map(self._send_stream, streams))

    async def _send_stream(self, stream: Iterable[Webhook]) -> None:
        connection, loop = Connection(self._port), asyncio.get_running_loop()
        for one in stream:
            began_s = loop.time()
            while not self._enough:
                try:
                    status = await connection.post(one.path, one.body)
                except RefusedError:
                    await asyncio.sleep(REFUSED_PAUSE_S)
                    continue
                self.answers.append(Answer(one, status, loop.time() - began_s))
                break
            if self._enough:
                break
        await connection.close()

    async def at_once(self, *webhooks: Webhook) -> list[int]:
        """Send all at the same moment, each over its own connection, open before; the statuses."""
        connections = [Connection(self._port) for _ in webhooks]
        await asyncio.gather(*(connection._open() for connection in connections))
        statuses = await asyncio.gather(
            *(connection.post(one.path, one.body) for connection, one in zip(connections, webhooks, strict=True))
        )
        self.answers += [Answer(one, status, 0.0) for one, status in zip(webhooks, statuses, strict=True)]
        await asyncio.gather(*(connection.close() for connection in connections))
        return statuses

    async def at_rate(self, webhooks: Sequence[Webhook], per_second: float) -> None:
        """Send at a steady rate whatever the answers do; but those of a session wait for one another.

        `seconds` of an answer counts from when its request was due, so a client that waits hides nothing.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        idle: list[Connection] = []
        last: dict[str, asyncio.Task[None]] = {}
        for count, one in enumerate(webhooks):
            due_s = began_s + count / per_second
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            task = asyncio.create_task(self._send_due(one, due_s, idle, last.get(one.name.session)))
            last[one.name.session] = task
        await asyncio.gather(*last.values())
        await asyncio.gather(*(connection.close() for connection in idle))

    async def _send_due(
        self, one: Webhook, due_s: float, idle: list[Connection], before: "asyncio.Task[None] | None"
    ) -> None:
        if before is not None:
            await before
        connection = idle.pop() if idle else Connection(self._port)
        try:
            status = await connection.post(one.path, one.body)
        except RefusedError:
            status = UNANSWERED
        idle.append(connection)
        self.answers.append(Answer(one, status, asyncio.get_running_loop().time() - due_s))


async def post(port: int, path: str, body: bytes, token: str = TOKEN) -> int:
    """Send one request over a connection of its own; its status."""
    connection = Connection(port)
    try:
        return await connection.post(path, body, token)
    finally:
        await connection.close()
