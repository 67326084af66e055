"""A client that says exactly the bytes it is told to, and takes apart what it is answered, strictly."""

import contextlib
import re
import select
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import orjson

from bridge.ingress import responses
from bridge.ingress.responses import Response
from tests.flow.running import PATH, TOKEN, webhook

LIMIT_S = 10.0
BODY = orjson.dumps(webhook("fuzz"))

_NAMED = [each for each in vars(responses).values() if isinstance(each, Response)]
_MADE = [
    responses.accepted(),
    responses.unauthorized("Bearer"),
    responses.rate_limited(1),
    responses.unavailable("any"),
]
_BODIES = {(answer.status, answer.body) for answer in [*_NAMED, *_MADE]}
_HEADERS = {
    "allow", "connection", "content-length", "content-type", "date", "retry-after", "server", "www-authenticate"
}  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """One answer: `word` is the last part of the problem's type, "" for a 200."""

    status: int
    word: str

    @property
    def kept(self) -> bool:
        """Whether the answer says that the body was kept."""
        return self.status == 200 or self.word == "not-json"


class Client:
    """One connection to the bridge on this machine."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def say(self, *pieces: bytes) -> bool:
        """Send them one by one; False when the bridge has ended the connection meanwhile."""
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except ConnectionError:
            return False
        return True

    def await_speech(self, limit_s: float) -> None:
        """Wait until the bridge says something or ends the connection, at most `limit_s` seconds."""
        select.select([self.socket], [], [], limit_s)

    def end_of_speech(self) -> None:
        """Send no more, but listen."""
        with contextlib.suppress(OSError):  # the bridge may have been quicker
            self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection, as a client that was killed does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def replies(self, count: int | None = None) -> list[Reply]:
        """The next `count` answers; without it, those until the bridge ends the connection."""
        got = self.hear(count)
        return taken_apart(got, whole=count is None)

    def hear(self, count: int | None = None) -> bytes:
        """The bytes of the next `count` answers; without it, all until the bridge ends the connection."""
        got = bytearray()
        while count is None or got.count(b"HTTP/1.") < count or len(taken_apart(bytes(got))) < count:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError:
                break
            if not data:
                break
            got += data
        return bytes(got)


def ask(port: int, *pieces: bytes) -> list[Reply]:
    """Send the pieces, end the speech, and hear all that is answered."""
    with Client(port) as client:
        client.say(*pieces)
        client.end_of_speech()
        return client.replies()


def request(
    body: bytes = BODY,
    *headers: str,
    path: str = f"{PATH}",
    method: str = "POST",
    version: str = "HTTP/1.1",
    token: str | None = TOKEN,
    length: bool = True,
) -> bytes:
    """The bytes of a request. `headers` are whole lines."""
    lines = [f"{method} {path} {version}", "Host: bridge.test"]
    lines += [f"Authorization: Bearer {token}"] if token is not None else []
    lines += [f"Content-Length: {len(body)}"] if length else []
    return "\r\n".join([*lines, *headers, "\r\n"]).encode("utf-8", "surrogateescape") + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", headers: Iterable[str] = ()) -> bytes:
    """A request whose body comes in these chunks, given with their framing."""
    return request(b"".join(chunks) + end, "Transfer-Encoding: chunked", *headers, length=False)


def chunk(data: bytes) -> bytes:
    """A chunk as it should be."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def taken_apart(got: bytes, *, whole: bool = False) -> list[Reply]:
    """The answers in these bytes. Fails for one that is not the contract's, and with `whole` for a rest."""
    found, at = [], 0
    while (head_end := got.find(b"\r\n\r\n", at)) >= 0:
        first, *lines = got[at:head_end].decode("ascii").split("\r\n")
        status_line = re.fullmatch(r"HTTP/1\.[01] (\d{3}) [A-Za-z ]+", first)
        assert status_line, first
        headers = dict(line.lower().split(": ", 1) for line in lines)
        assert len(headers) == len(lines), "a header twice"
        assert headers.keys() <= _HEADERS, headers
        status = int(status_line[1])
        if status == 100:
            assert not headers
            at = head_end + 4
            continue
        end = head_end + 4 + int(headers["content-length"])
        if end > len(got):
            break
        found.append(_reply(status, headers, got[head_end + 4 : end]))
        at = end
    assert not whole or at == len(got), got[at:][:200]
    return found


def _reply(status: int, headers: dict[str, str], body: bytes) -> Reply:
    # That the body is one of those which are known beforehand, byte by byte, is why it holds no exception's text.
    assert (status, body) in _BODIES, (status, body[:200])
    if status == 200:
        assert headers["content-type"] == "application/json"
        return Reply(status, "")
    assert headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in headers) == (status == 401)
    assert ("allow" in headers) == (status == 405)
    assert ("retry-after" in headers) == (status in {429, 503})
    return Reply(status, orjson.loads(body)["type"].rpartition(":")[2])
