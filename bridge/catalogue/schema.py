"""What consumers find in `data`, as JSON Schema 2020-12, derived from the table."""

from bridge.catalogue.definition import EventType
from bridge.catalogue.shapes import Schema, object_schema


def data_schema(event_type: EventType) -> Schema:
    """The schema of the `data` of one event type."""
    return object_schema(
        event_type.fires,
        {field.name: field.shape.schema for field in event_type.fields},
        tuple(field.name for field in event_type.fields if field.required),
    )
