"""One secret with its generations: several values are accepted at once, some until a moment.

The webhook headers in Treble's panel and the bridge's configuration can't change at the same instant, so a rotation
needs two valid values for a while.
"""

import datetime as dt
from hmac import compare_digest

from bridge.auth.verdicts import EXPIRED, WRONG
from bridge.settings.sources import SecretValue, SecretValues, each_value

_FOREVER_MS = 1 << 62
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Secret:
    """The accepted values of one secret, newest first as configured."""

    __slots__ = ("values",)

    def __init__(self, values: SecretValues) -> None:
        self.values = tuple((one.value.get_secret_value().encode(), _end_ms(one)) for one in each_value(values))
        """Each value, with the first millisecond in which it is no longer valid."""

    def __repr__(self) -> str:
        return f"Secret({len(self.values)} values)"

    def match(self, given: bytes, now_ms: int) -> int:
        """The generation that `given` equals, or WRONG, or EXPIRED. Compares with every value, in constant time."""
        found = WRONG
        for generation, (value, end_ms) in enumerate(self.values):
            if compare_digest(value, given) and found < 0:
                found = generation if now_ms < end_ms else EXPIRED
        return found


def as_bytes(text: str) -> bytes:
    """The bytes that were sent: what was not UTF-8 stands in `text` as lone surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _end_ms(value: SecretValue) -> int:
    # A day counts to its end, and a moment is still in.
    expires = value.expires()
    if expires is None:
        return _FOREVER_MS
    return (expires - _EPOCH) // dt.timedelta(milliseconds=1) + isinstance(value.not_after, dt.datetime)
