"""The listening sockets, and the servers that accept from them.

The sockets are ours. Without TLS a server of the event loop gets copies of them; with TLS `handshakes` accepts from
them: a new certificate is just what the next handshake uses, and connections that exist go on.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from bridge.ingress.handshakes import Handshakes
from bridge.settings.listen import cannot_listen
from bridge.settings.units import Address

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
