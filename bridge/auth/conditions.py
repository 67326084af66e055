"""Conditions on a request: each says the generation of the secret that matched, or why it doesn't hold.

Every condition is evaluated on every request, whatever the others said: the time of a refusal must not tell which of
several secrets was right.

A secret has generations: several values are accepted at once, some until a moment. Treble's panel and the bridge's
configuration can't change at the same instant, so a rotation needs two valid values for a while.
"""

import datetime as dt
from base64 import b64decode
from binascii import Error as BinasciiError
from collections.abc import Callable, Sequence
from functools import lru_cache
from hmac import compare_digest, digest
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Protocol
from urllib.parse import unquote_to_bytes

from bridge.auth.verdicts import ADDRESS, AMBIGUOUS, EXPIRED, MISSING, SIGNATURE, STALE, WRONG, Facts
from bridge.settings.sources import BasicUser, Hmac, QueryCredential, SecretValue, SecretValues, each_value

IpAddress = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

_ADDRESS_CHARS_MAX = 64  # what is longer is no address: it is neither parsed nor remembered
_DIGITS_MAX = 12  # UNIX seconds beyond the year 30000 are no time
_FOREVER_MS = 1 << 62
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Secret:
    """The accepted values of one secret, newest first as configured."""

    def __init__(self, values: SecretValues) -> None:
        # Each value, as it may be sent, with the first millisecond in which it is no longer valid.
        known = [(_encodings(one.value.get_secret_value()), _end_ms(one)) for one in each_value(values)]
        self._values = tuple((number, each, end_ms) for number, (sent, end_ms) in enumerate(known) for each in sent)

    def match(self, given: bytes, now_ms: int, made_of: Callable[[bytes], bytes] = bytes) -> int:
        """The generation that `given` equals, or WRONG, or EXPIRED. Compares with what is made of each value."""
        found = WRONG
        for generation, value, end_ms in self._values:
            if compare_digest(made_of(value), given) and found < 0:
                found = generation if now_ms < end_ms else EXPIRED
        return found


def _encodings(text: str) -> tuple[bytes, ...]:
    """What clients send for it: UTF-8; or Latin-1, which is what some take for the encoding of headers."""
    try:
        return tuple(dict.fromkeys((text.encode(), text.encode("latin-1"))))
    except UnicodeEncodeError:
        return (text.encode(),)


def as_bytes(text: str) -> bytes:
    """The bytes that were sent: what was not UTF-8 stands in `text` as lone surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _end_ms(value: SecretValue) -> int:
    # A day counts to its end, and a moment is still in.
    expires = value.expires()
    if expires is None:
        return _FOREVER_MS
    return (expires - _EPOCH) // dt.timedelta(milliseconds=1) + isinstance(value.not_after, dt.datetime)


class Condition(Protocol):
    """One thing that must hold. `kind` is its key in the configuration."""

    @property
    def kind(self) -> str: ...

    def check(self, facts: Facts, now_ms: int) -> int:
        """The generation of the secret that matched (from 0), or a negative code of `verdicts`."""
        ...


class Header:
    """A header with the secret, after a scheme for `bearer`."""

    def __init__(self, kind: str, name: str, values: SecretValues, scheme: str = "") -> None:
        self.kind = kind
        self._name = name
        self._scheme = scheme
        self._secret = Secret(values)

    def check(self, facts: Facts, now_ms: int) -> int:
        given = _header(facts, self._name, self._scheme)
        return given if isinstance(given, int) else self._secret.match(given, now_ms)


class Basic:
    """HTTP basic authentication (RFC 7617, UTF-8). The generation is the password's."""

    kind = "basic"

    def __init__(self, settings: BasicUser) -> None:
        self._usernames = _encodings(settings.username)
        self._password = Secret(settings.password)

    def check(self, facts: Facts, now_ms: int) -> int:
        given = _header(facts, "Authorization", "basic ")
        if isinstance(given, int):
            return given
        try:
            username, colon, password = b64decode(given, validate=True).partition(b":")
        except (BinasciiError, ValueError):
            return WRONG
        found = self._password.match(password, now_ms)
        return found if max(compare_digest(username, each) for each in self._usernames) and colon else WRONG


class Query:
    kind = "query"

    def __init__(self, settings: QueryCredential) -> None:
        self._name = settings.name.encode()
        self._secret = Secret(settings.value)

    def check(self, facts: Facts, now_ms: int) -> int:
        found = [value for name, value in _parameters(facts.query) if name == self._name] if facts.query else []
        if len(found) != 1:
            return AMBIGUOUS if found else MISSING
        # A plus is a space in forms, but secrets are pasted into URLs as they are: either reading may match.
        readings = {unquote_to_bytes(found[0]), unquote_to_bytes(found[0].replace(b"+", b" "))}
        results = [self._secret.match(reading, now_ms) for reading in readings]
        return max(results) if max(results) >= 0 else min(results)


