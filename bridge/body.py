"""Bytes to a JSON value, the same way for the answer (200 or 400) and, later, for the event.

What every JSON reader takes is taken as it is. Three faults of senders are mended and noted, because the text would
break consumers otherwise: a byte order mark, half a surrogate pair in an escape, a number beyond a double.
"""

from typing import Any, NamedTuple

import orjson

from bridge.nesting import is_too_deep
from bridge.repairs import repaired

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
