"""What consumers find in `data`, as JSON Schema 2020-12, derived from the table."""

from collections.abc import Iterator

from bridge.catalogue.definition import EventType
from bridge.catalogue.shapes import Schema, object_schema


def data_schema(event_type: EventType) -> Schema:
    """The schema of the `data` of one event type."""
    return object_schema(
        event_type.fires,
        {field.name: field.shape.schema for field in event_type.fields},
        tuple(field.name for field in event_type.fields if field.required),
    )


def time_paths(event_type: EventType) -> tuple[tuple[str, ...], ...]:
    """Where times stand in the `data` of one event type; lists are not named."""
    return tuple(_times(data_schema(event_type), ()))


def _times(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if schema.get("format") == "date-time":
        yield path
    if "items" in schema:
        yield from _times(schema["items"], path)
    for name, member in schema.get("properties", {}).items():
        yield from _times(member, (*path, name))
