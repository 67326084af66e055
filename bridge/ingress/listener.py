"""The listening port: its sockets, why an address can't be had, and how many connections this process can have open."""

import asyncio
import errno
import os
import resource
import ssl
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bridge.errors import ConfigError, ListenError
from bridge.settings.units import Address

BACKLOG = 1024
DESCRIPTORS_KEPT_FREE = 128  # for the journal, Kafka and the admin port

_ADVICE: Final[Mapping[int, tuple[str, type[ConfigError]]]] = MappingProxyType(
    {
        errno.EADDRINUSE: ("end the program that listens there, or choose another port", ListenError),
        errno.EADDRNOTAVAIL: ("no interface of this machine has that address, or not yet", ListenError),
        errno.EACCES: ("this user may not: choose a port from 1024 on, or give it CAP_NET_BIND_SERVICE", ConfigError),
    }
)


class Listener:
    """Listens on one address, which may be several sockets (IPv4 and IPv6). `factory` makes a connection's protocol."""

    def __init__(self, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        self._factory = factory
        self._server: asyncio.Server | None = None

    @property
    def addresses(self) -> list[Address]:
        """Where it listens, with the real ports; empty when it doesn't."""
        sockets = self._server.sockets if self._server is not None else ()
        return [Address(*each.getsockname()[:2]) for each in sockets]

    async def start(self, address: Address, context: ssl.SSLContext | None, handshake_s: float) -> None:
        """Listen, with TLS where there is a context. A handshake may take `handshake_s` seconds.

        Raises ConfigError when the address can't be had; ListenError when it may be later.
        """
        tls: dict[str, Any] = {}
        if context is not None:
            tls = {"ssl": context, "ssl_handshake_timeout": handshake_s, "ssl_shutdown_timeout": handshake_s}
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._factory, address.host or None, address.port, backlog=BACKLOG, **tls
            )
        except OSError as error:
            raise cannot_listen("server.listen", address, error) from error

    def close(self) -> None:
        """Accept no more. Connections that exist go on, and so do handshakes."""
        if self._server is not None:
            self._server.close()
            self._server = None


def cannot_listen(key: str, address: Address, error: OSError) -> ConfigError:
    """The error for an address that can't be listened on. `key` is that of the configuration."""
    number = error.errno or 0
    advice, kind = _ADVICE.get(number, ("is the address right?", ConfigError))
    reason = os.strerror(number) if number > 0 else error.strerror  # below 0: a name that could not be resolved
    return kind(f"{key}: can't listen on {address}: {reason}: {advice}")


def connections_that_fit(wanted: int) -> int:
    """Raise this process's limit of descriptors as far as `wanted` connections need and the system lets it.

    Returns how many fit. Without this, connections could take all of the usual 1024, and the journal's database could
    not be opened again.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_KEPT_FREE
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        if raised > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(soft - DESCRIPTORS_KEPT_FREE, soft // 2))
