"""What an event type is, as data. One module in `events/` holds each; everything else derives from these values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.catalogue.identity import Identity
from bridge.catalogue.scene import Scene
from bridge.catalogue.shapes import Shape

SCHEMA_VERSION = 1

KeyKind = Literal["session", "phone", "template", "event_id"]


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
    a body without it. `documented` is False for what Treble sends but does not document: it is read, and noted.
    """

    name: str
    shape: Shape
    sent_as: str = ""
    required: bool = False
    documented: bool = True

    @property
    def path(self) -> str:
        return self.sent_as or self.name


@dataclass(frozen=True, slots=True)
class Family:
    """Where the fields that all types of a family share stand in the body; the first place that holds one counts.

    `contact` are the objects that may hold `country_code` and `cellphone`, "" for the body itself. `documented` are
    further fields of every body, which need no reading.
    """

    name: Literal["flow", "global", "unknown"]
    contact: tuple[str, ...]
    session: tuple[str, ...]
    session_required: bool = False
    flow: str | None = None
    documented: frozenset[str] = frozenset()


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
    configured: str
    fields: tuple[Field, ...]
    identity: Identity
    samples: Mapping[str, Callable[[Scene], dict[str, Any]]]
    hints: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    own_time: tuple[str, ...] = ()
    strict_time: bool = True
    key: KeyKind = "session"
    schema_version: int = field(default=SCHEMA_VERSION)
