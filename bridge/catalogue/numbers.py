"""Numbers with all their digits: a double holds some 16 of them, and readers of JSON round the rest without a word.

`Digits` is such a number. It comes of a second, slow reading: only where the first met a number and the body has a long
one.
"""

import json
import re
from typing import Any

import orjson

# Of 15 digits, or fewer, none is lost, unless the number is smaller than doubles are.
LONG = re.compile(rb"(?:^|[:,\[\s])-?(?:[\d.]{16,}|[\d.]+[eE]-\d\d\d)")

_DOUBLE_DIGITS_MAX = 17  # what `repr` of a double has at the most


class Digits(float):
    """A number with more digits than a double holds. As a text and as JSON it is what was sent."""

    __slots__ = ("sent",)
    sent: str


def fraction(text: str) -> float:
    """A number with a fraction or an exponent."""
    found = float(text)
    if len(text) < 16 and abs(found) > 1e-300:
        return found
    digits = _mantissa(text)
    return found if len(digits) <= _DOUBLE_DIGITS_MAX and digits == _mantissa(repr(found)) else _kept(text)


def whole(text: str) -> float:
    """A whole number of a JSON text."""
    # orjson keeps 64 bits, with a sign or without.
    return found if len(text) <= 20 and -(2**63) <= (found := int(text)) < 2**64 else _kept(text)


def read_exactly(text: str | bytes) -> Any:
    """A JSON text with all digits of its numbers. Raises ValueError, or RecursionError beyond some 1,000 levels."""
    return json.loads(text, parse_float=fraction, parse_int=whole)


def as_sent(value: Any) -> orjson.Fragment:
    """What orjson writes for Digits: its `default`."""
    return orjson.Fragment(value.sent)


def _kept(text: str) -> Digits:
    digits = Digits(text)
    digits.sent = text
    return digits


def _mantissa(number: str) -> str:
    return number.lower().partition("e")[0].replace(".", "").strip("-0")
