"""A quarantine record says why, where from, and holds the raw bytes: all of them, or says how many are missing."""

import base64
from typing import Any

import orjson
import pytest

from bridge.model import Entry, Problem, Record
from bridge.transform.dead_letter import VALUE_BYTES_MAX, body_id, record
from bridge.version import VERSION
from tests.unit.webhooks import RECEIVED_AT_MS, entry

PROBLEMS = (Problem("/session_id", "expected a text"), Problem("/read_at", "expected a time"))


def quarantined(given: Entry, **more: Any) -> tuple[Record, bool]:
    return record(given, "invalid", PROBLEMS, topic="q", journal_id="j1", **more)


def test_a_record_tells_all_that_is_known() -> None:
    given = entry(b'{"read_at": 7}', "read", headers={"x-request-id": "r1"}, entry_id=42)
    found, _ = quarantined(given, event_type="message.read")
    assert orjson.loads(found.value) == {
        "id": body_id("treble", given.body),
        "reason": "invalid",
        "problems": [
            {"pointer": "/session_id", "message": "expected a text"},
            {"pointer": "/read_at", "message": "expected a time"},
        ],
        "event_type": "message.read",
        "journal_id": "j1",
        "entry_id": 42,
        "received_at": "2026-06-22T15:19:09.104000Z",
        "source": "treble",
        "hint": "read",
        "bridge": VERSION,
        "headers": {"x-request-id": "r1"},
        "raw": '{"read_at": 7}',
        "raw_encoding": "utf-8",
        "raw_bytes": 14,
        "truncated": False,
    }
    assert (found.topic, found.timestamp_ms) == ("q", RECEIVED_AT_MS)
    assert found.headers == (("content-type", b"application/json"), ("treble_reason", b"invalid"))


def test_a_body_that_may_not_be_stored_leaves_its_size_only() -> None:
    found, truncated = quarantined(entry(b'{"cellphone": "3005550134"}'), with_raw=False)
    value = orjson.loads(found.value)
    assert (value["raw"], value["raw_bytes"], value["truncated"]) == ("", 27, True)
    assert not truncated, "the journal need not hold it for ever"


def test_the_key_is_the_events_id_or_else_that_of_the_body() -> None:
    given = entry(b"{}")
    assert quarantined(given, event_id="e1")[0].key == b"e1"
    assert quarantined(given)[0].key == body_id("treble", b"{}").encode()
    assert body_id("treble", b"{}") != body_id("second", b"{}")


@pytest.mark.parametrize("body", [b"\xff\x00\xfe", bytes(range(256))])
def test_bytes_that_are_no_text_are_in_base64(body: bytes) -> None:
    value = orjson.loads(quarantined(entry(body))[0].value)
    assert (value["raw_encoding"], base64.b64decode(value["raw"])) == ("base64", body)


@pytest.mark.parametrize("headers", [b"", b"{", b"[]", b"\xff"])
def test_headers_that_cannot_be_read_are_left_out(headers: bytes) -> None:
    given = Entry(1, 0, "treble", "", headers, b"{}")
    assert "headers" not in orjson.loads(quarantined(given)[0].value)


@pytest.mark.parametrize(
    "body",
    [
        b"a" * 1_048_576,
        b"\x01" * 1_048_576,  # six bytes each, once escaped
        "é".encode() * 524_288,
        b"a" + "é".encode() * 524_287,
        b"\xff" * 1_048_576,
        b'"' * 1_048_576,
    ],
)
def test_a_body_that_is_too_large_is_cut_to_its_first_bytes_and_says_so(body: bytes) -> None:
    found, truncated = quarantined(entry(body))
    value = orjson.loads(found.value)
    kept = value["raw"].encode() if value["raw_encoding"] == "utf-8" else base64.b64decode(value["raw"])
    assert truncated is value["truncated"] is True
    assert VALUE_BYTES_MAX // 2 < len(found.value) <= VALUE_BYTES_MAX
    assert body.startswith(kept)
    assert value["raw_bytes"] == len(body)


def test_a_cut_through_a_character_leaves_it_out_and_stays_text() -> None:
    body = "é".encode() * 1000
    for limit in range(800, 810):
        value = orjson.loads(quarantined(entry(body), value_bytes_max=limit)[0].value)
        assert value["raw_encoding"] == "utf-8"
        assert body.startswith(value["raw"].encode())


def test_a_limit_below_the_rest_of_the_record_leaves_no_body() -> None:
    found, truncated = quarantined(entry(b"x" * 100), value_bytes_max=10)
    assert (orjson.loads(found.value)["raw"], truncated) == ("", True)


def test_a_message_from_elsewhere_is_cut() -> None:
    found, _ = record(entry(b"{}"), "refused_by_kafka", (Problem("", "x" * 9999),), topic="q", journal_id="j")
    assert len(orjson.loads(found.value)["problems"][0]["message"]) == 500
