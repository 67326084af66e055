"""Each type of webhook, sent as Treble sends it, becomes one event on its topic, as consumers were promised."""

import base64
import datetime as dt
from typing import Any

import orjson
import pytest
from aiokafka.partitioner import murmur2

from bridge.catalogue import TABLE, UNKNOWN
from bridge.catalogue.samples import hint_for, sample
from tests.e2e.bridge_process import Bridge
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import value_of
from tests.e2e.load import post
from tests.kafka_broker import ReadRecord, read_records

pytestmark = pytest.mark.kafka

PARTITIONS = 5
TEMPLATE, PHONE = "order_on_its_way", "+573005550134"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# What the murmur2 of Java's client gives for these, from its own tests.
JAVAS = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
TYPES = sorted(TABLE)
KEYED_OTHERWISE = {"hsm.status_changed": TEMPLATE, "deployment.failed": PHONE}
QUARANTINED: list[tuple[bytes, int, str]] = [
    (b"{'not': json}", 400, "not_json"),
    (b'{"read_at": "2026-06-22 15:19:08", "text": "\xff"}', 400, "not_json"),
    (b"[1, 2]", 200, "not_object"),
    (b'{"hello": "world"}', 200, "unclassified"),
    (b'{"read_at": "yesterday", "session_id": "s"}', 200, "invalid"),
    (b'{"read_at": "2026-06-22 15:19:08", "session_id": ""}', 200, "invalid"),
]


async def send(bridge: Bridge, bodies: dict[str, dict[str, Any]]) -> None:
    for event_type, body in bodies.items():
        path = f"/webhooks/treble/{hint_for(event_type)}".rstrip("/")
        assert await post(bridge.port, path, orjson.dumps(body)) == 200
    await bridge.drained()


async def event_of(bridge: Bridge, event_type: str) -> ReadRecord:
    (record,) = await read_records(bridge.bootstrap, bridge.topic(event_type))
    return record


async def test_nine_types_and_unknown_arrive_with_key_partition_time_headers_and_envelope(
    make_bridge: MakeBridge,
) -> None:
    bridge = make_bridge(topics={"partitions": PARTITIONS})
    sessions = dict(zip(TYPES, [*JAVAS, "one-more", "and-another", "and-one", "last"], strict=True))
    bodies = {event_type: sample(event_type, session_id=sessions[event_type]) for event_type in TYPES}
    await bridge.start()
    before = dt.datetime.now(dt.UTC)
    await send(bridge, bodies)
    assert len(TYPES) == 10
    for event_type in TYPES:
        record = await event_of(bridge, event_type)
        envelope, headers = value_of(record), {name: value.decode() for name, value in record.headers.items()}
        key = KEYED_OTHERWISE.get(event_type, sessions[event_type])
        assert record.key == key.encode()
        assert record.partition == (JAVAS.get(key, murmur2(record.key)) & 0x7FFFFFFF) % PARTITIONS
        received_at = dt.datetime.fromisoformat(envelope["received_at"])
        assert before - dt.timedelta(milliseconds=1) <= received_at <= dt.datetime.now(dt.UTC)
        assert record.timestamp_ms == round(received_at.timestamp() * 1000)
        assert envelope["type"] == event_type
        assert envelope["source"] == "treble"
        assert envelope["schema_version"] == 1
        assert envelope["raw"] == bodies[event_type]
        assert None not in envelope.values()
        subject = {"ce_subject": envelope["session_id"]} if "session_id" in envelope else {}
        assert headers == {
            "ce_specversion": "1.0",
            "ce_id": envelope["id"],
            "ce_type": f"ai.treble.{event_type}.v1",
            "ce_source": "/treble/treble",
            "ce_time": envelope["occurred_at"],
            **subject,
            "ce_dataschema": f"urn:treble-bridge:schema:{event_type}:v1",
            "content-type": "application/json",
        }
    assert value_of(await event_of(bridge, "message.read"))["contact"]["phone"] == PHONE
    assert await read_records(bridge.bootstrap, bridge.quarantine) == []


async def test_what_is_not_understood_is_quarantined_with_the_reason_and_its_raw_bytes(
    make_bridge: MakeBridge,
) -> None:
    bridge = make_bridge()
    await bridge.start()
    for body, status, _ in QUARANTINED:
        assert await post(bridge.port, "/webhooks/treble", body) == status
    assert await post(bridge.port, "/webhooks/treble", b'{"hello": "world"}', token="wrong") == 401
    await bridge.drained()
    records = await read_records(bridge.bootstrap, bridge.quarantine)
    found = {}
    for record in records:
        value = value_of(record)
        raw = base64.b64decode(value["raw"]) if value["raw_encoding"] == "base64" else value["raw"].encode()
        found[raw] = value["reason"]
        assert record.headers["treble_reason"].decode() == value["reason"]
        assert record.key == value["id"].encode()
        assert value["problems"]
        assert value["problems"][0]["message"]
        assert not value["truncated"]
    assert found == {body: reason for body, _, reason in QUARANTINED}
    assert len(records) == len(QUARANTINED)


@pytest.mark.parametrize("form", ["cloudevents-structured", "plain"])
async def test_the_other_formats_carry_the_same_envelope(make_bridge: MakeBridge, form: str) -> None:
    bridge = make_bridge(kafka={"format": form})
    bodies = {event_type: sample(event_type) for event_type in TYPES if event_type != UNKNOWN}
    await bridge.start()
    await send(bridge, bodies)
    for event_type, body in bodies.items():
        record = await event_of(bridge, event_type)
        value, content_type = value_of(record), record.headers["content-type"]
        assert set(record.headers) == {"content-type"}
        if form == "plain":
            envelope = value
            assert content_type == b"application/json"
        else:
            envelope = value["data"]
            assert content_type == b"application/cloudevents+json; charset=utf-8"
            assert (value["specversion"], value["id"]) == ("1.0", envelope["id"])
            assert value["type"] == f"ai.treble.{event_type}.v1"
        assert envelope["type"] == event_type
        assert envelope["raw"] == body
