"""One secret with its generations: several values are accepted at once, some until a moment.

The webhook headers in Treble's panel and the bridge's configuration can't change at the same instant, so a rotation
needs two valid values for a while.
"""

import datetime as dt
from hmac import compare_digest

from pydantic import SecretStr

from bridge.auth.verdicts import EXPIRED, WRONG
from bridge.settings.models import SecretValue, SecretValues

_FOREVER_MS = 1 << 62


class Secret:
    """The accepted values of one secret, newest first as configured."""

    __slots__ = ("values",)

    def __init__(self, values: SecretValues) -> None:
        several = values if isinstance(values, tuple) else (values,)
        self.values = tuple(_compiled(value) for value in several)
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


def end_ms(not_after: dt.datetime | dt.date | None) -> int:
    """The first millisecond (UTC) after `not_after`: a day counts to its end, a time without a zone is UTC."""
    if not_after is None:
        return _FOREVER_MS
    if not isinstance(not_after, dt.datetime):
        next_day = dt.datetime.combine(not_after, dt.time(), dt.UTC) + dt.timedelta(days=1)
        return _milliseconds(next_day)
    if not_after.tzinfo is None:
        not_after = not_after.replace(tzinfo=dt.UTC)
    return _milliseconds(not_after) + 1


def _milliseconds(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def _compiled(value: SecretStr | SecretValue) -> tuple[bytes, int]:
    if isinstance(value, SecretValue):
        return value.value.get_secret_value().encode(), end_ms(value.not_after)
    return value.get_secret_value().encode(), _FOREVER_MS
