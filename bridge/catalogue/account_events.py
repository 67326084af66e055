"""The event types of the account: one URL in Treble's settings gets them all. And what this version doesn't know."""

import datetime as dt
from typing import Any

from bridge.catalogue.definition import EventType, Family, Field, Scene, contact_fields, zulu
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.reading import Reading, cleaned
from bridge.catalogue.shapes import Read, Shape, identifier, list_of, members, object_schema, read_text, text, time

IN_THE_CENTER = "Settings → Webhooks: one URL for the account, and a switch for each kind of event."
GLOBAL = Family(
    name="global",
    configured=IN_THE_CENTER,
    contact=("user", ""),
    session=("session.external_id",),
    documented=frozenset(("event_type", "event_id", "user_session_keys")),
)
TIMESTAMP = Field("timestamp", time("When Treble reported it."))

# Of the kinds that are known: what a payload is that is bare text, and no object.
_BARE = {
    **dict.fromkeys(("text", "hsm", "interactive", "button", "reaction"), "text"),
    **dict.fromkeys(("image", "audio", "document", "video", "sticker"), "url"),
}
_MEDIA = members(
    "The file, for the other kinds.", {"url": text("Where it is."), "caption": text("The text beside it.")}
)
_MEMBERS: tuple[tuple[str, str, Shape], ...] = (
    ("sender", "sender", text("Who wrote it; nothing tells a bot from a human agent.", ("user", "company"))),
    ("kind", "type", text("What it is.", tuple(_BARE))),
    ("text", "message", text("What was written, or the title of what was chosen.")),
    ("media", "media", _MEDIA),
    ("created_at", "created_at", time("When it was written.")),
)
"""What is read of a message: its name in the event, its name in notes, what it is."""
_OUTER = frozenset(("sender", "type", "created_at"))
# Where the text stands in a payload: Treble's name, then WhatsApp's of a choice, a button, a form and a reaction.
_SAID = ("message", "title", "text", "body", "emoji")
_FILE = ("url", "caption")


def _message(label: str) -> Read:
    """The reader of a message. Its payload has the name that `type` says: `{"type": "image", "image": {"url": …}}`."""
    readers = tuple((name, shape.bind(f"{label}.{noted}")) for name, noted, shape in _MEMBERS)

    def read(value: Any, reading: Reading) -> dict[str, Any] | None:
        if type(value) is not dict:
            reading.note(f"unreadable:{label}")
            return None
        kind = value.get("type")
        said: dict[str, Any] = {}
        if isinstance(kind, str) and kind not in _OUTER and (held := value.get(kind)) is not None:
            said = _read_payload(kind, held, f"{label}.{cleaned(kind)}", reading)
        reading.unknown_fields((name for name in value if name not in _OUTER and name != kind), f"{label}.")
        media = {name: said[name] for name in _FILE if name in said}
        parts = {**value, "kind": kind, "text": said.get("text"), "media": media or None}
        found = ((name, read_part(parts[name], reading)) for name, read_part in readers if parts.get(name) is not None)
        return {name: part for name, part in found if part is not None} or None

    return read


MESSAGE = Shape(object_schema("One message.", {name: shape.schema for name, _, shape in _MEMBERS}), _message)


def _read_payload(kind: str, payload: Any, label: str, reading: Reading) -> dict[str, str]:
    """The text of a payload, and its file. A reply is an object in it, under the name that its `type` says."""
    if type(payload) is not dict:
        is_bare = kind in _BARE and isinstance(payload, str)
        reading.note(f"{label}_was_string" if is_bare else f"unreadable:{label}")
        return {_BARE[kind]: payload} if is_bare else {}
    parts = [(name, f"{label}.{cleaned(name)}", part) for name, part in payload.items()]
    if isinstance(reply := payload.get("type"), str) and isinstance(chosen := payload.get(reply), dict):
        inner = f"{label}.{cleaned(reply)}"
        parts = [part for part in parts if part[0] not in ("type", reply)]
        parts += [(name, f"{inner}.{cleaned(name)}", part) for name, part in chosen.items()]
    there = {name for name, _, part in parts if part is not None}
    text_at = next((name for name in _SAID if name in there and (name == "message" or _BARE.get(kind) != "url")), "")
    out: dict[str, str] = {}
    for name, path, part in parts:
        if name not in (text_at, *_FILE):
            reading.note(f"unknown_field:{path}")
        elif isinstance(part, str):
            out["text" if name == text_at else name] = part
        # The words of notes are few, so they have a kind in them only if it is known.
        elif part is not None and not (kind in _BARE and path == f"{label}.{name}"):
            reading.note(f"unreadable:{path}")
        elif part is not None and (found := read_text(part, path, reading)) is not None:
            out["text" if name == text_at else name] = found
    return out


