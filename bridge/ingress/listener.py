"""The listening sockets, and the servers that accept from them.

The sockets are ours. Without TLS a server of the event loop gets copies of them; with TLS `handshakes` accepts from
them: a new certificate is just what the next handshake uses, and connections that exist go on.

TLS: connections are accepted one by one, and count from then on, not only once their handshake is over.

A server of the event loop knows nothing of a connection until its handshake is done: whoever opens connections and says
nothing would have as many of this process's descriptors as he likes. So here is a loop of our own that accepts.

Why an address to listen on can't be had: what to do, and whether it may be had later.

File descriptors: each connection is one, and the journal and Kafka need theirs.

Without this, as many connections as the system's usual 1024 descriptors would leave none to open a database with.
"""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import ssl
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from bridge.errors import ConfigError, ListenError
from bridge.settings.units import Address

_AFTER_AN_ERROR_S = 0.1  # no descriptors, for instance: the next try finds some, perhaps


class Handshakes:
    """Accepts connections and makes their handshakes.

    `factory` makes the protocol of a connection whose handshake went well. `may_begin` is asked at each connection,
    with the number of handshakes that are under way; where it says no, the connection is closed without a word.
    """

    def __init__(self, factory: Callable[[], asyncio.BaseProtocol], may_begin: Callable[[int], bool]) -> None:
        self._factory, self._may_begin = factory, may_begin
        self._context: ssl.SSLContext | None = None
        self._limit_s = 0.0
        self._accepting: list[asyncio.Task[None]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def accepts(self) -> bool:
        """Whether connections are accepted now."""
        return bool(self._accepting)

    def use(self, context: ssl.SSLContext, limit_s: float) -> None:
        """Begin handshakes with this context from now on; each may take `limit_s` seconds."""
        self._context, self._limit_s = context, limit_s

    def accept_from(self, listening: socket.socket) -> None:
        """Accept from a listening socket, which must not block and stay open until `stop`."""
        self._accepting.append(asyncio.create_task(self._accept(listening), name="ingress accept"))

    def stop(self) -> None:
        """Accept no more. Handshakes that are under way go on."""
        for task in self._accepting:
            task.cancel()
        self._accepting = []

    def cut_off(self) -> None:
        """End the handshakes that are under way."""
        for task in self._under_way:
            task.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                link, _ = await loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(_AFTER_AN_ERROR_S)
                continue
            if self._may_begin(len(self._under_way)):
                task = asyncio.create_task(self._shake(link), name="ingress handshake")
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            else:
                link.close()
            await asyncio.sleep(0)  # accepting may succeed at once, again and again: others have their turn

    async def _shake(self, link: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # refused, broken off, or out of time: nobody is there to be told
            await loop.connect_accepted_socket(
                self._factory,
                link,
                ssl=self._context,
                ssl_handshake_timeout=self._limit_s,
                ssl_shutdown_timeout=self._limit_s,
            )


_ADVICE: Final[Mapping[int, tuple[str, type[ConfigError]]]] = MappingProxyType(
    {
        errno.EADDRINUSE: ("end the program that listens there, or choose another port", ListenError),
        errno.EADDRNOTAVAIL: ("no interface of this machine has that address, or not yet", ListenError),
        errno.EACCES: ("this user may not: choose a port from 1024 on, or give it CAP_NET_BIND_SERVICE", ConfigError),
    }
)


def cannot_listen(key: str, address: Address, error: OSError) -> ConfigError:
    """The error for an address that can't be listened on. `key` is that of the configuration."""
    number = error.errno or 0
    advice, kind = _ADVICE.get(number, ("is the address right?", ConfigError))
    reason = os.strerror(number) if number > 0 else error.strerror  # below 0: a name that could not be resolved
    return kind(f"{key}: can't listen on {address}: {reason}: {advice}")


BACKLOG = 1024


class Listener:
    """Listens on one address, which may be several sockets (IPv4 and IPv6).

    `factory` makes the protocol of a connection; `may_begin` says whether one more TLS handshake may begin beside the
    number of them that it is told.
    """

    def __init__(self, factory: Callable[[], asyncio.BaseProtocol], may_begin: Callable[[int], bool]) -> None:
        self._factory = factory
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._handshakes = Handshakes(factory, may_begin)

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with the real ports."""
        return [Address(*each.getsockname()[:2]) for each in self._sockets]

    async def bind(self, address: Address) -> None:
        """Take the address. Raises ConfigError when that can't be; ListenError when it may be later."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            for family, kind, protocol, _, where in dict.fromkeys(found):
                self._sockets.append(_bound(family, kind, protocol, where))
        except OSError as error:
            self.close()
            raise cannot_listen("server.listen", address, error) from error

    async def serve(self) -> None:
        """Accept connections, without TLS."""
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            self._servers.append(await loop.create_server(self._factory, sock=each.dup(), backlog=BACKLOG))

    def serve_tls(self, context: ssl.SSLContext, handshake_s: float) -> None:
        """Accept connections, and make handshakes of `handshake_s` seconds at the most with them. Called again, the
        next handshakes are made with another context."""
        first = not self._handshakes.accepts
        self._handshakes.use(context, handshake_s)
        for each in self._sockets if first else ():
            self._handshakes.accept_from(each)

    def close(self) -> None:
        """Accept no more. Connections that exist go on."""
        self._handshakes.stop()
        for server in self._servers:
            server.close()
        for each in self._sockets:
            each.close()
        self._servers, self._sockets = [], []

    def cut_off(self) -> None:
        """End the handshakes that are under way."""
        self._handshakes.cut_off()


def _bound(family: int, kind: int, protocol: int, where: tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(where)
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


KEPT_FREE = 128  # for everything but connections


def connections_that_fit(wanted: int) -> int:
    """Raise this process's own limit as far as `wanted` connections need and the system lets it. How many fit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + KEPT_FREE
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        if raised > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(soft - KEPT_FREE, soft // 2))
