"""One trace from a caller through the request to the record on Kafka, whatever becomes of the event in between."""

from io import BytesIO
from typing import Any

import aiohttp
import orjson
import pytest
from opentelemetry import propagate, trace

from bridge.catalogue.samples import sample
from tests.e2e.bridge_process import Bridge
from tests.e2e.conftest import MakeBridge
from tests.flow.collector import Collector, Taken
from tests.flow.running import TOKEN, authorized
from tests.kafka_broker import ReadRecord, read_records

pytestmark = pytest.mark.kafka

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
KEPT = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=opaque"}
NOWHERE = "127.0.0.1:1"


async def post(bridge: Bridge, body: Any, **headers: str) -> int:
    url = f"http://127.0.0.1:{bridge.port}/webhooks/treble/read"
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=BytesIO(orjson.dumps(body)), headers={**authorized(), **headers}) as answer,
    ):
        return answer.status


def traceparent(record: ReadRecord) -> str:
    return record.headers["traceparent"].decode()


def one(spans: list[Taken], name: str, **attributes: Any) -> Taken:
    wanted = {f"treble_bridge.{key}": value for key, value in attributes.items()}
    (found,) = [span for span in spans if span.name == name and wanted.items() <= span.attributes.items()]
    return found


async def test_one_trace_leads_from_the_caller_through_the_request_to_the_record(make_bridge: MakeBridge) -> None:
    body = sample("message.read", session_id="s-1")
    async with Collector() as collector:
        bridge = make_bridge(tracing={"enabled": True, "endpoint": collector.endpoint})
        await bridge.start()
        assert await post(bridge, body, **KEPT) == 200
        await bridge.drained()
        assert await post(bridge, body) == 200  # the same once more
        assert await post(bridge, {"hello": "world", "session_id": ""}) == 200
        await bridge.drained()
        assert await bridge.stop() == 0, "what waits is sent at the end"
    (record,) = await read_records(bridge.bootstrap, bridge.topic("message.read"))
    (quarantined,) = await read_records(bridge.bootstrap, bridge.quarantine)

    request = one(collector.spans, "POST /webhooks/treble/{hint}", **{"entry.id": 1})
    assert (request.kind, request.trace_id, request.parent, request.state) == ("server", TRACE, CALLER, "vendor=opaque")
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["treble_bridge.hint"] == "read"
    assert 0 < request.moments["journal.commit"]["treble_bridge.journal.commit.duration"] <= request.seconds
    assert request.resource["service.name"] == "treble-bridge"

    event = one(collector.spans, f"send {record.topic}")
    assert (event.kind, event.trace_id, event.parent) == ("producer", TRACE, request.span_id)
    assert event.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
        "messaging.message.id": record.headers["ce_id"].decode(),
        "treble_bridge.source": "treble",
        "treble_bridge.entry.id": 1,
        "treble_bridge.event.type": "message.read",
        "treble_bridge.outcome": "forwarded",
    }
    assert traceparent(record) == f"00-{TRACE}-{event.span_id}-01"
    context = propagate.extract({name: value.decode() for name, value in record.headers.items()})
    parent = trace.get_current_span(context).get_span_context()
    assert f"{parent.span_id:016x}" == event.span_id, "what consumers do is below the event's span"
    assert parent.trace_flags.sampled
    assert record.headers["tracestate"] == b"vendor=opaque"

    transactions = {span.links[0]: span for span in collector.named("kafka transaction")}
    transaction = transactions[TRACE, event.span_id]
    assert (transaction.kind, transaction.parent) == ("client", "")
    assert transaction.attributes["messaging.batch.message_count"] == 1
    assert transaction.attributes["treble_bridge.outcome"] == "committed"

    copy = one(collector.spans, "POST /webhooks/treble/{hint}", **{"entry.id": 2})
    assert (copy.parent, copy.trace_id == TRACE) == ("", False), "without a caller's, a trace begins here"
    duplicate = one(collector.spans, "duplicate message.read", **{"entry.id": 2})
    assert (duplicate.kind, duplicate.trace_id, duplicate.parent) == ("internal", copy.trace_id, copy.span_id)

    refused = one(collector.spans, f"send {quarantined.topic}")
    assert refused.attributes["treble_bridge.outcome"] == "quarantined"
    assert refused.attributes["treble_bridge.quarantine.reason"] == quarantined.headers["treble_reason"].decode()
    assert traceparent(quarantined).split("-")[1:3] == [refused.trace_id, refused.span_id]
    private = (TOKEN, body["cellphone"], "s-1", "hello")
    assert [word for word in private if word.encode() in collector.raw] == []


async def test_a_trace_joins_across_a_kill_between_the_answer_and_the_forwarding(make_bridge: MakeBridge) -> None:
    async with Collector() as collector:
        bridge = make_bridge(tracing={"enabled": True, "endpoint": collector.endpoint})
        bridge.configure(kafka={"bootstrap_servers": [NOWHERE]})
        await bridge.start()
        assert await post(bridge, sample("message.read", session_id="s-1"), **KEPT) == 200
        (request,) = await collector.until(lambda: collector.named("POST /webhooks/treble/{hint}"), "the request's")
        bridge.kill()
        assert len(collector.spans) == 1
        bridge.configure(kafka={"bootstrap_servers": [bridge.bootstrap]})
        await bridge.start()
        await bridge.drained()
        (event,) = await collector.until(
            lambda: collector.named(f"send {bridge.topic('message.read')}"), "the event's, by the second process"
        )
    assert (event.trace_id, event.parent) == (request.trace_id, request.span_id) == (TRACE, request.span_id)
    (record,) = await read_records(bridge.bootstrap, bridge.topic("message.read"))
    assert traceparent(record) == f"00-{TRACE}-{event.span_id}-01"


async def test_a_transaction_that_is_not_taken_shows_and_the_event_has_one_span(make_bridge: MakeBridge) -> None:
    async with Collector() as collector:
        bridge = make_bridge(
            tracing={"enabled": True, "endpoint": collector.endpoint},
            server={"max_body": "2MiB"},
            kafka={"compression": "none"},
        )
        await bridge.start()
        body = sample("message.read", session_id="s-1")
        body["user_session_keys"] = [{"key": "long", "value": "x" * 1_200_000}]  # more than a broker takes
        assert await post(bridge, body, **KEPT) == 200
        await bridge.drained()
        await collector.until(lambda: collector.named(f"send {bridge.quarantine}"), "the event's")
    (request,) = collector.named("POST /webhooks/treble/{hint}")
    first, *_, last = collector.named("kafka transaction")
    assert (first.attributes["treble_bridge.outcome"], first.failed) == ("aborted", True)
    assert first.attributes["error.type"]
    assert first.links == [(TRACE, request.span_id)], "what was not taken has no span of its own"
    assert (last.attributes["treble_bridge.outcome"], last.failed) == ("committed", False)
    (event,) = [span for span in collector.spans if span.kind == "producer"]
    assert event.attributes["treble_bridge.quarantine.reason"] == "refused_by_kafka"
    assert event.parent == request.span_id
