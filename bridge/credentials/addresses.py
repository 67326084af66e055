"""The caller's address: the peer's, or what trusted proxies say about it. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import ClassVar

from bridge.credentials.facts import ADDRESS, Facts

_TEXT_MAX = 64  # no address is longer: what is, is neither parsed nor remembered

IpAddress = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


def parse_ip(text: str) -> IpAddress | None:
    """An address, also with a port or in brackets, as proxies write them; None for anything else.

    IPv4 inside IPv6 (`::ffff:192.0.2.1`, how a socket for both shows an IPv4 peer) becomes the IPv4 address, so that
    a configured IPv4 network matches it. Zones (`%eth0`) are dropped.
    """
    text = text.strip()
    return _parsed(text) if len(text) <= _TEXT_MAX else None


@lru_cache(maxsize=1024)
def _parsed(text: str) -> IpAddress | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def contains(networks: Networks, address: IpAddress) -> bool:
    """Whether one of the networks holds the address; a network of the other version never does."""
    return any(address.version == network.version and address in network for network in networks)


def caller(remote: str, forwarded_for: Sequence[str], trusted: Networks) -> IpAddress | None:
    """The caller's address, None when it can't be told.

    `forwarded_for` are the values of X-Forwarded-For, in order. Only a trusted peer is believed; then the addresses
    are read from the right, each added by the hop to its right, up to the first that is not a trusted proxy itself:
    what stands left of that one was written by strangers.
    """
    address = parse_ip(remote)
    if address is None or not forwarded_for or not contains(trusted, address):
        return address
    for text in reversed(",".join(forwarded_for).split(",")):
        address = parse_ip(text)
        if address is None or not contains(trusted, address):
            return address
    return address


class ClientIp:
    """Condition: the caller's address is in one of the networks."""

    kind: ClassVar[str] = "client_ip"
    __slots__ = ("_networks", "_trusted")

    def __init__(self, networks: Networks, trusted: Networks) -> None:
        self._networks = tuple(networks)
        self._trusted = tuple(trusted)

    def check(self, facts: Facts, now_ms: int) -> int:
        """0, or ADDRESS."""
        address = caller(facts.remote, facts.headers.getall("X-Forwarded-For", ()), self._trusted)
        return 0 if address is not None and contains(self._networks, address) else ADDRESS