def _closed(scene: Scene) -> dict[str, Any]:
    later = scene.at + dt.timedelta(minutes=2)
    return {
        "event_type": "session.close",
        "event_id": scene.event_id,
        "timestamp": later.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z",
        "session": {"external_id": scene.session_id, "closed_at": later.replace(tzinfo=None).isoformat() + "Z"},
        "user": contact_fields(scene),
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


CONVERSATION_CLOSED = EventType(
    name="conversation.closed",
    treble="session.close",
    family=GLOBAL,
    fires="When the person answered a final block, or the time for automatic closing is over.",
    hints=("session-close",),
    own_time=("closed_at", "timestamp"),
    fields=(
        Field("closed_at", time("When the conversation ended."), sent_as="session.closed_at"),
        TIMESTAMP,
        Field("template", text("The template that opened the conversation."), sent_as="hsm.name"),
        Field("messages", list_of("What was said, in order.", MESSAGE)),
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


REASONS = (
    "FAILURE",
    "FAILURE_BY_HUMAN_HANDOVER",
    "REVOKED",
    "INVALID_PHONE",
    "FAILURE_BY_RATE_LIMIT",
    "COMPANY_RATE_LIMIT",
    "FAILURE_BY_TIER_CAPACITY",
    "MISSING_PARAMETER",
    "PARAMETER_MISMATCH",
    "FAILURE_BY_BLOCKED_CONTACT",
    "FAILURE_BY_OPTOUT_CONTACT",
    "INVALID_POLL",
    "CHARACTER_LIMIT_HEADER",
    "CHARACTER_LIMIT_BODY",
    "FAILURE_BY_DISABLED_HSM",
    "FAILURE_BY_SPAM_RATE_LIMIT",
    "FAILURE_BY_EXPERIMENT_NUMBER",
    "FAILURE_BY_UNABLE_TO_CONTACT",
    "FAILURE_BY_META_CHOSE_NOT_DELIVER",
)


def _failed(scene: Scene) -> dict[str, Any]:
    return {
        "event_type": "deployment.failure",
        "event_id": scene.event_id,
        "timestamp": zulu(scene.at),
        "failure_reason": "FAILURE_BY_HUMAN_HANDOVER",
        "failed_at": zulu(scene.at),
        "user": contact_fields(scene),
    }


def _failed_without_phone(scene: Scene) -> dict[str, Any]:
    return {**_failed(scene), "user": {"business_scope_id": scene.bsuid, "username": scene.name.lower()}}


DEPLOYMENT_FAILED = EventType(
    name="deployment.failed",
    treble="deployment.failure",
    family=GLOBAL,
    fires="When Treble gave up sending a template to a person.",
    hints=("deployment-failure",),
    own_time=("failed_at", "timestamp"),
    key="contact",
    fields=(
        Field("failure_reason", text("Why it was not sent.", REASONS)),
        Field("failed_at", time("When Treble gave up.")),
        TIMESTAMP,
    ),
    event_id=EventIdRule(
        fields=("user.country_code", "user.cellphone", "failed_at", "timestamp", "failure_reason"),
        enough=(("user.cellphone", "failed_at"), ("user.cellphone", "timestamp")),
        fallback="reject",
    ),
    samples={"observed": _failed, "without phone": _failed_without_phone},
)


STATUSES = (
    "APPROVED",
    "ARCHIVED",
    "DELETED",
    "DISABLED",
    "FLAGGED",
    "IN_APPEAL",
    "LIMIT_EXCEEDED",
    "LOCKED",
    "PAUSED",
    "PENDING",
    "PENDING_DELETION",
    "REINSTATED",
    "REJECTED",
    "UNARCHIVED",
)


def _approved(scene: Scene) -> dict[str, Any]:
    return {
        "event_type": "hsm.status",
        "event_id": scene.event_id,
        "timestamp": zulu(scene.at),
        "status": "APPROVED",
        "name": scene.template,
        "affected_conversation_ids": [scene.flow_id, scene.flow_id + 7],
    }


HSM_STATUS_CHANGED = EventType(
    name="hsm.status_changed",
    treble="hsm.status",
    family=GLOBAL,
    fires="When WhatsApp approves, rejects, pauses or disables a template.",
    hints=("hsm-status",),
    own_time=("timestamp",),
    key="template",
    fields=(
        Field("template", text("The template's name."), sent_as="name", required=True),
        Field("status", text("Its new state.", STATUSES)),
        Field("category", text("Its category, where that comes.", ("AUTHENTICATION", "MARKETING", "UTILITY"))),
        Field("reason", text("Why, where that comes.")),
        Field(
            "affected_flow_ids",
            list_of("The flows that use the template.", identifier("One flow.")),
            sent_as="affected_conversation_ids",
        ),
        TIMESTAMP,
    ),
    event_id=EventIdRule(fields=("name", "status", "timestamp"), enough=(("name", "timestamp"),), fallback="reject"),
    samples={"documented": _approved},
)


UNKNOWN = Family(
    name="unknown",
    configured=IN_THE_CENTER,
    contact=("user", ""),
    session=("session.external_id", "session_id"),
    flow="conversation_id",
    documented=frozenset(("event_id", "user_session_keys")),
)


def _invented(scene: Scene) -> dict[str, Any]:
    return {
        "event_type": "agent.assigned",
        "event_id": scene.event_id,
        "timestamp": zulu(scene.at),
        "session": {"external_id": scene.session_id},
        "user": contact_fields(scene),
        "agent": {"name": "Luis"},
    }


UNKNOWN_TYPE = EventType(
    name="unknown",
    treble="*",
    family=UNKNOWN,
    fires="When `event_type` holds a value that this version does not know.",
    own_time=("timestamp",),
    strict_time=False,  # what this version doesn't know may mean something else by `timestamp`
    fields=(Field("event_type", text("Treble's own name of the event.")), TIMESTAMP),
    event_id=EventIdRule(fields=("event_type", "timestamp"), enough=(), fallback="body"),
    samples={"invented": _invented},
)
