"""The value of a record as JSON Schema 2020-12: an event type's envelope, its `data` included; the quarantine's record.

The schemas are open: a consumer that validates with today's must take tomorrow's event, which may have a field more.
(That the bridge itself sends no other fields than these is for its tests to prove.) Only keywords that draft 7 has
too are used, and no references, so that code generators and AsyncAPI tools of any age read them.
"""

import re
from typing import Any

from bridge.catalogue import EventType
from bridge.catalogue.definition import SCHEMA_VERSION, data_schema
from bridge.catalogue.reading import MEANINGS
from bridge.catalogue.session_keys import SCHEMA as SESSION_KEYS
from bridge.catalogue.shapes import TIME_PATTERN, Schema
from bridge.transform.cloudevents import schema_uri
from bridge.transform.dead_letter import REASONS

QUARANTINE = "quarantine"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What stands in a number's place where the configuration hides it: a keyed hash, or a few digits among asterisks.
_HIDDEN = r"hmac-sha256:[0-9a-f]{64}|[+0-9]*[*][0-9*]*"
PHONE_PATTERN = rf"^([+][1-9][0-9]{{1,14}}|{_HIDDEN})$"
_DIGITS = rf"^([0-9]+|{_HIDDEN})$"
_UNLESS_HIDDEN = "Where the configuration hides it: a keyed hash, or masked."


def event_schema(event_type: EventType) -> Schema:
    """The schema that `ce_dataschema` names for this type."""
    properties: dict[str, Schema] = {
        "id": named("The event's id: the same webhook has the same one, whenever and wherever it arrives."),
        "type": described("What happened.", const=event_type.name),
        "schema_version": {
            "type": "integer",
            "const": SCHEMA_VERSION,
            "description": "Changes inside a version only add.",
        },
        "source": named("The account at Treble, as the bridge's configuration names it."),
        "occurred_at": time("When it happened; where the body has no time of its own, when it arrived."),
        "received_at": time("When the webhook arrived."),
        "contact": _contact(),
        "session_id": named("Treble's id of the conversation. Opaque."),
        "flow_id": named("Treble's id of the flow. Opaque."),
        "session_keys": SESSION_KEYS,
        "data": opened(data_schema(event_type)),
        "notes": {
            "type": "array",
            "description": "What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.",
            "items": {"type": "string", "minLength": 1, "examples": list(MEANINGS)},
        },
        "raw": {
            "type": "object",
            "description": "The body as Treble sent it. Absent where the configuration leaves it out.",
        },
    }
    required = ["id", "type", "schema_version", "source", "occurred_at", "received_at", "data"]
    if event_type.family.session_required:
        required.append("session_id")
    return {
        "$schema": DIALECT,
        "$id": schema_uri(event_type.name),
        "title": title(event_type.name),
        "description": event_type.fires,
        "type": "object",
        "properties": properties,
        "required": required,
    }


def quarantine_schema() -> Schema:
    """The schema of what `bridge.transform.dead_letter.record` makes."""
    problem: Schema = {
        "type": "object",
        "properties": {
            "pointer": described("Where in the body (JSON pointer); empty for the whole."),
            "message": described("What was expected."),
        },
        "required": ["pointer", "message"],
    }
    properties: dict[str, Schema] = {
        "id": named("The record's key: equal for equal bodies of a source."),
        "reason": described("Why it is here. Later ones may be new.", examples=list(REASONS)),
        "problems": {"type": "array", "items": problem, "description": "All that was wrong."},
        "event_type": named("What it was taken for, if that is known."),
        "journal_id": described("The journal that has the entry."),
        "entry_id": {"type": "integer", "minimum": 1, "description": "The entry's number in that journal."},
        "received_at": time("When the webhook arrived."),
        "source": named("The account, as the configuration names it."),
        "hint": described("The last segment of the URL; empty for none."),
        "headers": {"type": "object", "description": "The request headers that were kept, names in lower case."},
        "bridge": described("The version of the bridge that did not understand it."),
        "raw": described("The body, or its first bytes; empty where it may not be stored."),
        "raw_encoding": described("How `raw` holds the bytes.", examples=["utf-8", "base64"]),
        "raw_bytes": {"type": "integer", "minimum": 0, "description": "Size of the whole body."},
        "truncated": {"type": "boolean", "description": "Whether `raw` is less than the body."},
    }
    return {
        "$schema": DIALECT,
        "$id": schema_uri(QUARANTINE),
        "title": "QuarantineRecord",
        "description": f"An authentic webhook that became no event. Version {SCHEMA_VERSION}.",
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in {"event_type", "headers", "bridge"}],
    }


def title(event_type: str) -> str:
    """What code generators call the type: `message.timed_out` → `MessageTimedOutEvent`."""
    return "".join(word.capitalize() for word in re.split(r"[._-]", event_type)) + "Event"


def described(about: str, **more: Any) -> Schema:
    """Text."""
    return {"type": "string", **more, "description": about}


def named(about: str) -> Schema:
    """Text that is never empty."""
    return described(about, minLength=1)


def time(about: str) -> Schema:
    """A moment in UTC."""
    return described(about, format="date-time", pattern=TIME_PATTERN)


def opened(schema: Any) -> Any:
    """The schema with room for properties that a later version adds."""
    if isinstance(schema, list):
        return [opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: part for key, part in schema.items() if not (key == "additionalProperties" and part is False)}
    return {key: opened(part) for key, part in kept.items()}


def _contact() -> Schema:
    return {
        "type": "object",
        "description": "The person. Absent where the body names none; parts that it does not have are absent.",
        "properties": {
            "phone": described(f"E.164, with the plus. {_UNLESS_HIDDEN}", pattern=PHONE_PATTERN),
            "country_code": described("Digits, without a plus.", pattern=_DIGITS),
            "national_number": described(
                "cellphone as sent, digits only: with the country code in front where it came so.", pattern=_DIGITS
            ),
            "phone_variants": {
                "type": "array",
                "items": {"type": "string", "pattern": PHONE_PATTERN},
                "description": "Other spellings of the same phone (Mexico's 1, Argentina's 9), to match with.",
            },
        },
    }
