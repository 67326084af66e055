"""How a field's value is read, and what comes out: the vocabulary of the event types' definitions.

A shape is a declaration: `schema` says what consumers get (JSON Schema 2020-12), `bind(label)` makes the function that
reads a value, with the field's name baked in. Functions are made once, when the table is collected; a body costs only
their calls. A function returns None for what can't be read: the field is then absent and the note says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.catalogue.reading import Reading, sent_as
from bridge.catalogue.times import time_reader

Read = Callable[[Any, Reading], Any]
Schema = dict[str, Any]

_EXACT_FLOAT_MAX = 2**53  # above it, two whole numbers of a body may have become the same float


class Shape(Protocol):
    @property
    def schema(self) -> Schema:
        """What comes out."""

    def bind(self, label: str) -> Read:
        """The function that reads a value of the field that `label` names."""


def number_text(value: Any) -> str | None:
    """A number as the text it was most likely sent as; None for what is none, or may have lost digits."""
    if type(value) is int:
        return str(value)
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
    text = scalar_text(value)
    if isinstance(value, str):
        return text
    reading.note(f"unreadable:{label}" if text is None else f"{label}_was_{sent_as(value)}")
    return text


@dataclass(frozen=True, slots=True)
class Text:
    """A string. `known` are the values seen so far: a help for readers, never a limit."""

    about: str
    known: tuple[str, ...] = ()

    @property
    def schema(self) -> Schema:
        examples = {"examples": list(self.known)} if self.known else {}
        return {"type": "string", "description": self.about, **examples}

    def bind(self, label: str) -> Read:
        def read(value: Any, reading: Reading) -> str | None:
            return value if type(value) is str else read_text(value, label, reading)

        return read


@dataclass(frozen=True, slots=True)
class Identifier:
    """An opaque id: documented as a number here and as a string there, so both are as good; a string comes out."""

    about: str

    @property
    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "description": self.about}

    def bind(self, label: str) -> Read:
        def read(value: Any, reading: Reading) -> str | None:
            if type(value) is int:
                return str(value)
            text = read_text(value, label, reading)
            if text is not None and not text.strip():
                reading.note(f"empty:{label}")
                return None
            return text

        return read


@dataclass(frozen=True, slots=True)
class Time:
    """A moment: RFC 3339 in UTC comes out."""

    about: str

    @property
    def schema(self) -> Schema:
        return {"type": "string", "format": "date-time", "pattern": TIME_PATTERN, "description": self.about}

    def bind(self, label: str) -> Read:
        return time_reader(label)


TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$"


@dataclass(frozen=True, slots=True)
class Object:
    """An object with known members, all optional. Others are noted, and stay in `raw`."""

    about: str
    members: Mapping[str, Shape]

    @property
    def schema(self) -> Schema:
        return object_schema(self.about, {name: shape.schema for name, shape in self.members.items()})

    def bind(self, label: str) -> Read:
        readers = tuple((name, shape.bind(f"{label}.{name}")) for name, shape in self.members.items())
        known = frozenset(self.members)

        def read(value: Any, reading: Reading) -> dict[str, Any] | None:
            if type(value) is not dict:
                reading.note(f"unreadable:{label}")
                return None
            if not known.issuperset(value):
                reading.unknown_fields((name for name in value if name not in known), f"{label}.")
            out = {}
            for name, read_member in readers:
                member = value.get(name)
                if member is not None and (member := read_member(member, reading)) is not None:
                    out[name] = member
            return out or None

        return read


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one shape. What can't be read in it is left out and noted."""

    about: str
    item: Shape

    @property
    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema, "description": self.about}

    def bind(self, label: str) -> Read:
        read_item = self.item.bind(f"{label}[]")

        def read(value: Any, reading: Reading) -> list[Any] | None:
            if type(value) is not list:
                reading.note(f"unreadable:{label}")
                return None
            return [out for item in value if item is not None and (out := read_item(item, reading)) is not None]

        return read


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The text inside `{"text": …}`, which is how answers travel. Bare text is taken too, and noted."""

    about: str

    @property
    def schema(self) -> Schema:
        return {"type": "string", "description": self.about}

    def bind(self, label: str) -> Read:
        def read(value: Any, reading: Reading) -> str | None:
            if type(value) is not dict:
                reading.note(f"{label}_was_{sent_as(value)}")
                return read_text(value, label, reading)
            if len(value) > 1:
                reading.unknown_fields((name for name in value if name != "text"), f"{label}.")
            text = value.get("text")
            return text if text is None or type(text) is str else read_text(text, label, reading)

        return read


def object_schema(about: str, properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """The schema of an object that has these properties and no others."""
    out: Schema = {"type": "object", "properties": properties, "additionalProperties": False, "description": about}
    return {**out, "required": list(required)} if required else out
