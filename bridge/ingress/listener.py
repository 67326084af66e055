"""The listening port, why it can't listen, and how many connections this process can have open."""

import asyncio
import errno
import os
import resource
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final

from bridge.errors import ConfigError, ListenError
from bridge.settings.units import Address

BACKLOG = 1024
DESCRIPTORS_KEPT_FREE = 128  # for the journal, Kafka and the admin port

_ADVICE: Final[Mapping[int, tuple[str, type[ConfigError]]]] = {
    errno.EADDRINUSE: ("end the program that listens there, or choose another port", ListenError),
    errno.EADDRNOTAVAIL: ("no interface of this machine has that address, or not yet", ListenError),
    errno.EACCES: ("this user may not: choose a port from 1024 on, or give it CAP_NET_BIND_SERVICE", ConfigError),
}


async def listen(
    factory: Callable[[], asyncio.BaseProtocol], address: Address, context: ssl.SSLContext | None, handshake_s: float
) -> asyncio.Server:
    """Listen, with TLS where there is a context: a handshake may take `handshake_s`. `factory` makes protocols.

    Raises ConfigError when the address can't be used; ListenError when a later try may succeed.
    """
    tls: dict[str, Any] = {}
    if context is not None:
        tls = {"ssl": context, "ssl_handshake_timeout": handshake_s, "ssl_shutdown_timeout": handshake_s}
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(factory, address.host or None, address.port, backlog=BACKLOG, **tls)
    except OSError as error:
        raise cannot_listen("server.listen", address, error) from error


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