class PathSecret:
    kind = "path_secret"

    def __init__(self, values: SecretValues) -> None:
        self._secret = Secret(values)

    def check(self, facts: Facts, now_ms: int) -> int:
        return MISSING if facts.path_secret is None else self._secret.match(as_bytes(facts.path_secret), now_ms)

    def is_secret(self, segment: str) -> bool:
        """Whether the segment is one of the values, expired ones too: then it must be shown nowhere."""
        return self._secret.match(as_bytes(segment), 0) >= 0


class ClientIp:
    kind = "client_ip"

    def __init__(self, networks: Networks, trusted: Networks) -> None:
        self._networks = tuple(networks)
        self._trusted = tuple(trusted)

    def check(self, facts: Facts, now_ms: int) -> int:
        address = caller(facts.remote, facts.headers.getall("X-Forwarded-For", ()), self._trusted)
        return 0 if address is not None and contains(self._networks, address) else ADDRESS


class Signature:
    """A header with the HMAC (RFC 2104) of the body as sent, or of `<timestamp>.<body>` when a header names a time.

    Two phases: `check` looks at what stands in the headers, `check_body` at the signature.
    """

    kind = "hmac"

    def __init__(self, settings: Hmac) -> None:
        self._settings = settings
        self._secret = Secret(settings.secret)
        self._tolerance_ms = round(settings.tolerance * 1000)

    def check(self, facts: Facts, now_ms: int) -> int:
        """0 when the body decides, else MISSING, AMBIGUOUS, STALE or SIGNATURE (unreadable)."""
        value = _only_value(facts, self._settings.header)
        if isinstance(value, int):
            return value
        if self._decoded(value) is None:
            return SIGNATURE
        return 0 if self._settings.timestamp_header is None else self._check_time(facts, now_ms)

    def check_body(self, facts: Facts, body: bytes, now_ms: int) -> int:
        """The generation whose secret signed the body, or SIGNATURE, or EXPIRED."""
        given = self._decoded(facts.headers.getall(self._settings.header, ())[0]) or b""
        if self._settings.timestamp_header is not None:
            body = as_bytes(facts.headers.getall(self._settings.timestamp_header, ())[0].strip()) + b"." + body
        found = self._secret.match(given, now_ms, lambda secret: digest(secret, body, self._settings.algorithm))
        return SIGNATURE if found == WRONG else found

    def _check_time(self, facts: Facts, now_ms: int) -> int:
        value = _only_value(facts, self._settings.timestamp_header or "")
        if isinstance(value, int):
            return value
        text = value.strip()
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
            return STALE
        return 0 if abs(int(text) * 1000 - now_ms) <= self._tolerance_ms else STALE

    def _decoded(self, text: str) -> bytes | None:
        # As bytes, so that the case of hex digits plays no role.
        text = text.strip()
        if not text.startswith(self._settings.prefix) or not text.isascii():
            return None
        text = text[len(self._settings.prefix) :]
        try:
            return bytes.fromhex(text) if self._settings.encoding == "hex" else b64decode(text, validate=True)
        except (BinasciiError, ValueError):
            return None


def _only_value(facts: Facts, header: str) -> str | int:
    values = facts.headers.getall(header, ())
    if len(values) != 1:
        return AMBIGUOUS if values else MISSING
    return values[0]


def _header(facts: Facts, name: str, scheme: str) -> bytes | int:
    # A scheme may be written in any case (RFC 9110, 11.1).
    value = _only_value(facts, name)
    if isinstance(value, int):
        return value
    if not scheme:
        return as_bytes(value)
    return as_bytes(value[len(scheme) :].strip(" ")) if value[: len(scheme)].lower() == scheme else MISSING


def _parameters(query: str) -> list[tuple[bytes, bytes]]:
    """Decoded names with raw values."""
    pairs = (part.partition(b"=") for part in as_bytes(query).split(b"&"))
    return [(unquote_to_bytes(name.replace(b"+", b" ")), value) for name, _, value in pairs]


def parse_ip(text: str) -> IpAddress | None:
    """An address, also with a port or in brackets, as proxies write them; None for anything else.

    IPv4 inside IPv6 (`::ffff:192.0.2.1`, how a socket for both shows an IPv4 peer) becomes the IPv4 address, so that
    a configured IPv4 network matches it. Zones (`%eth0`) are dropped.
    """
    text = text.strip()
    return _parsed(text) if len(text) <= _ADDRESS_CHARS_MAX else None


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
    anyone may have written what stands to the left of that one.
    """
    address = parse_ip(remote)
    if address is None or not forwarded_for or not contains(trusted, address):
        return address
    for text in reversed(",".join(forwarded_for).split(",")):
        if not text.strip():  # an empty element of a list says nothing (RFC 9110, 5.6.1)
            continue
        address = parse_ip(text)
        if address is None or not contains(trusted, address):
            return address
    return address
