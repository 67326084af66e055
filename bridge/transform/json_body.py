"""Bytes to a JSON value, the same way for the answer (200 or 400) and, later, for the event.

What every JSON reader takes is taken as it is. Three faults of senders are mended and noted, because the text would
break consumers otherwise: a byte order mark, half a surrogate pair in an escape, a number beyond a double.

JSON that is nested deeper than the parser reads: whether a text is well-formed, whatever its depth.

Pure, in time proportional to the text. Only for what the parser gave up on: it finds no value, and is slower.
How: strings and other scalars become one mark each. Then what may stand beside what is a regular language; only the
brackets, and whether a comma parts members or items, need a stack.

Two faults in texts that are JSON but for them: half a surrogate pair in an escape, a number beyond a double.

This is for texts that the parser refused, and it runs where webhooks are answered. So whatever the text, it costs some
passes that run in C, and a step in Python for each of at the most `PLACES_MAX` places.
"""

import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

import orjson

PARSER_DEPTH: Final = 1024
"""Levels that orjson reads."""

LOOKED_AT_CHARS_MAX: Final = 1 << 19
"""A longer text is not looked at: requests of others wait meanwhile, half a second for each million characters."""

# The marks are control characters: JSON has none of them, so a text that has some is refused before they are put in.
_VALUE, _NAME = "\x01", "\x02"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_STRING = re.compile(r'("(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")(?:[ \t\r\n]*+(:))?', re.ASCII)
_OTHER = re.compile(r"-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?|true|false|null", re.ASCII)
_WHITESPACE = re.compile(r"[ \t\r\n]+")
_NEIGHBOURS = {"[": r"\x01\[\]{", "{": r"\x02}", "\x02": r"\x01\[{", ",": r"\x01\x02\[{", "\x01]}": r",\]}"}
_CLOSERS = {"[": "]", "{": "}"}
_MISFIT = re.compile("|".join(f"[{re.escape(these)}][^{next_}]" for these, next_ in _NEIGHBOURS.items()))
_TOKENS = re.compile(r"[\[{\x01](?:[\x01\x02,\[\]{}]*[\x01\]}])?")
_STEPS = re.compile(r"[\[\]{}]|,\x02?")


def is_too_deep(text: str) -> bool:
    """Whether a text that the parser refused is JSON all the same, with more levels than `PARSER_DEPTH`.

    False for a text of more than `LOOKED_AT_CHARS_MAX` characters.
    """
    if len(text) > LOOKED_AT_CHARS_MAX or text.count("[") + text.count("{") <= PARSER_DEPTH or _CONTROL.search(text):
        return False
    marked = _STRING.sub(lambda found: _NAME if found[2] else _VALUE, text)
    tokens = _WHITESPACE.sub("", _OTHER.sub(_VALUE, marked))
    if _TOKENS.fullmatch(tokens) is None or _MISFIT.search(tokens):
        return False
    return _depth(tokens) > PARSER_DEPTH


def _depth(tokens: str) -> int:
    """The levels of nesting; 0 where the brackets don't match, or a comma is followed by what its bracket has not."""
    closers: list[str] = []
    deepest = 0
    for step in _STEPS.findall(tokens):
        if step in _CLOSERS:
            closers.append(_CLOSERS[step])
            deepest = max(deepest, len(closers))
        elif not closers:
            return 0
        elif step[0] != ",":
            if closers.pop() != step:
                return 0
        elif (closers[-1] == "}") != (step != ","):
            return 0
    return 0 if closers else deepest


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


BYTE_ORDER_MARK = "byte_order_mark"

TOO_DEEP = "too_deep"
"""The reason of NotJson for what is JSON, but nested deeper than is read here."""

_BOM = b"\xef\xbb\xbf"


class Body(NamedTuple):
    """A body that is JSON. `text` is the UTF-8 JSON text of `value`: the bytes as sent, unless `notes` says more."""

    value: Any
    text: bytes
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Body({len(self.text)} bytes)"


class NotJson(ValueError):  # noqa: N818 - it says what the body is, and is raised to be turned into an answer
    """There is no JSON value to be had of the bytes. `reason`: empty, not_utf8 or syntax, where they are no JSON text;
    `TOO_DEEP`, where they are one. No part of the body is in it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(raw: bytes) -> Body:
    """Read a request's body. Raises NotJson."""
    try:
        return Body(orjson.loads(raw), raw)
    except orjson.JSONDecodeError:
        return _decode_unusual(raw)


def _decode_unusual(raw: bytes) -> Body:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise NotJson("not_utf8") from None
    notes = []
    if raw.startswith(_BOM):
        text = text[1:]
        notes.append(BYTE_ORDER_MARK)
    if not text.strip(" \t\r\n"):
        raise NotJson("empty")
    text, repairs = repaired(text)
    notes += repairs
    try:
        return Body(orjson.loads(text), text.encode(), tuple(notes))
    except orjson.JSONDecodeError:
        raise NotJson(TOO_DEEP if is_too_deep(text) else "syntax") from None
