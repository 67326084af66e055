"""How a field's value is read, and what comes out: the vocabulary of the event types' definitions.

A shape is a declaration: `schema` says what consumers get (JSON Schema 2020-12), `bind(label)` makes the function that
reads a value, with the field's name baked in. Functions are made once, when the table is collected; a body costs only
their calls. A function returns None for what can't be read: the field is then absent and the note says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.catalogue.numbers import Digits
from bridge.catalogue.reading import Reading, sent_as
from bridge.catalogue.times import time_reader

Read = Callable[[Any, Reading], Any]
Schema = dict[str, Any]

_EXACT_FLOAT_MAX = 2**53  # above it, two whole numbers of a body may have become the same float


@dataclass(frozen=True, slots=True)
class Shape:
    """`schema` is of what comes out; `bind` makes the reader of a field that has this shape, for its label."""

    schema: Schema
    bind: Callable[[str], Read]


def number_text(value: Any) -> str | None:
    """A number as the text it was most likely sent as; None for what is none, or may have lost digits."""
    if type(value) is int:
        return str(value)
    if type(value) is Digits:
        return value.sent
    if type(value) is float and abs(value) < _EXACT_FLOAT_MAX:
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def scalar_text(value: Any) -> str | None:
    """Text, a boolean or a number as text; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(value)


def read_text(value: Any, label: str, reading: Reading) -> str | None:
    """Text, or a number or boolean where text is documented."""
    found = scalar_text(value)
    if not isinstance(value, str):
        reading.note(f"unreadable:{label}" if found is None else f"{label}_was_{sent_as(value)}")
    return found


def text(about: str, known: tuple[str, ...] = ()) -> Shape:
    """A string. `known` are the values seen so far: a help for readers, never a limit."""

    def bind(label: str) -> Read:
        def read(value: Any, reading: Reading) -> str | None:
            return value if type(value) is str else read_text(value, label, reading)

        return read

    examples = {"examples": list(known)} if known else {}
    return Shape({"type": "string", "description": about, **examples}, bind)


def identifier(about: str) -> Shape:
    """An opaque id: documented as a number here and as a string there, so both are as good; a string comes out."""

    def bind(label: str) -> Read:
        def read(value: Any, reading: Reading) -> str | None:
            if type(value) is int:
                return str(value)
            found = read_text(value, label, reading)
            if found is not None and not found.strip():
                reading.note(f"empty:{label}")
                return None
            return found

        return read

    return Shape({"type": "string", "minLength": 1, "description": about}, bind)


TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z$"


def time(about: str) -> Shape:
    """A moment: RFC 3339 in UTC with six decimals comes out."""
    schema = {"type": "string", "format": "date-time", "pattern": TIME_PATTERN, "description": about}
    return Shape(schema, time_reader)


def members(about: str, shapes: Mapping[str, Shape]) -> Shape:
    """An object with known members, all optional. Others are noted, and stay in `raw`."""
    known = frozenset(shapes)

    def bind(label: str) -> Read:
        readers = tuple((name, shape.bind(f"{label}.{name}")) for name, shape in shapes.items())

        def read(value: Any, reading: Reading) -> dict[str, Any] | None:
            if type(value) is not dict:
                reading.note(f"unreadable:{label}")
                return None
            if not known.issuperset(value):
                reading.unknown_fields((name for name in value if name not in known), f"{label}.")
            found = {}
            for name, read_member in readers:
                member = value.get(name)
                if member is not None and (member := read_member(member, reading)) is not None:
                    found[name] = member
            return found or None

        return read

    return Shape(object_schema(about, {name: shape.schema for name, shape in shapes.items()}), bind)


def list_of(about: str, item: Shape) -> Shape:
    """A list of one shape. What can't be read in it is left out and noted."""

    def bind(label: str) -> Read:
        read_item = item.bind(f"{label}[]")

        def read(value: Any, reading: Reading) -> list[Any] | None:
            if type(value) is not list:
                reading.note(f"unreadable:{label}")
                return None
            return [out for one in value if one is not None and (out := read_item(one, reading)) is not None]

        return read

    return Shape({"type": "array", "items": item.schema, "description": about}, bind)


def wrapped_text(about: str) -> Shape:
    """The text inside `{"text": …}`, which is how answers travel. Bare text is taken too, and noted."""

    def bind(label: str) -> Read:
        def read(value: Any, reading: Reading) -> str | None:
            if type(value) is not dict:
                reading.note(f"{label}_was_{sent_as(value)}")
                return read_text(value, label, reading)
            if len(value) > 1:
                reading.unknown_fields((name for name in value if name != "text"), f"{label}.")
            held = value.get("text")
            return held if held is None or type(held) is str else read_text(held, f"{label}.text", reading)

        return read

    return Shape({"type": "string", "description": about}, bind)


def object_schema(about: str, properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """The schema of an object that has these properties and no others."""
    out: Schema = {"type": "object", "properties": properties, "additionalProperties": False, "description": about}
    return {**out, "required": list(required)} if required else out
