"""A conversation ended, with all that was said in it."""

import datetime as dt
from typing import Any

from bridge.catalogue.definition import EventType, Field, Scene, zulu
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.events import GLOBAL, TIMESTAMP
from bridge.catalogue.reading import Reading, cleaned
from bridge.catalogue.shapes import ListOf, Object, Read, Schema, Shape, Text, Time, object_schema

_SENDER = Text("Who wrote it; nothing tells a bot from a human agent.", ("user", "company"))
_KIND = Text("What it is.", ("text", "hsm", "image", "audio", "document", "video"))
_CREATED_AT = Time("When it was written.")
_TEXT = Text("What was written, for kinds text and hsm.")
_MEDIA = Object("The file, for the other kinds.", {"url": Text("Where it is."), "caption": Text("The text beside it.")})
_OUTER = frozenset(("sender", "type", "created_at"))
# Where a payload that is bare text, and no object, belongs: as if the object had it under this name.
_BARE = {"text": "message", "hsm": "message", "image": "url", "audio": "url", "document": "url", "video": "url"}


class Message:
    """One message. Its payload stands under the name that `type` says: `{"type": "image", "image": {"url": …}}`."""

    @property
    def schema(self) -> Schema:
        shapes: dict[str, Shape] = {
            "sender": _SENDER,
            "kind": _KIND,
            "text": _TEXT,
            "media": _MEDIA,
            "created_at": _CREATED_AT,
        }
        return object_schema("One message.", {name: shape.schema for name, shape in shapes.items()})

    def bind(self, label: str) -> Read:
        read_sender, read_kind = _SENDER.bind(f"{label}.sender"), _KIND.bind(f"{label}.type")
        read_text, read_media = _TEXT.bind(f"{label}.message"), _MEDIA.bind(f"{label}.media")
        read_time = _CREATED_AT.bind(f"{label}.created_at")

        def read(value: Any, reading: Reading) -> dict[str, Any] | None:
            if type(value) is not dict:
                reading.note(f"unreadable:{label}")
                return None
            kind = value.get("type")
            payload: dict[str, Any] = {}
            if isinstance(kind, str) and kind not in _OUTER and (held := value.get(kind)) is not None:
                payload = held if type(held) is dict else _unusual(kind, held, label, reading)
            media = {name: part for name, part in payload.items() if name != "message"}
            reading.unknown_fields((name for name in value if name not in _OUTER and name != kind), f"{label}.")
            parts = (
                ("sender", read_sender, value.get("sender")),
                ("kind", read_kind, kind),
                ("text", read_text, payload.get("message")),
                ("media", read_media, media or None),
                ("created_at", read_time, value.get("created_at")),
            )
            out = {}
            for name, read_part, part in parts:
                if part is not None and (part_read := read_part(part, reading)) is not None:
                    out[name] = part_read
            return out or None

        return read


def _unusual(kind: str, held: Any, label: str, reading: Reading) -> dict[str, Any]:
    """A payload that is no object, as one. What is neither that nor text of a known kind is noted."""
    if kind in _BARE and isinstance(held, str):
        reading.note(f"{label}.{kind}_was_string")
        return {_BARE[kind]: held}
    reading.note(f"unreadable:{label}.{cleaned(kind)}")
    return {}


def _closed(scene: Scene) -> dict[str, Any]:
    later = scene.at + dt.timedelta(minutes=2)
    return {
        "event_type": "session.close",
        "event_id": scene.event_id,
        "timestamp": later.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z",
        "session": {"external_id": scene.session_id, "closed_at": later.replace(tzinfo=None).isoformat() + "Z"},
        "user": {"country_code": scene.country_code, "cellphone": scene.cellphone},
        "hsm": {"name": scene.template},
        "user_session_keys": [{"key": "name", "value": scene.name}],
        "messages": [
            {
                "sender": "company",
                "type": "hsm",
                "created_at": zulu(scene.sent_at),
                "hsm": {"message": scene.question},
            },
            {"sender": "user", "type": "text", "created_at": zulu(scene.at), "text": {"message": scene.answer}},
            {
                "sender": "user",
                "type": "image",
                "created_at": zulu(scene.at + dt.timedelta(seconds=30)),
                "image": {"url": "https://media.example/8c1f.jpg", "caption": "the blue door"},
            },
        ],
    }


EVENT = EventType(
    name="conversation.closed",
    treble="session.close",
    family=GLOBAL,
    fires="When the person answered a final block, or the time for automatic closing is over.",
    hints=("session-close",),
    own_time=("closed_at", "timestamp"),
    fields=(
        Field("closed_at", Time("When the conversation ended."), sent_as="session.closed_at"),
        TIMESTAMP,
        Field("template", Text("The template that opened the conversation."), sent_as="hsm.name"),
        Field("messages", ListOf("What was said, in order.", Message())),
    ),
    # At most one closing per session was ever seen, so the session alone is enough.
    event_id=EventIdRule(
        fields=("session.external_id", "user.country_code", "user.cellphone", "session.closed_at", "timestamp"),
        enough=(
            ("session.external_id",),
            ("user.cellphone", "session.closed_at"),
            ("user.cellphone", "timestamp"),
        ),
        fallback="reject",
    ),
    samples={"observed": _closed},
)
