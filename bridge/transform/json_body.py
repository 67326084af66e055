"""A request's bytes → a JSON value: the same way for the answer (200 or 400) and, later, for the event.

What every JSON reader takes is taken as it is. Three faults of senders are mended and noted, because the text would
break consumers otherwise: a byte order mark, half a surrogate pair in an escape, a number beyond a double.

What the first reader refuses is read once more by Python's own, which takes the last two; the text of such a body is
written anew from what was read. This runs where webhooks are answered, so it is bounded: passes in C, and a step in
Python for each fraction or exponent. No reader goes deeper than 1,024 levels: what is deeper is not JSON here.
"""

import json
import math
import re
from typing import Any, NamedTuple

import orjson

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST = 1.7976931348623157e308
_DOUBLE_DIGITS = 309  # of the largest double: a whole number of fewer digits is within it
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
    try:
        return Body(orjson.loads(text), text, notes)
    except orjson.JSONDecodeError:
        if not text.strip(b" \t\r\n"):
            raise NotJson("empty") from None
    try:
        mended, faults = _mended(text)
        return Body(orjson.loads(mended), mended, notes + faults)
    except UnicodeDecodeError:
        raise NotJson("not_utf8") from None
    except (ValueError, RecursionError):
        raise NotJson("syntax") from None


def _mended(text: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The text of what Python's reader makes of it, without faults, and what they were.

    Raises ValueError (UnicodeDecodeError for what is not UTF-8) or RecursionError.
    """
    faults: list[str] = []

    def real(number: str) -> float:
        found = float(number)
        if not math.isinf(found):
            return found
        if not faults:
            faults.append("number_out_of_range")
        return math.copysign(_LARGEST, found)

    def whole(number: str) -> float:
        return int(number) if len(number) < _DOUBLE_DIGITS else real(number)

    # int() refuses thousands of digits. A function for each whole number is slow, so only where some number is long.
    has_long_numbers = b"0" * _DOUBLE_DIGITS in text.translate(_ALL_ZEROS)
    value = json.loads(
        text.decode(), parse_int=whole if has_long_numbers else None, parse_float=real, parse_constant=_refuse
    )
    try:
        return orjson.dumps(value), tuple(faults)
    except orjson.JSONEncodeError:  # half a surrogate pair, a whole number beyond 64 bits, hundreds of levels
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    mended = _SURROGATE.sub("\ufffd", written)
    if mended != written:
        faults.append("lone_surrogate")
    return mended.encode(), tuple(faults)


def _refuse(constant: str) -> None:
    """NaN and Infinity, which Python's reader would take."""
    raise ValueError(f"{constant} is not JSON")
