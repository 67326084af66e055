"""The headers of a record, as JSON Schema, in each format. Header values are UTF-8 text."""

from bridge.catalogue import TABLE, EventType
from bridge.catalogue.shapes import Schema
from bridge.schemas.event import DIALECT, event_schema, time
from bridge.transform.cloudevents import CLOUDEVENT_JSON, JSON, Format, ce_type, schema_uri

CONTENT_TYPES: dict[Format, str] = {
    "cloudevents-binary": JSON,
    "cloudevents-structured": CLOUDEVENT_JSON,
    "plain": JSON,
}

_MARKS: dict[str, Schema] = {
    "treble_duplicate": {
        "type": "string",
        "const": "true",
        "description": "An event with this id went out before; present where duplicates are marked, not dropped.",
    },
    "treble_replay": {
        "type": "string",
        "pattern": "^[0-9]+$",
        "description": "It was forwarded again on demand; the number of the journal's entry that it repeats.",
    },
    "treble_redriven": {
        "type": "string",
        "description": "`true` on an event that came back from the quarantine; there, the place that a mark names.",
    },
    "traceparent": {
        "type": "string",
        "description": "W3C Trace Context: of the span that sent it, where traces are on; else of the request, if any.",
    },
    "tracestate": {"type": "string", "description": "Goes with traceparent."},
}


def headers_schema(event_type: EventType, record_format: Format) -> Schema:
    """The headers of this type's records."""
    own: dict[str, Schema] = {}
    if record_format == "cloudevents-binary":
        own = {f"ce_{name}": schema for name, schema in attributes(event_type).items()}
    own["content-type"] = _constant(CONTENT_TYPES[record_format], "How to read the value.")
    optional = () if event_type.family.session_required else ("ce_subject",)
    return {
        "type": "object",
        "properties": {**own, **_MARKS},
        "required": [name for name in own if name not in optional],
    }


def quarantine_headers_schema() -> Schema:
    """The headers of the quarantine topic's records."""
    own = {
        "content-type": _constant(JSON, "How to read the value."),
        "treble_reason": {"type": "string", "description": "The value's `reason`."},
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
        "$schema": DIALECT,
        "title": f"{inner['title']}CloudEvent",
        "description": inner["description"],
        "type": "object",
        "properties": {
            **known,
            "datacontenttype": _constant(JSON, "What `data` is."),
            "traceparent": _MARKS["traceparent"],
            "tracestate": _MARKS["tracestate"],
            "data": {key: part for key, part in inner.items() if key != "$schema"},
        },
        "required": [*(name for name in known if name not in optional), "datacontenttype", "data"],
    }


def attributes(event_type: EventType) -> dict[str, Schema]:
    """The CloudEvents attributes by name, without a prefix. A type of the configuration's own has no schema to name."""
    schema = {"dataschema": _constant(schema_uri(event_type.name), "The schema of the envelope.")}
    return {
        "specversion": _constant("1.0", "CloudEvents' own version."),
        "id": {"type": "string", "minLength": 1, "description": "The event's id, unique within ce_source."},
        "type": _constant(ce_type(event_type.name), "The event type with its schema version."),
        "source": {"type": "string", "pattern": "^/treble/", "description": "The account at Treble."},
        "time": time("When it happened."),
        "subject": {"type": "string", "minLength": 1, "description": "The conversation, where there is one."},
        **(schema if event_type.name in TABLE else {}),
    }


def _constant(value: str, about: str) -> Schema:
    return {"type": "string", "const": value, "description": about}
