"""Bytes to a JSON value, the same way for the answer (200 or 400) and, later, for the event.

What every JSON reader takes is taken as it is. Three faults of senders are mended and noted, because the text would
break consumers otherwise: a byte order mark, half a surrogate pair in an escape, a number beyond a double.
"""

import math
import re
from typing import Any, NamedTuple

import orjson

BYTE_ORDER_MARK = "byte_order_mark"
LONE_SURROGATE = "lone_surrogate"
NUMBER_OUT_OF_RANGE = "number_out_of_range"

_BOM = b"\xef\xbb\xbf"
_LARGEST = "1.7976931348623157e308"
# A string, closed or not (so that a text of open quotes costs one pass, not one per quote), or a number.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL | re.ASCII)
# A whole pair stays, half a one is replaced, any other escape is stepped over (`\\ud83d` is a backslash and text).
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


class Body(NamedTuple):
    """A body that is JSON. `text` is the UTF-8 JSON text of `value`: the bytes as sent, unless `notes` says more."""

    value: Any
    text: bytes
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Body({len(self.text)} bytes)"


class NotJson(ValueError):  # noqa: N818 - it says what the body is, and is raised to be turned into an answer
    """The bytes are no JSON text. `reason`: empty, not_utf8, too_deep or syntax; no part of the body is in it."""

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
    text, repairs = _repaired(text)
    notes += repairs
    try:
        return Body(orjson.loads(text), text.encode(), tuple(notes))
    except orjson.JSONDecodeError as error:
        raise NotJson("too_deep" if "depth" in str(error) else "syntax") from None


def _repaired(text: str) -> tuple[str, list[str]]:
    """The text with half surrogates as U+FFFD and boundless numbers at the largest double, and what was done."""
    done: dict[str, None] = {}

    def half(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        done[LONE_SURROGATE] = None
        return "\\ufffd"

    def mend(found: re.Match[str]) -> str:
        token = found[0]
        if token[0] == '"':
            return _ESCAPE.sub(half, token) if "\\u" in token else token
        if math.isfinite(float(token)):
            return token
        done[NUMBER_OUT_OF_RANGE] = None
        return "-" * (token[0] == "-") + _LARGEST

    return _TOKEN.sub(mend, text), list(done)
