"""The sections of docs/events.md: each event type with a body and the record that it becomes."""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from bridge.catalogue import TABLE
from bridge.catalogue.definition import EventType, Evidence, KeyKind, data_schema
from bridge.schemas.asyncapi import DEFAULTS, key_meaning
from bridge.schemas.examples import JOURNAL_ID, Example, examples
from bridge.settings.models import Settings
from bridge.transform.cloudevents import schema_uri
from bridge.transform.prepare import Preparer

_PREPARER: Final = Preparer(Settings.model_validate(DEFAULTS), JOURNAL_ID)

_SAME_BODY: Final = (
    "the same body (the order of its keys and its white space don't count); two real events then [count as "
    "one](contract.md#8-duplicates)"
)

_ORDER: Final[Mapping[KeyKind, str]] = MappingProxyType(
    {
        "session": "those of one conversation on this topic, as they arrived",
        "contact": "those of one person on this topic, as they arrived",
        "phone": "those of one phone on this topic, as they arrived",
        "template": "those of one template on this topic, as they arrived",
        "event_id": "none",
    }
)
"""What has an order among the records of a topic."""


def event_types() -> Iterator[str]:
    """A section for each event type."""
    for event_type in TABLE.values():
        yield from _section(event_type)
        yield ""


def told_by(event_type: EventType) -> str:
    """What in a body, or in its URL, says that it is of this type."""
    if event_type.family.name == "unknown":
        return "any other `event_type`"
    if event_type.family.name == "global":
        evidence = f"`event_type` = `{event_type.treble}`"
    else:
        evidence = ", or ".join(map(_evidence, sorted(event_type.evidence, key=lambda each: -each.rank)))
    return f"{evidence}; else the hint {' '.join(f'`{hint}`' for hint in event_type.hints)}"


def required(event_type: EventType) -> str:
    """What a body must have, or it goes to the quarantine."""
    paths = [field.path for field in event_type.fields if field.required]
    if event_type.family.session_required:
        paths = [event_type.family.session[0], *paths]
    names = [f"`{path}`" for path in paths]
    if event_type.event_id.fallback == "reject":
        combinations = (" with ".join(f"`{path}`" for path in one) for one in event_type.event_id.enough)
        names.append(", or ".join(["`event_id`", *combinations]))
    return "; ".join(names) or "nothing"


def _section(event_type: EventType) -> Iterator[str]:
    name = event_type.name
    yield f"## `{name}`\n"
    yield f"{event_type.fires}\n"
    yield f"- at Treble: `{event_type.treble}`. {event_type.family.configured}"
    yield f"- told by: {told_by(event_type)}"
    yield f"- topic: `treble.{name}`, unless the configuration says otherwise"
    yield f"- key: {key_meaning(_PREPARER.destinations[name])}"
    yield f"- order: {_ORDER[event_type.key]}"
    yield f"- happened at: {_moment(event_type)}"
    yield f"- id: {_id(event_type)}"
    yield f"- a repetition is: {_repetition(event_type)}"
    yield f"- required: {required(event_type)}"
    yield f"- schema: `{schema_uri(name)}`, printed by `treble-bridge schemas show {name}`\n"
    yield "| in `data` | is | meaning | sent as |\n|---|---|---|---|"
    properties: dict[str, Any] = data_schema(event_type)["properties"]
    sent_as = {field.name: field.path for field in event_type.fields}
    for field, schema in properties.items():
        yield from _rows(field, schema, f"`{sent_as[field]}`")
    for example in examples(event_type, _PREPARER):
        yield ""
        yield from _example(event_type, example)


def _example(event_type: EventType, example: Example) -> Iterator[str]:
    hint = f"/{event_type.hints[0]}" if event_type.hints else ""
    yield f"A body ({example.variant}), sent to `/webhooks/treble{hint}`:\n"
    yield _json(example.body)
    yield f"\nThe record on `{example.topic}`, its key `{example.key}`:\n"
    yield "\n".join(["```text", *(f"{name}: {value}" for name, value in example.headers.items()), "```\n"])
    yield _json({**example.value, "raw": {"…": "the body above, as it was sent"}})


def _json(value: Any) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def _repetition(event_type: EventType) -> str:
    """By what two webhooks are the same event, in words."""
    if event_type.event_id.fallback == "reject":
        return "one with the same id"
    if not event_type.event_id.enough:
        return f"one with the same id, that is, with {_SAME_BODY}"
    needed = " or ".join(" and ".join(f"`{path}`" for path in one) for one in event_type.event_id.enough)
    return (
        "one with the same id; if Treble fires twice with different times, both are events. Without "
        f"{needed}: one with {_SAME_BODY}"
    )


def _evidence(evidence: Evidence) -> str:
    fields = " and ".join(f"`{field}`" for field in evidence.fields)
    if evidence.equals is not None:
        return f"{fields} = `{evidence.equals}`"
    return fields + "".join(f" without `{field}`" for field in evidence.without)


def _moment(event_type: EventType) -> str:
    paths = {field.name: field.path for field in event_type.fields}
    return ", else ".join([*(f"`{paths[name]}`" for name in event_type.own_time), "the time of arrival"])


def _id(event_type: EventType) -> str:
    fields = ", ".join(f"`{path}`" for path in event_type.event_id.fields)
    if not event_type.event_id.enough:
        return f"`event_id`, else a hash of source, type, {fields} and the whole body"
    whole = ""
    if event_type.event_id.fallback == "body":
        needed = " or ".join(" and ".join(f"`{path}`" for path in one) for one in event_type.event_id.enough)
        whole = f"; without {needed}, of the whole body too"
    return f"`event_id`, else a hash of source, type, {fields}{whole}"


def _rows(field: str, schema: dict[str, Any], sent_as: str) -> Iterator[str]:
    meaning = schema.get("description", "")
    if known := schema.get("examples"):
        meaning += f" Seen: {', '.join(f'`{value}`' for value in known)}."
    yield f"| `{field}` | {_kind(schema)} | {meaning} | {sent_as} |"
    inner = schema.get("items", schema)
    name = f"{field}[]" if "items" in schema else field
    for member, below in inner.get("properties", {}).items():
        yield from _rows(f"{name}.{member}", below, "")


def _kind(schema: dict[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "time"
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}s"
    return "text" if schema["type"] == "string" else str(schema["type"])
