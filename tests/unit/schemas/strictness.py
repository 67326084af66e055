"""The schemas with no room for anything that they don't name: what the bridge sends has to fit even so."""

from typing import Any

from jsonschema import Draft202012Validator

from bridge.catalogue import TABLE
from bridge.schemas.event import event_schema, quarantine_schema


def closed(schema: Any) -> Any:
    """The schema without room for other properties, at any depth."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict):
        out["additionalProperties"] = False
    return out


EVENTS = {name: Draft202012Validator(closed(event_schema(event_type))) for name, event_type in TABLE.items()}
QUARANTINE = Draft202012Validator(closed(quarantine_schema()))
