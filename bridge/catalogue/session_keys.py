"""`user_session_keys`, a list of `{key, value, type}` → an object of name → value.

Values come out as text, or, for `type: location`, as the object in the JSON text that the value holds: its scalars;
what else is in it is noted. The last of equal names wins, as in Treble's own merge. A key without a name, or without
a value, is left out.
"""

from typing import Any

import orjson

from bridge.catalogue.numbers import LONG, as_sent, read_exactly
from bridge.catalogue.reading import Reading, cleaned, sent_as
from bridge.catalogue.shapes import Schema, number_text

_MEMBERS = frozenset(("key", "value", "type"))
_LABEL = "user_session_keys"

SCHEMA: Schema = {
    "type": "object",
    "description": "The conversation's variables: text, or an object of scalars for a location.",
    "additionalProperties": {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        ]
    },
}


def read_session_keys(value: Any, reading: Reading) -> dict[str, Any] | None:
    if type(value) is not list:
        if value is None:
            return None
        if type(value) is not dict:
            reading.note(f"unreadable:{_LABEL}")
            return None
        reading.note(f"{_LABEL}_was_object")
        value = [{"key": key, "value": held} for key, held in value.items()]
    out: dict[str, Any] = {}
    for item in value:
        if type(item) is not dict:
            reading.note(f"unreadable:{_LABEL}[]")
            continue
        if not _MEMBERS.issuperset(item):
            reading.unknown_fields((name for name in item if name not in _MEMBERS), f"{_LABEL}[].")
        name, held = _name(item.get("key"), reading), item.get("value")
        if name is None or held is None:
            reading.note("session_key_without_name" if name is None else "session_key_without_value")
            continue
        if name in out:
            reading.note(f"session_key_repeated:{cleaned(name)}")
        read = held if type(held) is str and item.get("type") != "location" else _unusual(held, item, reading)
        if read is not None:
            out[name] = read
    return out


def _name(key: Any, reading: Reading) -> str | None:
    if type(key) is str:
        return key or None
    if (name := number_text(key)) is not None:
        reading.note("session_key_name_was_number")
    return name


def _unusual(held: Any, item: dict[str, Any], reading: Reading) -> Any:
    if item.get("type") == "location":
        return _location(held, reading)
    reading.note(f"session_key_value_was_{sent_as(held)}")
    # A list or an object stays whole, as text: consumers find text everywhere.
    return number_text(held) or _whole(held, reading)


def _location(held: Any, reading: Reading) -> Any:
    """The location in a JSON text. One that can't be read stays the text that it was."""
    place = held
    if type(held) is str:
        try:
            place = orjson.loads(held)
            place = read_exactly(held) if LONG.search(held.encode()) else place
        except (ValueError, RecursionError):
            place = None
    else:
        reading.note(f"session_key_value_was_{sent_as(held)}")
    if type(place) is dict:
        out = {name: part for name, part in place.items() if isinstance(part, str | int | float)}
        if len(out) < len(place):
            for name in (name for name, part in place.items() if name not in out and part is not None):
                reading.note(f"unreadable:{_LABEL}[].value.{cleaned(name)}")
        readable = {_without_nul(name): _without_nul(part) for name, part in out.items()}
        if readable != out:
            reading.note("nul_character")
        return readable
    reading.note("session_key_location_unreadable")
    return held if type(held) is str else _whole(held, reading)


def _without_nul(part: Any) -> Any:
    return part.replace("\0", "\ufffd") if isinstance(part, str) else part


def _whole(held: Any, reading: Reading) -> str | None:
    try:
        return orjson.dumps(held, default=as_sent).decode()
    except orjson.JSONEncodeError:  # nested deeper than it writes
        reading.note("session_key_value_unreadable")
        return None
