"""One JSON Schema with every event type, `events.schema.json`, made from the shipped schemas for generators of types.

It says the same in another form: generators name a type after what they find first, make one of every object, and trip
over keywords that no type can hold. So each object has a name here, equal ones are one, and only what makes a type is
left.
"""

import json
from pathlib import Path
from typing import Any

from bridge.schemas import names
from bridge.schemas import text as shipped

Schema = dict[str, Any]

FILE = Path(__file__).with_name("events.schema.json")

_JAVA_PACKAGE = "com.example.treble.events"
_JAVA_INTERFACE = "com.example.treble.TrebleEvent"
_NO_EVENTS = frozenset(("quarantine",))
_SHAPE_WORDS = frozenset(("type", "const", "format", "items", "properties", "additionalProperties", "anyOf"))
_TYPE_WORDS = _SHAPE_WORDS | {"description", "required"}


def text() -> str:
    """The file's text, as today's schemas make it."""
    schemas = {name: json.loads(shipped(name)) for name in names() if name not in _NO_EVENTS}
    return json.dumps(bundle(schemas), indent=2) + "\n"


def bundle(schemas: dict[str, Schema]) -> Schema:
    """The schemas of event types, by type, as one: an object that has an event under the name of its type."""
    definitions: dict[str, Schema] = {}
    properties = {}
    for event_type, schema in sorted(schemas.items()):
        owner = schema["title"].removesuffix("Event")
        properties[event_type] = _define(schema, schema["title"], owner, definitions)
        definitions[schema["title"]]["javaInterfaces"] = [_JAVA_INTERFACE]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "TrebleEvents",
        "description": "Every event type, with the event that has it.",
        "javaType": f"{_JAVA_PACKAGE}.TrebleEvents",
        "type": "object",
        "properties": properties,
        "$defs": dict(sorted(definitions.items())),
    }


def _define(schema: Schema, name: str, owner: str, definitions: dict[str, Schema]) -> Schema:
    """Put an object among the definitions; where another one has its `name`, with the owner's name before it."""
    made = {"title": name, "javaType": f"{_JAVA_PACKAGE}.{name}", **_typed(schema)}
    if "properties" in made:
        made["properties"] = {
            field: _lifted(field, inner, owner, definitions) for field, inner in made["properties"].items()
        }
    else:
        made["existingJavaType"] = "java.util.Map<String, Object>"
        del made["javaType"]
    if definitions.get(name, made) != made:
        if name.startswith(owner):
            raise ValueError(f"{owner} has two different objects called {name}")
        return _define(schema, owner + name, owner, definitions)
    definitions[name] = made
    return {"$ref": f"#/$defs/{name}"}


def _lifted(field: str, schema: Schema, owner: str, definitions: dict[str, Schema]) -> Schema:
    """The schema of a field, with the objects in it moved to the definitions."""
    if field == "raw":
        return {"description": schema["description"], "tsType": "unknown"}
    if schema.get("type") == "object":
        return _define(schema, owner + "Data" if field == "data" else _pascal(field), owner, definitions)
    plain = _typed(schema)
    if "items" in plain:
        plain["items"] = _lifted(field.removesuffix("s"), plain["items"], owner, definitions)
    return plain


def _typed(schema: Schema) -> Schema:
    return {word: value for word, value in schema.items() if word in _TYPE_WORDS}


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
