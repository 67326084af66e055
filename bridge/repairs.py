"""Two faults in texts that are JSON but for them: half a surrogate pair in an escape, a number beyond a double.

This is for texts that the parser refused, and it runs where webhooks are answered. So whatever the text, it costs some
passes that run in C, and a step in Python for each of at the most `PLACES_MAX` places.
"""

import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

LONE_SURROGATE: Final = "lone_surrogate"
NUMBER_OUT_OF_RANGE: Final = "number_out_of_range"

PLACES_MAX: Final = 1000
"""Places of a text that are looked at for each fault. A text with more is left as it is: no sender makes such."""

_LARGEST = "1.7976931348623157e308"
_BLANK = "\0\0"  # for two characters that are out of the way: all others keep their places

# Halves without their other half, where each backslash begins an escape.
_HALF = re.compile(
    r"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
# A double ends below 1e309: beyond it are only an exponent of three digits or more, or very many digits. This finds all
# that is written like that, from the beginning of the number on; it may be less than that, and no number at all.
_LONG = re.compile(r"[-0-9](?<![-+.0-9eE].)(?:[0-9]{199}|[-+.0-9]*+[eE]\+?[0-9]{3})[-+.0-9eE]*+", re.DOTALL)
_LONG_SHAPES = (b"e000", b"0" * 199)
_SHAPE = bytes.maketrans(b"E123456789", b"e000000000")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")


class _Edit(NamedTuple):
    start: int
    end: int
    text: str
    why: str


def repaired(text: str) -> tuple[str, list[str]]:
    """The text with half surrogates as U+FFFD and boundless numbers at the largest double, and what was done, in the
    order in which it was first needed. Of a text that is no JSON either way, anything may come back."""
    escapes = text.replace("\\\\", _BLANK)
    edits = sorted([*_halves(escapes), *_boundless(text, escapes)])
    if not edits:
        return text, []
    pieces: list[str] = []
    at = 0
    for edit in edits:
        pieces += text[at : edit.start], edit.text
        at = edit.end
    return "".join([*pieces, text[at:]]), list(dict.fromkeys(edit.why for edit in edits))


def _halves(escapes: str) -> list[_Edit]:
    if "\\ud" not in escapes and "\\uD" not in escapes:
        return []
    found = list(islice(_HALF.finditer(escapes), PLACES_MAX + 1))
    if len(found) > PLACES_MAX:
        return []
    return [_Edit(*each.span(), "\\ufffd", LONE_SURROGATE) for each in found]


def _boundless(text: str, escapes: str) -> Iterator[_Edit]:
    shape = text.encode().translate(_SHAPE, b"+")
    if not any(each in shape for each in _LONG_SHAPES):
        return
    found = list(islice(_LONG.finditer(text), PLACES_MAX + 1))
    if len(found) > PLACES_MAX:
        return
    quotes = escapes.replace('\\"', _BLANK)
    at, inside = 0, False
    for each in found:
        inside ^= quotes.count('"', at, each.start()) % 2 == 1
        at = each.start()
        if not inside and _NUMBER.fullmatch(each[0]) and math.isinf(float(each[0])):
            yield _Edit(*each.span(), "-" * (each[0][0] == "-") + _LARGEST, NUMBER_OUT_OF_RANGE)
