"""The section about event types that Treble adds before this program knows them."""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bridge.settings.section import Contradictions, Section, Topic
from bridge.settings.units import Kind

ANY_VALUE = "*"
KEY_KINDS = ("session", "phone", "event_id")

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_NAME_CHARS_MAX = 64
_PATH = re.compile(r"[^.\s][^.]*(\.[^.]+)*")
_RESERVED = {"unclassified", "quarantine"}


def event_type_name(value: Any) -> Any:
    """A name of the user's own for an event type. Raises ValueError."""
    if isinstance(value, str) and (not _NAME.fullmatch(value) or len(value) > _NAME_CHARS_MAX or value in _RESERVED):
        raise ValueError("expected a name such as agent.assigned: up to 64 of a-z 0-9 _ and dots, the first a letter")
    return value


def _path(value: Any) -> Any:
    if isinstance(value, str) and not _PATH.fullmatch(value):
        raise ValueError("expected a dotted path into the body, such as event_type or user.agent_id")
    return value


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Texts = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Kind("text, or list of texts"),
    Field(min_length=1),
    BeforeValidator(_one_or_more),
]


class MappedEvent(Section):
    """An event type of the configuration's own: how its bodies are known, and where they go."""

    when: Annotated[Mapping[Annotated[str, BeforeValidator(_path)], _Texts], Field(min_length=1)] = Field(
        description="dotted path in the body → its value, or several of which one; `*` is any. All must hold"
    )
    topic: Topic | None = Field(None, description="topic; default from topics.default, or as topics.map says")
    key: Annotated[str, Kind("path / session / phone / event_id"), BeforeValidator(_path)] | None = Field(
        None, description="dotted path in the body to the record's key; or session (the default), phone, event_id"
    )


def known_already(events: Mapping[str, MappedEvent], event_types: Collection[str]) -> Contradictions:
    """Names that the catalogue has: an update may bring one, and consumers should not find out first."""
    for name in events:
        if name in event_types:
            yield (name,), "this version knows this event type itself: remove it here, and route it in topics.map"
