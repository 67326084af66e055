"""The record of the quarantine topic as JSON Schema 2020-12."""

from bridge.catalogue.definition import SCHEMA_VERSION
from bridge.catalogue.shapes import Schema
from bridge.schemas.event import DIALECT, time
from bridge.transform.cloudevents import schema_uri
from bridge.transform.dead_letter import REASONS

NAME = "quarantine"


def quarantine_schema() -> Schema:
    """The schema of what `bridge.transform.dead_letter.record` makes."""
    problem: Schema = {
        "type": "object",
        "properties": {
            "pointer": {"type": "string", "description": "Where in the body (JSON pointer); empty for the whole."},
            "message": {"type": "string", "description": "What was expected."},
        },
        "required": ["pointer", "message"],
    }
    properties: dict[str, Schema] = {
        "id": {
            "type": "string",
            "minLength": 1,
            "description": "The record's key: equal for equal bodies of a source.",
        },
        "reason": {
            "type": "string",
            "examples": list(REASONS),
            "description": "Why it is here. Later ones may be new.",
        },
        "problems": {"type": "array", "items": problem, "description": "All that was wrong."},
        "event_type": {"type": "string", "minLength": 1, "description": "What it was taken for, if that is known."},
        "journal_id": {"type": "string", "description": "The journal that has the entry."},
        "entry_id": {"type": "integer", "minimum": 1, "description": "The entry's number in that journal."},
        "received_at": time("When the webhook arrived."),
        "source": {"type": "string", "minLength": 1, "description": "The account, as the configuration names it."},
        "hint": {"type": "string", "description": "The last segment of the URL; empty for none."},
        "headers": {"type": "object", "description": "The request headers that were kept, names in lower case."},
        "bridge": {"type": "string", "description": "The version of the bridge that did not understand it."},
        "raw": {"type": "string", "description": "The body, or its first bytes; empty where it may not be stored."},
        "raw_encoding": {
            "type": "string",
            "examples": ["utf-8", "base64"],
            "description": "How `raw` holds the bytes.",
        },
        "raw_bytes": {"type": "integer", "minimum": 0, "description": "Size of the whole body."},
        "truncated": {
            "type": "boolean",
            "description": "Whether `raw` is less than the body.",
        },
    }
    return {
        "$schema": DIALECT,
        "$id": schema_uri(NAME),
        "title": "QuarantineRecord",
        "description": f"An authentic webhook that became no event. Version {SCHEMA_VERSION}.",
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in {"event_type", "headers", "bridge"}],
    }
