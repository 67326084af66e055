"""The value and the headers of a record as JSON Schema 2020-12: of each event type, and of the quarantine.

The schemas are open: a consumer that validates with today's must take tomorrow's event, which may have a field more.
(That the bridge itself sends no other fields than these is for its tests to prove.) Only keywords that draft 7 has
too are used, and no references, so that code generators and AsyncAPI tools of any age read them.
"""

import re
from typing import Any

from bridge.catalogue import TABLE, EventType
from bridge.catalogue.definition import SCHEMA_VERSION, data_schema
from bridge.catalogue.reading import MEANINGS
from bridge.catalogue.session_keys import SCHEMA as SESSION_KEYS
from bridge.catalogue.shapes import TIME_PATTERN, Schema
from bridge.transform.cloudevents import CLOUDEVENT_JSON, JSON, Format, ce_type, schema_uri
from bridge.transform.dead_letter import REASONS

QUARANTINE = "quarantine"

CONTENT_TYPES: dict[Format, str] = {
    "cloudevents-binary": JSON,
    "cloudevents-structured": CLOUDEVENT_JSON,
    "plain": JSON,
}

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
        **({"$id": schema_uri(event_type.name)} if event_type.name in TABLE else {}),
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
    return {"type": "string", **more, "description": about}


def named(about: str) -> Schema:
    return described(about, minLength=1)


def time(about: str) -> Schema:
    return described(about, format="date-time", pattern=TIME_PATTERN)


def opened(schema: Any) -> Any:
    """The schema with room for properties that a later version adds."""
    if isinstance(schema, list):
        return [opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: part for key, part in schema.items() if not (key == "additionalProperties" and part is False)}
    return {key: opened(part) for key, part in kept.items()}


_MARKS: dict[str, Schema] = {
    "treble_duplicate": described(
        "An event with this id went out before; present where duplicates are marked, not dropped.", const="true"
    ),
    "treble_replay": described(
        "It was forwarded again on demand; the number of the journal's entry that it repeats.", pattern="^[0-9]+$"
    ),
    "treble_redriven": described(
        "`true` on an event that came back from the quarantine; there, the place that a mark names."
    ),
    "traceparent": described(
        "W3C Trace Context: of the span that sent it, where traces are on; else of the request, if any."
    ),
    "tracestate": described("Goes with traceparent."),
}


def headers_schema(event_type: EventType, record_format: Format) -> Schema:
    """The headers of this type's records."""
    own: dict[str, Schema] = {}
    if record_format == "cloudevents-binary":
        own = {f"ce_{name}": schema for name, schema in attributes(event_type).items()}
    own["content-type"] = described("How to read the value.", const=CONTENT_TYPES[record_format])
    optional = () if event_type.family.session_required else ("ce_subject",)
    return {
        "type": "object",
        "properties": {**own, **_MARKS},
        "required": [name for name in own if name not in optional],
    }


def quarantine_headers_schema() -> Schema:
    """The headers of the quarantine topic's records."""
    own = {
        "content-type": described("How to read the value.", const=JSON),
        "treble_reason": described("The value's `reason`."),
    }
    marks = {name: schema for name, schema in _MARKS.items() if name != "treble_duplicate"}
    return {"type": "object", "properties": {**own, **marks}, "required": list(own)}


def payload_schema(event_type: EventType, record_format: Format) -> Schema:
    """The record's value: the envelope, or the CloudEvent around it."""
    inner = event_schema(event_type)
    if record_format != "cloudevents-structured":
        return inner
    known = attributes(event_type)
    optional = set() if event_type.family.session_required else {"subject"}
    return {
        "title": f"{inner['title']}CloudEvent",
        "description": inner["description"],
        "type": "object",
        "properties": {
            **known,
            "datacontenttype": described("What `data` is.", const=JSON),
            "traceparent": _MARKS["traceparent"],
            "tracestate": _MARKS["tracestate"],
            "data": inner,
        },
        "required": [*(name for name in known if name not in optional), "datacontenttype", "data"],
    }


def attributes(event_type: EventType) -> dict[str, Schema]:
    """The CloudEvents attributes by name, without a prefix. A type of the configuration's own has no schema to name."""
    schema = {"dataschema": described("The schema of the envelope.", const=schema_uri(event_type.name))}
    return {
        "specversion": described("CloudEvents' own version.", const="1.0"),
        "id": named("The event's id, unique within ce_source."),
        "type": described("The event type with its schema version.", const=ce_type(event_type.name)),
        "source": described("The account at Treble.", pattern="^/treble/"),
        "time": time("When it happened."),
        "subject": named("The conversation, where there is one."),
        **(schema if event_type.name in TABLE else {}),
    }


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
                "description": "Other spellings of the phone, to match with: Mexico's 1, Argentina's and Brazil's 9.",
            },
            "bsuid": described(
                f"WhatsApp's id of the person, which this business has alone (BSUID). {_UNLESS_HIDDEN}",
                pattern=rf"^([A-Z]{{2}}[.][A-Za-z0-9]{{1,128}}|{_HIDDEN})$",
            ),
            "parent_bsuid": described(
                f"The same for all businesses of a parent. {_UNLESS_HIDDEN}",
                pattern=rf"^([A-Z]{{2}}[.]ENT[.][A-Za-z0-9]{{1,128}}|{_HIDDEN})$",
            ),
            "username": named(f"The name that the person chose at WhatsApp. {_UNLESS_HIDDEN}"),
        },
    }
