"""Condition on the body: a signature (HMAC, RFC 2104) by a gateway in front, over the bytes as they were sent."""

import hmac
from base64 import b64decode
from binascii import Error as BinasciiError
from typing import ClassVar

from bridge.credentials.facts import AMBIGUOUS, EXPIRED, MISSING, SIGNATURE, STALE, Facts
from bridge.credentials.secrets import Secret, as_bytes
from bridge.settings.models import Hmac

_DIGITS_MAX = 12  # UNIX seconds beyond the year 30000 are no time


class Signature:
    """A header with the HMAC of the body, or of `<timestamp>.<body>` when a header names a time.

    Two phases: `check` looks at what stands in the headers, `check_body` at the signature.
    """

    kind: ClassVar[str] = "hmac"
    __slots__ = ("_algorithm", "_encoding", "_header", "_prefix", "_secret", "_timestamp_header", "_tolerance_ms")

    def __init__(self, settings: Hmac) -> None:
        self._header = settings.header
        self._secret = Secret(settings.secret)
        self._algorithm = settings.algorithm
        self._encoding = settings.encoding
        self._prefix = settings.prefix
        self._timestamp_header = settings.timestamp_header
        self._tolerance_ms = round(settings.tolerance * 1000)

    def check(self, facts: Facts, now_ms: int) -> int:
        """0 when the body decides, else MISSING, AMBIGUOUS, STALE or SIGNATURE (unreadable)."""
        values = facts.headers.getall(self._header, ())
        if len(values) != 1:
            return AMBIGUOUS if values else MISSING
        if self._decoded(values[0]) is None:
            return SIGNATURE
        return 0 if self._timestamp_header is None else self._check_time(facts, now_ms)

    def check_body(self, facts: Facts, body: bytes, now_ms: int) -> int:
        """The generation whose secret signed the body, or SIGNATURE, or EXPIRED."""
        given = self._decoded(facts.headers.getall(self._header, ())[0]) or b""
        if self._timestamp_header is not None:
            body = as_bytes(facts.headers.getall(self._timestamp_header, ())[0].strip()) + b"." + body
        found = SIGNATURE
        for generation, (secret, end_ms) in enumerate(self._secret.values):
            if hmac.compare_digest(hmac.digest(secret, body, self._algorithm), given) and found < 0:
                found = generation if now_ms < end_ms else EXPIRED
        return found

    def _check_time(self, facts: Facts, now_ms: int) -> int:
        values = facts.headers.getall(self._timestamp_header or "", ())
        if len(values) != 1:
            return AMBIGUOUS if values else MISSING
        text = values[0].strip()
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
            return STALE
        return 0 if abs(int(text) * 1000 - now_ms) <= self._tolerance_ms else STALE

    def _decoded(self, text: str) -> bytes | None:
        """The signature's bytes, so that the case of hex digits plays no role."""
        text = text.strip()
        if not text.startswith(self._prefix) or not text.isascii():
            return None
        text = text[len(self._prefix) :]
        try:
            return bytes.fromhex(text) if self._encoding == "hex" else b64decode(text, validate=True)
        except (BinasciiError, ValueError):
            return None
