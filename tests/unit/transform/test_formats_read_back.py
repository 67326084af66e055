"""Every format, read back by the CloudEvents SDK for Python, or as the JSON that it says it is."""

import json
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat

from bridge.catalogue import TABLE
from bridge.catalogue.samples import hint_for, sample
from bridge.model import Event, Record
from bridge.transform.cloudevents import Encoder, Format
from tests.unit.webhooks import FLOW, event

TRACE = (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)


def record(form: Format, made: Event) -> Record:
    return Encoder(form).record(made, "topic", b"key", TRACE)


def read_back(made: Record) -> Any:
    return from_kafka(KafkaMessage(dict(made.headers), made.key, made.value), JSONFormat())


@pytest.mark.parametrize("form", ["cloudevents-binary", "cloudevents-structured"])
@pytest.mark.parametrize("name", TABLE)
def test_the_sdk_reads_the_same_event_out_of_both_cloudevents_forms(name: str, form: Format) -> None:
    made = event(sample(name), hint_for(name))
    found = read_back(record(form, made))
    assert (found.get_id(), found.get_type(), found.get_source()) == (made.id, f"ai.treble.{name}.v1", "/treble/treble")
    assert found.get_subject() == made.session_id
    assert found.get_time().isoformat().replace("+00:00", "Z")[:19] == made.occurred_at[:19]
    assert found.get_dataschema() == f"urn:treble-bridge:schema:{name}:v1"
    assert found.get_datacontenttype() == "application/json"
    assert found.get_extension("partitionkey") == "key"
    assert found.get_data() == json.loads(record("plain", made).value)


def test_text_that_headers_carry_badly_comes_back_whole() -> None:
    made = event({**FLOW, "read_at": "2026-06-22 15:19:08", "session_id": "niño 1", "event_id": "é-1"})
    found = read_back(record("cloudevents-binary", made))
    assert (found.get_id(), found.get_subject()) == ("é-1", "niño 1")


def test_the_trace_is_an_attribute_of_the_structured_form() -> None:
    made = event(sample("message.read"))
    assert read_back(record("cloudevents-structured", made)).get_extension("traceparent") == TRACE[0][1].decode()


def test_plain_is_the_envelope_in_json_and_no_cloudevent() -> None:
    made = record("plain", event(sample("message.read")))
    assert dict(made.headers)["content-type"] == b"application/json"
    assert not [name for name, _ in made.headers if name.startswith("ce_")]
    assert json.loads(made.value)["type"] == "message.read"
