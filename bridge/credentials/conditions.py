"""Conditions on what a request shows before its body: each says the generation that matched, or why it doesn't hold.

Every condition is evaluated on every request, whatever the others said: the time of a refusal must not tell which of
several secrets was right.
"""

from base64 import b64decode
from binascii import Error as BinasciiError
from hmac import compare_digest
from typing import ClassVar, Protocol
from urllib.parse import unquote_to_bytes

from bridge.credentials.facts import AMBIGUOUS, MISSING, WRONG, Facts
from bridge.credentials.secrets import Secret, as_bytes
from bridge.settings.models import BasicUser, HeaderCredential, QueryCredential, SecretValues


class Condition(Protocol):
    """One thing that must hold."""

    kind: ClassVar[str]

    def check(self, facts: Facts, now_ms: int) -> int:
        """The generation of the secret that matched (from 0), or a negative reason of `facts`."""
        ...


class Header:
    """A header with a fixed value."""

    kind: ClassVar[str] = "header"
    __slots__ = ("_name", "_secret")

    def __init__(self, settings: HeaderCredential) -> None:
        self._name = settings.name
        self._secret = Secret(settings.value)

    def check(self, facts: Facts, now_ms: int) -> int:
        """Generation, MISSING, AMBIGUOUS, WRONG or EXPIRED."""
        values = facts.headers.getall(self._name, ())
        if len(values) != 1:
            return AMBIGUOUS if values else MISSING
        return self._secret.match(as_bytes(values[0]), now_ms)


class Bearer:
    """`Authorization: Bearer <secret>`; the scheme in any case (RFC 9110, 11.1)."""

    kind: ClassVar[str] = "bearer"
    __slots__ = ("_secret",)

    def __init__(self, values: SecretValues) -> None:
        self._secret = Secret(values)

    def check(self, facts: Facts, now_ms: int) -> int:
        """Generation, MISSING, AMBIGUOUS, WRONG or EXPIRED."""
        values = facts.headers.getall("Authorization", ())
        if len(values) != 1:
            return AMBIGUOUS if values else MISSING
        value = values[0]
        if value[:7].lower() != "bearer ":
            return MISSING
        return self._secret.match(as_bytes(value[7:].strip(" ")), now_ms)


class Basic:
    """HTTP basic authentication (RFC 7617, UTF-8)."""

    kind: ClassVar[str] = "basic"
    __slots__ = ("_password", "_username")

    def __init__(self, settings: BasicUser) -> None:
        self._username = settings.username.encode()
        self._password = Secret(settings.password)

    def check(self, facts: Facts, now_ms: int) -> int:
        """Generation of the password, MISSING, AMBIGUOUS, WRONG or EXPIRED."""
        values = facts.headers.getall("Authorization", ())
        if len(values) != 1:
            return AMBIGUOUS if values else MISSING
        value = values[0]
        if value[:6].lower() != "basic ":
            return MISSING
        try:
            username, colon, password = b64decode(as_bytes(value[6:].strip(" ")), validate=True).partition(b":")
        except (BinasciiError, ValueError):
            return WRONG
        found = self._password.match(password, now_ms)
        return found if compare_digest(username, self._username) and colon else WRONG


class Query:
    """A parameter of the query with a fixed value."""

    kind: ClassVar[str] = "query"
    __slots__ = ("_name", "_secret")

    def __init__(self, settings: QueryCredential) -> None:
        self._name = settings.name.encode()
        self._secret = Secret(settings.value)

    def check(self, facts: Facts, now_ms: int) -> int:
        """Generation, MISSING, AMBIGUOUS, WRONG or EXPIRED."""
        found = [value for name, value in _parameters(facts.query) if name == self._name] if facts.query else []
        if len(found) != 1:
            return AMBIGUOUS if found else MISSING
        # A plus is a space in forms, but secrets are pasted into URLs as they are: either reading may match.
        readings = {unquote_to_bytes(found[0]), unquote_to_bytes(found[0].replace(b"+", b" "))}
        results = [self._secret.match(reading, now_ms) for reading in readings]
        return max(results) if max(results) >= 0 else min(results)


class PathSecret:
    """A secret as the segment after the source's path."""

    kind: ClassVar[str] = "path_secret"
    __slots__ = ("_secret",)

    def __init__(self, values: SecretValues) -> None:
        self._secret = Secret(values)

    def check(self, facts: Facts, now_ms: int) -> int:
        """Generation, MISSING, WRONG or EXPIRED."""
        if facts.path_secret is None:
            return MISSING
        return self._secret.match(as_bytes(facts.path_secret), now_ms)

    def is_secret(self, segment: str) -> bool:
        """Whether the segment is one of the values, expired ones too: then it must be shown nowhere."""
        return self._secret.holds(as_bytes(segment))


def _parameters(query: str) -> list[tuple[bytes, bytes]]:
    """Decoded names with raw values."""
    pairs = (part.partition(b"=") for part in as_bytes(query).split(b"&"))
    return [(unquote_to_bytes(name.replace(b"+", b" ")), value) for name, _, value in pairs]
