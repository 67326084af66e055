"""The headers of a record, as JSON Schema, in each format. Header values are UTF-8 text."""

from bridge.catalogue import TABLE, EventType
from bridge.catalogue.shapes import Schema
from bridge.schemas.event import DIALECT, described, event_schema, named, time
from bridge.transform.cloudevents import CLOUDEVENT_JSON, JSON, Format, ce_type, schema_uri

CONTENT_TYPES: dict[Format, str] = {
    "cloudevents-binary": JSON,
    "cloudevents-structured": CLOUDEVENT_JSON,
    "plain": JSON,
}

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
        "$schema": DIALECT,
        "title": f"{inner['title']}CloudEvent",
        "description": inner["description"],
        "type": "object",
        "properties": {
            **known,
            "datacontenttype": described("What `data` is.", const=JSON),
            "traceparent": _MARKS["traceparent"],
            "tracestate": _MARKS["tracestate"],
            "data": {key: part for key, part in inner.items() if key != "$schema"},
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
