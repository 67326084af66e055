"""Why an address to listen on can't be had: what to do, and whether it may be had later."""

import errno
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bridge.errors import ConfigError, ListenError
from bridge.settings.units import Address

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
