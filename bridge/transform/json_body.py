"""A request's bytes → a JSON value: the same way for the answer (200 or 400) and, later, for the event.

What every JSON reader takes is taken as it is. Faults of senders are mended and noted, because the text would break
consumers otherwise: a byte order mark, U+0000 and half a surrogate pair (each becomes U+FFFD), and a number that no
double holds: NaN and Infinity, as some languages print them, too.

Characters are mended in the text. Where a number is at fault the text is written anew from what Python's own reader
makes of it. This runs where webhooks are answered, so it is bounded: passes in C, and a step in Python for each such
escape, each fraction or exponent. No reader goes deeper than 1,024 levels: what is deeper is not JSON here.
"""

import json
import math
import re
from typing import Any, NamedTuple

import orjson

from bridge.catalogue.numbers import as_sent, fraction, whole

_BOM = b"\xef\xbb\xbf"
NUL, NUL_NOTE = b"\\u0000", "nul_character"
# Escapes that are fine are matched too, so that nothing is looked for inside them.
_ESCAPE = re.compile(
    rb"\\(?:\\|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u0000)|(u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
_ESCAPE_NOTES = ((2, "lone_surrogate"), (1, NUL_NOTE))
_LARGEST = 1.7976931348623157e308
_LONG_DIGITS = 18  # a whole number of more digits may be more than 64 bits hold
_ALL_ZEROS = bytes.maketrans(b"123456789", b"000000000")


class Body(NamedTuple):
    """A body that is JSON. `text` is the UTF-8 JSON text of `value`: the bytes as sent, unless `notes` says more."""

    value: Any
    text: bytes
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Body({len(self.text)} bytes)"


class NotJson(ValueError):  # noqa: N818 - it says what the body is, and is raised to be turned into an answer
    """The bytes hold no JSON value. `reason` is empty, not_utf8 or syntax; no part of the body is in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(raw: bytes) -> Body:
    """Read a request's body. Raises NotJson."""
    text = raw.removeprefix(_BOM)
    notes = () if len(text) == len(raw) else ("byte_order_mark",)
    if NUL not in text:
        try:
            return Body(orjson.loads(text), text, notes)
        except orjson.JSONDecodeError:
            if not text.strip(b" \t\r\n"):
                raise NotJson("empty") from None
    text, faults = _with_characters_mended(text)
    try:
        try:
            return Body(orjson.loads(text), text, notes + faults)
        except orjson.JSONDecodeError:
            text, more = _with_numbers_mended(text)
            return Body(orjson.loads(text), text, notes + more + faults)
    except UnicodeDecodeError:
        raise NotJson("not_utf8") from None
    except (ValueError, RecursionError):
        raise NotJson("syntax") from None


def _with_characters_mended(text: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The text with U+FFFD for each character that breaks consumers, escaped or not, and what they were."""
    # The groups of `_ESCAPE` that were found. A body may be nothing but such escapes, so no more is done for each.
    found: set[int | None] = {1} if b"\0" in text else set()

    def mend(escape: re.Match[bytes]) -> bytes:
        group = escape.lastindex
        found.add(group)
        return escape[0] if group is None else b"\\ufffd"

    text = _ESCAPE.sub(mend, text.replace(b"\0", "\ufffd".encode()))
    return text, tuple([note for group, note in _ESCAPE_NOTES if group in found])


def _with_numbers_mended(text: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The text of what Python's reader makes of it, without numbers that no double holds, and what was at fault.

    Raises ValueError (UnicodeDecodeError for what is not UTF-8) or RecursionError.
    """
    faults: list[str] = []

    def held(found: float) -> float | None:
        if math.isfinite(found):
            return found
        faults[:] = ("number_out_of_range",)
        return None if math.isnan(found) else math.copysign(_LARGEST, found)

    # A function for each whole number is slow, so only where some number is long.
    has_long_numbers = b"0" * (_LONG_DIGITS + 1) in text.translate(_ALL_ZEROS)
    value = json.loads(
        text.decode(),
        parse_int=(lambda number: held(whole(number))) if has_long_numbers else None,
        parse_float=lambda number: held(fraction(number)),
        parse_constant=lambda name: held(float(name)),
    )
    try:
        return orjson.dumps(value, default=as_sent), tuple(faults)
    except orjson.JSONEncodeError:  # hundreds of levels
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), tuple(faults)
