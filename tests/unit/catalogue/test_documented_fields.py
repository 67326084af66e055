"""Every field of a documented body has its typed place in the event: a consumer need not look into `raw`."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from bridge.catalogue import TABLE
from bridge.catalogue.samples import hint_for, sample
from bridge.transform.cloudevents import envelope
from tests.unit.webhooks import event

SAMPLES = [(name, variant) for name in TABLE if name != "unknown" for variant in TABLE[name].samples]
# Treble's field → the part of the event that holds it, where the name differs or its form does.
SAID_BY_THE_TYPE = {"event_type"}
SAID_BY_THE_VALUE = {"user_session_keys[].type"}  # a location is an object, all else is text

PROMISED = {
    "message.delivered": {"question", "sent_at", "sent_text", "delivered_at", "business_scope_id"},
    "message.read": {"question", "sent_at", "sent_text", "read_at", "business_scope_id"},
    "message.responded": {
        "question", "sent_at", "sent_text", "responded_at", "actual_response", "classified_answer", "business_scope_id",
    },
    "message.timed_out": {"question", "timeout_at", "business_scope_id"},
    "contact.opted_out": {
        "question", "sent_at", "sent_text", "classified_answer", "reason", "business_scope_id",
    },
    "condition.evaluated": {"variable", "condition", "business_scope_id"},
    "hsm.status_changed": {"template", "status", "category", "reason", "affected_flow_ids", "timestamp"},
    "conversation.closed": {"closed_at", "timestamp", "template", "messages"},
    "deployment.failed": {"failure_reason", "failed_at", "timestamp"},
}  # fmt: skip


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from leaves(part, f"{path}[]")
    elif value is not None:
        yield path, value


def form(value: Any) -> str:
    """A value as text that is the same on both sides: times with or without marks, numbers as text."""
    text = str(value).lstrip("+")
    if text[4:5] == "-" and text[13:14] == ":":
        return text.replace("T", " ").rstrip("Z").ljust(len("2026-06-22 15:19:08."), ".").ljust(26, "0")
    return text


@pytest.mark.parametrize(("name", "variant"), SAMPLES)
def test_every_value_of_a_body_is_somewhere_outside_raw(name: str, variant: str) -> None:
    body = sample(name, variant=variant)
    out = envelope(event(body, hint_for(name)))
    del out["raw"]
    placed = {form(value) for _, value in leaves(out)} | set(out.get("session_keys", {}))
    for path, value in leaves(body):
        if path in SAID_BY_THE_TYPE | SAID_BY_THE_VALUE:
            continue
        if isinstance(value, str) and value.startswith("{"):
            assert {form(part) for _, part in leaves(orjson.loads(value))} <= placed, path
        else:
            assert form(value) in placed, path


@pytest.mark.parametrize("name", PROMISED)
def test_the_fields_of_data_are_those_that_consumers_know(name: str) -> None:
    assert {field.name for field in TABLE[name].fields} == PROMISED[name]


def test_places_have_types() -> None:
    answered = event(sample("message.responded"), "response")
    assert answered.data["responded_at"] == "2026-06-22T15:19:08.000000Z"
    assert answered.data["question"] == {
        "type": "closed",
        "text": answered.data["sent_text"],
        "answers": ["Yes, all day", "Another day"],
    }
    assert (answered.data["actual_response"], answered.data["classified_answer"]) == (
        "yes, we are here",
        "Yes, all day",
    )
    assert (answered.flow_id, type(answered.flow_id)) == ("48213", str)
    assert answered.session_keys is not None
    assert answered.session_keys["place"] == {"latitude": 4.6512, "longitude": -74.0557, "address": "Calle 72 #10-34"}
    template = event(sample("hsm.status_changed"))
    assert template.data["affected_flow_ids"] == ["48213", "48220"]
    said = event(sample("conversation.closed")).data["messages"]
    assert [(message["sender"], message["kind"]) for message in said] == [
        ("company", "hsm"),
        ("user", "text"),
        ("user", "image"),
    ]
    assert said[1]["text"] == "yes, we are here"
    assert said[2]["media"] == {"url": "https://media.example/8c1f.jpg", "caption": "the blue door"}
    assert all(message["created_at"].endswith("Z") for message in said)


def test_what_was_lenient_is_said_in_the_event() -> None:
    body = {**sample("message.read"), "cellphone": 3005550134, "plan": "gold"}
    out = envelope(event(body, "read"))
    assert set(out["notes"]) == {"cellphone_was_number", "unknown_field:plan"}
