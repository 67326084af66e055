"""The AsyncAPI document describes the topics of the configuration that it is made for, and gives nothing away."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from bridge.catalogue import TABLE
from bridge.schemas.asyncapi import asyncapi
from bridge.settings.models import Settings
from bridge.transform.prepare import Preparer
from tests.unit.schemas.strictness import closed
from tests.unit.webhooks import settings

FORMATS = ("cloudevents-binary", "cloudevents-structured", "plain")


def messages(document: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = document["components"]["messages"]
    return made


def keys(document: dict[str, Any]) -> dict[str, str]:
    """What each message's key is."""
    found = {name: message["bindings"]["kafka"]["key"] for name, message in messages(document).items()}
    return {name: key["description"] for name, key in found.items()}


def test_by_default_every_type_has_a_topic_of_its_own_and_there_is_the_quarantine() -> None:
    document = asyncapi()
    on_topic = {topic: list(channel["messages"]) for topic, channel in document["channels"].items()}
    assert on_topic == {f"treble.{name}": [name] for name in [*TABLE, "quarantine"]}
    assert [operation["action"] for operation in document["operations"].values()] == ["send"] * len(on_topic)


def test_it_follows_the_configuration() -> None:
    given = settings(
        kafka={"bootstrap_servers": ["k0:9092", "k1:9092"]},
        topics={
            "partitions": 12,
            "map": {
                "message.read": "crm.receipts",
                "message.delivered": "crm.receipts",
                "conversation.closed": {"topic": "crm.closed", "key": "phone", "retention": "30d"},
                "message.timed_out": {"drop": True},
            },
        },
    )
    document = asyncapi(given)
    assert document["channels"].keys() == Preparer(given, "j").topics().keys()
    assert set(document["channels"]["crm.receipts"]["messages"]) == {"message.read", "message.delivered"}
    assert "message.timed_out" not in messages(document)
    binding = document["channels"]["crm.closed"]["bindings"]["kafka"]
    assert (binding["partitions"], binding["topicConfiguration"]) == (12, {"retention.ms": 30 * 86_400_000})
    assert {server["host"] for server in document["servers"].values()} == {"k0:9092", "k1:9092"}
    assert keys(document)["conversation.closed"].startswith("UTF-8, never empty: the phone in E.164, else the conv")


def test_the_default_keys_are_said_in_words() -> None:
    found = keys(asyncapi())
    assert found["message.read"] == (
        "UTF-8, never empty: the conversation's id, "
        "else the phone in E.164, else WhatsApp's id of the person (BSUID), else the event's id."
    )
    assert found["hsm.status_changed"].startswith("UTF-8, never empty: the template's name")


@pytest.mark.parametrize("record_format", FORMATS)
def test_every_example_fits_its_headers_and_its_payload(record_format: str) -> None:
    document = asyncapi(settings(kafka={"format": record_format}))
    for name, message in messages(document).items():
        payload = closed(document["components"]["schemas"][name])
        for dialect in (Draft7Validator, Draft202012Validator):  # AsyncAPI's own is a superset of the former
            for example in message["examples"]:
                dialect(payload).validate(example["payload"])
                dialect(closed(message["headers"])).validate(example["headers"])
                assert example["headers"]["content-type"] == message["contentType"]


def test_event_types_of_the_configuration_s_own_have_their_topic_and_no_schema_s_name() -> None:
    own = {"agent.assigned": {"when": {"event_type": "agent.assigned"}, "key": "agent.id", "topic": "crm.agents"}}
    document = asyncapi(settings(events=own))
    assert document["channels"]["crm.agents"]["messages"].keys() == {"agent.assigned"}
    message = messages(document)["agent.assigned"]
    assert "ce_dataschema" not in message["headers"]["properties"]
    assert message["headers"]["properties"]["ce_type"]["const"] == "ai.treble.agent.assigned.v1"
    assert "$id" not in document["components"]["schemas"]["agent.assigned"]
    assert keys(document)["agent.assigned"].startswith("UTF-8, never empty: what stands at the path")


def test_no_secret_of_the_configuration_is_in_it() -> None:
    given = Settings.model_validate(
        {
            "kafka": {
                "bootstrap_servers": ["k:9093"],
                "security": {
                    "protocol": "SASL_SSL",
                    "mechanism": "SCRAM-SHA-512",
                    "username": "bridge-user",
                    "password": "a-password-to-hide",
                },
            },
            "sources": {"treble": {"auth": [{"bearer": ["a-token-to-hide"]}]}},
        }
    )
    document = asyncapi(given)
    text = json.dumps(document)
    assert "to-hide" not in text
    assert "bridge-user" not in text
    assert '"kafka-secure"' in text
