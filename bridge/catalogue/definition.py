"""What an event type is, as data. `flow_events` and `account_events` hold them; all else derives from these values."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.shapes import Schema, Shape, object_schema

SCHEMA_VERSION = 1

KeyKind = Literal["session", "contact", "phone", "template", "event_id"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What in a body proves its type: the `fields` are there (null, "", false, 0, empty are not), none of `without`.

    With `equals`, the first field must be that text. A body may hold evidence of several types (a read message was
    delivered before); the highest `rank` decides, so ranks are unique in the table.
    """

    fields: tuple[str, ...]
    rank: int
    equals: str | None = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event's `data`.

    `sent_as` is the dotted path in the body, at most two names long; default: the field's own name. `required` rejects
    a body without it.
    """

    name: str
    shape: Shape
    sent_as: str = ""
    required: bool = False

    @property
    def path(self) -> str:
        return self.sent_as or self.name


@dataclass(frozen=True, slots=True)
class Family:
    """What all types of a family share: where their webhooks are `configured` at Treble, and where fields stand.

    The first place that holds a field counts. `contact` are the objects that may hold the contact's fields, "" for the
    body itself. `documented` are further fields of every body, which need no reading.
    """

    name: Literal["flow", "global", "unknown"]
    configured: str
    contact: tuple[str, ...]
    session: tuple[str, ...]
    session_required: bool = False
    flow: str | None = None
    documented: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scene:
    """The facts that a sample body tells: who, which conversation, what was said, when (UTC)."""

    country_code: str = "+57"
    cellphone: str = "3005550134"
    session_id: str = "5e0c94b1d7a24c3f8e6b90a1f2d3c4b5a6978877665544332211aabb"
    flow_id: int = 48213
    name: str = "Ana"
    question: str = (
        "Hi Ana, this is Casa Verde. Your order 1042 left our warehouse this morning and should reach you before six."
        " Will somebody be at home?"
    )
    options: tuple[str, ...] = ("Yes, all day", "Another day")
    answer: str = "yes, we are here"
    template: str = "order_on_its_way"
    event_id: str = "66d0a1b2c3d4e5f607182930"
    bsuid: str = "CO.1349120865531"
    sent_at: dt.datetime = dt.datetime(2026, 6, 22, 15, 19, 6, 473256, tzinfo=dt.UTC)
    at: dt.datetime = dt.datetime(2026, 6, 22, 15, 19, 8, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class EventType:
    """One row of the table.

    `treble` is Treble's own word: the value of `event_type` for the global family. `hints` are the last segments of
    the URLs that mean it. `own_time` are names of `data` fields: the first that the body has is when it happened;
    without any, the time of arrival is. With `strict_time`, one that can't be read rejects the body. `samples` make
    bodies of documented or observed shapes, the usual one first.
    """

    name: str
    treble: str
    family: Family
    fires: str
    fields: tuple[Field, ...]
    event_id: EventIdRule
    samples: Mapping[str, Callable[[Scene], dict[str, Any]]]
    hints: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    own_time: tuple[str, ...] = ()
    strict_time: bool = True
    key: KeyKind = "session"


def data_schema(event_type: EventType) -> Schema:
    return object_schema(
        event_type.fires,
        {field.name: field.shape.schema for field in event_type.fields},
        tuple(field.name for field in event_type.fields if field.required),
    )


def time_paths(event_type: EventType) -> tuple[tuple[str, ...], ...]:
    """Where times stand in the `data` of one event type; lists are not named."""
    return tuple(_times(data_schema(event_type), ()))


def _times(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if schema.get("format") == "date-time":
        yield path
    if "items" in schema:
        yield from _times(schema["items"], path)
    for name, member in schema.get("properties", {}).items():
        yield from _times(member, (*path, name))


def contact_fields(scene: Scene) -> dict[str, str]:
    """The contact, as a webhook's body has it."""
    return {"country_code": scene.country_code, "cellphone": scene.cellphone}


def naive(moment: dt.datetime) -> str:
    """A time as flow webhooks write it: no zone, and microseconds only where there are some."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ")


def zulu(moment: dt.datetime) -> str:
    """A time as global events write it: ISO 8601 with milliseconds and Z."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
