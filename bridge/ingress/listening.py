"""The listening sockets, and the servers that accept from them.

The sockets are ours; a server gets copies of them. So a new certificate is a new server on the same sockets: nothing
that waits to be accepted is lost, connections that exist go on, and the next handshake uses the new certificate.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from bridge.errors import ConfigError
from bridge.settings.units import Address

BACKLOG = 1024


class Listener:
    """Listens on one address, which may be several sockets (IPv4 and IPv6)."""

    def __init__(self, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        self._factory = factory
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with the real ports."""
        return [Address(*each.getsockname()[:2]) for each in self._sockets]

    async def bind(self, address: Address) -> None:
        """Take the address. Raises ConfigError when that can't be."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            for family, kind, protocol, _, where in dict.fromkeys(found):
                self._sockets.append(_bound(family, kind, protocol, where))
        except OSError as error:
            self.close()
            raise ConfigError(f"server.listen: can't listen on {address}: {error.strerror}") from error

    async def serve(self, context: ssl.SSLContext | None, handshake_s: float) -> None:
        """Accept connections, with this TLS context from now on."""
        loop = asyncio.get_running_loop()
        limit_s = None if context is None else handshake_s
        former, self._servers = self._servers, []
        for each in self._sockets:
            server = await loop.create_server(
                self._factory,
                sock=each.dup(),
                backlog=BACKLOG,
                ssl=context,
                ssl_handshake_timeout=limit_s,
                ssl_shutdown_timeout=limit_s,
            )
            self._servers.append(server)
        for server in former:
            server.close()

    def close(self) -> None:
        """Accept no more. Connections that exist go on."""
        for server in self._servers:
            server.close()
        for each in self._sockets:
            each.close()
        self._servers, self._sockets = [], []


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
