"""What was released stays: today's schemas and AsyncAPI document only add to those in schemas/v1/."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.catalogue import TABLE
from bridge.schemas.asyncapi import asyncapi
from bridge.schemas.event import event_schema
from bridge.schemas.generate import documents
from tests.unit.schemas.additions import Schema, breaks

RELEASED = Path(__file__).parents[3] / "schemas" / "v1"
ASYNCAPI = "asyncapi"
NAMES = sorted(file.stem for file in RELEASED.glob("*.json") if file.stem != ASYNCAPI)


def released(name: str) -> Schema:
    schema: Schema = json.loads((RELEASED / f"{name}.json").read_text(encoding="utf-8"))
    return schema


def today(name: str) -> Schema:
    schema: Schema = json.loads(documents()[f"v1/{name}.json"])
    return schema


@pytest.mark.parametrize("name", NAMES)
def test_today_s_schema_only_adds_to_the_released_one(name: str) -> None:
    assert name == "quarantine" or name in TABLE, "the event type is gone"
    assert list(breaks(released(name), today(name))) == []


def test_today_s_topics_messages_and_headers_are_those_that_were_released_or_more() -> None:
    old, new = released(ASYNCAPI), asyncapi()
    for topic, channel in old["channels"].items():
        assert channel["messages"].items() <= new["channels"][topic]["messages"].items()
    for name, message in old["components"]["messages"].items():
        now = new["components"]["messages"][name]
        assert list(breaks(message["headers"], now["headers"])) == []
        assert (message["name"], message["contentType"]) == (now["name"], now["contentType"])
    for name, schema in old["components"]["schemas"].items():
        assert list(breaks(schema, new["components"]["schemas"][name])) == []


def test_the_nine_types_and_the_quarantine_were_released() -> None:
    assert len(NAMES) >= 11
    assert {"message.read", "unknown", "quarantine"} <= set(NAMES)


def data(schema: Schema) -> dict[str, Any]:
    properties: dict[str, Any] = schema["properties"]["data"]["properties"]
    return properties


def rename(schema: Schema) -> None:
    data(schema)["text_sent"] = data(schema).pop("sent_text")


CHANGES: dict[str, tuple[Callable[[Schema], Any], list[str]]] = {
    "nothing": (lambda schema: None, []),
    "a property more": (lambda schema: data(schema).update(emoji={"type": "string"}), []),
    "better words": (lambda schema: schema.update(description="When it was read."), []),
    "a value more": (lambda schema: data(schema)["question"]["properties"]["type"]["examples"].append("x"), []),
    "a property less": (lambda schema: data(schema).pop("sent_text"), ["data.sent_text is gone"]),
    "another name": (rename, ["data.sent_text is gone"]),
    "a deep one less": (
        lambda schema: data(schema)["question"]["properties"].pop("answers"),
        ["data.question.answers is gone"],
    ),
    "another type": (
        lambda schema: data(schema)["sent_text"].update(type="integer"),
        ["data.sent_text: type was string and is integer"],
    ),
    "a narrower one": (
        lambda schema: data(schema)["sent_text"].update(maxLength=10),
        ["data.sent_text: maxLength was None and is 10"],
    ),
    "another item": (
        lambda schema: data(schema)["question"]["properties"]["answers"]["items"].update(type="object"),
        ["data.question.answers[]: type was string and is object"],
    ),
    "required": (
        lambda schema: schema["properties"]["data"].update(required=["read_at"]),
        ["data: read_at is required now"],
    ),
    "not required": (lambda schema: schema["required"].remove("id"), ["event: id may be absent now"]),
    "closed": (
        lambda schema: schema.update(additionalProperties=False),
        ["event: additionalProperties was None and is False"],
    ),
    "a value less": (
        lambda schema: data(schema)["question"]["properties"]["type"]["examples"].remove("open"),
        ["data.question.type: the value open is gone"],
    ),
    "another id": (
        lambda schema: schema.update({"$id": "urn:x"}),
        ["event: $id was urn:treble-bridge:schema:message.read:v1 and is urn:x"],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_more_than_an_addition_is_told(change: str) -> None:
    old = event_schema(TABLE["message.read"])
    new = copy.deepcopy(old)
    make, expected = CHANGES[change]
    make(new)
    assert list(breaks(old, new)) == expected
