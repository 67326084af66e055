"""What consumers see: the envelope's fields in their order, and CloudEvents in three forms."""

from typing import Any

import orjson
import pytest

from bridge.model import Contact, Event, Record
from bridge.transform.cloudevents import Encoder, trace_headers
from tests.unit.webhooks import FLOW, event

READ = {**FLOW, "read_at": "2026-06-22 15:19:08", "user_session_keys": [{"key": "name", "value": "Ana"}]}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = (("traceparent", TRACEPARENT.encode()), ("tracestate", b"a=1"))


def record(form: Any, made: Event, extra: tuple[tuple[str, bytes], ...] = ()) -> Record:
    return Encoder(form).record(made, "topic", b"key", extra)


def test_the_envelope_has_its_fields_in_the_promised_order() -> None:
    made = event(READ | {"plan": 1}, "read")
    value = orjson.loads(record("plain", made).value)
    assert list(value) == [
        "id", "type", "schema_version", "source", "occurred_at", "received_at",
        "contact", "session_id", "flow_id", "session_keys", "data", "notes", "raw",
    ]  # fmt: skip
    assert value == {
        "id": made.id,
        "type": "message.read",
        "schema_version": 1,
        "source": "treble",
        "occurred_at": "2026-06-22T15:19:08.000000Z",
        "received_at": "2026-06-22T15:19:09.104000Z",
        "contact": {"phone": "+573005550134", "country_code": "57", "national_number": "3005550134"},
        "session_id": "s1",
        "flow_id": "7",
        "session_keys": {"name": "Ana"},
        "data": {"read_at": "2026-06-22T15:19:08.000000Z"},
        "notes": ["unknown_field:plan"],
        "raw": READ | {"plan": 1},
    }


def test_what_is_absent_has_no_key() -> None:
    value = orjson.loads(record("plain", event({"event_type": "agent.assigned", "event_id": "e"})).value)
    assert list(value) == [
        "id", "type", "schema_version", "source", "occurred_at", "received_at", "data", "notes", "raw",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("contact", "out"),
    [
        (Contact(country_code="57"), {"country_code": "57"}),
        (Contact(None, "57", "3" * 20), {"country_code": "57", "national_number": "3" * 20}),
        (
            Contact("+529993543628", "52", "9993543628", ("+5219993543628",)),
            {
                "phone": "+529993543628",
                "country_code": "52",
                "national_number": "9993543628",
                "phone_variants": ["+5219993543628"],
            },
        ),
    ],
)
def test_a_contact_has_the_parts_that_are_there(contact: Contact, out: dict[str, Any]) -> None:
    assert orjson.loads(record("plain", event(READ)._replace(contact=contact)).value)["contact"] == out


def test_raw_is_byte_for_byte_what_was_sent() -> None:
    body = b'{ "session_id": "s1", "read_at":"2026-06-22 15:19:08", "n": 1.10, "n": 1E2, "\\u0041": "\\/" }'
    assert record("plain", event(body)).value.endswith(b'"raw":' + body + b"}")


def test_binary_cloudevents_have_their_attributes_in_headers() -> None:
    made = event(READ)
    found = record("cloudevents-binary", made, TRACE)
    assert found.headers == (
        ("ce_specversion", b"1.0"),
        ("ce_id", made.id.encode()),
        ("ce_type", b"ai.treble.message.read.v1"),
        ("ce_source", b"/treble/treble"),
        ("ce_time", b"2026-06-22T15:19:08.000000Z"),
        ("ce_subject", b"s1"),
        ("ce_dataschema", b"urn:treble-bridge:schema:message.read:v1"),
        ("content-type", b"application/json"),
        *TRACE,
    )
    assert (found.topic, found.key, found.timestamp_ms) == ("topic", b"key", made.received_at_ms)
    assert found.value == record("plain", made).value


def test_structured_cloudevents_have_the_envelope_as_data() -> None:
    made = event(READ)
    found = record("cloudevents-structured", made, TRACE)
    assert found.headers == (("content-type", b"application/cloudevents+json; charset=utf-8"), *TRACE)
    value = orjson.loads(found.value)
    assert value.pop("data") == orjson.loads(record("plain", made).value)
    assert value == {
        "specversion": "1.0",
        "id": made.id,
        "type": "ai.treble.message.read.v1",
        "source": "/treble/treble",
        "time": "2026-06-22T15:19:08.000000Z",
        "subject": "s1",
        "dataschema": "urn:treble-bridge:schema:message.read:v1",
        "datacontenttype": "application/json",
        "traceparent": TRACEPARENT,
        "tracestate": "a=1",
    }


def test_plain_records_have_no_cloudevents_headers() -> None:
    assert record("plain", event(READ), TRACE).headers == (("content-type", b"application/json"), *TRACE)


@pytest.mark.parametrize("form", ["cloudevents-binary", "cloudevents-structured"])
def test_an_event_without_session_has_no_subject(form: str) -> None:
    found = record(form, event({"event_type": "agent.assigned", "event_id": "e"}))
    assert "ce_subject" not in dict(found.headers)
    assert "subject" not in orjson.loads(found.value)


def test_attributes_carry_text_beyond_ascii_and_no_control_characters() -> None:
    found = dict(record("cloudevents-binary", event({**READ, "session_id": "niño 1", "event_id": "é-1"})).headers)
    assert (found["ce_subject"].decode(), found["ce_id"].decode()) == ("niño 1", "é-1")
    assert dict(record("cloudevents-binary", event({**READ, "session_id": "a\nb"})).headers)["ce_subject"] == b"a%0Ab"


def test_a_source_with_odd_characters_is_a_legal_reference() -> None:
    found = dict(record("cloudevents-binary", event(READ, source="casa verde/é")).headers)
    assert found["ce_source"] == b"/treble/casa%20verde%2F%C3%A9"


@pytest.mark.parametrize(
    "parent",
    [
        None,
        5,
        "",
        "garbage",
        TRACEPARENT.upper(),
        TRACEPARENT[:-1],
        TRACEPARENT + "\n",
        f"{TRACEPARENT}-00",
        f"{TRACEPARENT[:-2]}1",
        "ff" + TRACEPARENT[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_a_trace_that_is_not_valid_is_not_passed_on(parent: Any) -> None:
    assert trace_headers({"traceparent": parent, "tracestate": "a=1"}) == ()


@pytest.mark.parametrize("parent", [f"{TRACEPARENT[:-2]}00", f"{TRACEPARENT[:-2]}fd", f"cc{TRACEPARENT[2:]}"])
def test_a_valid_trace_is_passed_on_whatever_its_flags_and_version(parent: str) -> None:
    assert trace_headers({"traceparent": parent}) == (("traceparent", parent.encode()),)


@pytest.mark.parametrize("state", [None, "", 5, "a=\n1", "a=é", "a" * 513])
def test_a_valid_trace_is_passed_on_without_a_bad_state(state: Any) -> None:
    assert trace_headers({"traceparent": TRACEPARENT, "tracestate": state}) == TRACE[:1]
    assert trace_headers({"traceparent": TRACEPARENT, "tracestate": "a=1"}) == TRACE
