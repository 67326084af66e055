"""The spans of requests and of batches: which there are, whose children they are, what they say."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from bridge.model import Entry, Prepared, Record
from bridge.telemetry.span_export import LINKS_MAX
from bridge.telemetry.tracing import SLICE_SPANS, BatchTrace

TRACE, REQUEST = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
KEPT, NOT_KEPT = f"00-{TRACE}-{REQUEST}-01", f"00-{TRACE}-{REQUEST}-00"

Make = Callable[..., Any]


def ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def header(span: ReadableSpan) -> str:
    trace_id, span_id = ids(span)
    return f"00-{trace_id}-{span_id}-01"


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def failed(span: ReadableSpan) -> bool:
    return span.status.status_code.name == "ERROR"


# requests


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_new_traces_are_kept_as_other_programs_would_decide_it(traced: Make, share: float) -> None:
    tracing, theirs = traced(share).tracing, TraceIdRatioBased(share)
    for _ in range(500):
        traceparent, state, trace = tracing.begin_request(None, "vendor=1", time.perf_counter())
        _, trace_id, _, flags = traceparent.split("-")
        kept = theirs.should_sample(None, int(trace_id, 16), "").decision is Decision.RECORD_AND_SAMPLE
        assert (bool(int(flags, 16) & 1), trace is not None, state) == (kept, kept, None)


def test_a_request_in_a_trace_is_a_child_of_its_caller(traced: Make) -> None:
    made = traced(0.0)
    started_s = time.perf_counter() - 0.25
    traceparent, state, trace = made.tracing.begin_request(f"00-{TRACE}-{REQUEST}-01", "vendor=1", started_s)
    assert trace is not None
    trace.answered("POST /x", {"a": 1})
    (span,) = made.spans
    assert (span.name, span.kind.name, attributes(span)) == ("POST /x", "SERVER", {"a": 1})
    assert (header(span), state) == (traceparent, "vendor=1")
    assert ids(span)[0] == TRACE
    assert ids(span)[1] != REQUEST
    assert (f"{span.parent.span_id:016x}", span.parent.is_remote) == (REQUEST, True)
    assert span.context.trace_state.to_header() == "vendor=1"
    assert 0.25e9 <= span.end_time - span.start_time < 5e9


def test_a_caller_that_does_not_keep_its_trace_is_passed_on_as_it_came(traced: Make) -> None:
    assert traced(1.0).tracing.begin_request(NOT_KEPT, "vendor=1", 0.0) == (NOT_KEPT, "vendor=1", None)


@pytest.mark.parametrize("outcome", ["stored", "pending", "failed", "cancelled"])
async def test_the_entrys_id_and_the_commit_are_said_of_what_is_stored(traced: Make, outcome: str) -> None:
    made = traced()
    _, _, trace = made.tracing.begin_request(None, None, time.perf_counter())
    assert trace is not None
    trace.stored = future = asyncio.get_running_loop().create_future()
    if outcome == "stored":
        future.set_result(4711)
    elif outcome == "failed":
        future.set_exception(OSError("disk"))
    elif outcome == "cancelled":
        future.cancel()
    trace.answered("POST /x", {}, "" if outcome == "stored" else "unconfirmed")
    (span,) = made.spans
    stored = outcome == "stored"
    assert (attributes(span).get("treble_bridge.entry.id"), len(span.events)) == ((4711, 1) if stored else (None, 0))
    assert failed(span) is not stored


# batches


def entry(entry_id: int, headers: bytes) -> Entry:
    return Entry(entry_id, 0, "treble", "read", headers, b"{}")


def traced_entry(entry_id: int, traceparent: str = KEPT, **others: str) -> Entry:
    return entry(entry_id, orjson.dumps({"traceparent": traceparent, **others}))


def prepared(entry_id: int, outcome: str = "forwarded", reason: str = "") -> Prepared:
    record = Record("t.read", b"k", b'{"id": "e-1"}', (("ce_id", b"e-%d" % entry_id),), 0)
    return Prepared(
        entry_id, 0, "message.read", "t.read", None if outcome == "dropped" else record, None, outcome, reason
    )


async def begin(made: Any, *entries: Entry) -> tuple[list[Entry], BatchTrace]:
    taken, trace = await made.tracing.begin_batch(entries)
    assert trace is not None
    return taken, trace


async def test_only_entries_whose_trace_is_kept_are_taken_up_and_the_others_stay_as_they_are(traced: Make) -> None:
    entries = [
        entry(1, b""),
        traced_entry(2, NOT_KEPT),
        entry(3, orjson.dumps({"user-agent": "x", "traceparent": NOT_KEPT})),
        entry(4, b'{"traceparent":'),
        entry(5, b'["traceparent"]'),
        traced_entry(6, "nonsense"),
        entry(7, orjson.dumps({"user-agent": f'"traceparent":"{KEPT}"'})),
        traced_entry(8, f"00-{'0' * 32}-{REQUEST}-01"),
        entry(9, b'{"traceparent":"%b"' % KEPT.encode()),
        entry(10, b'[{"traceparent":"%b"}]' % KEPT.encode()),
    ]
    assert await traced().tracing.begin_batch(entries) == (entries, None)


@pytest.mark.parametrize("headers", [{"traceparent": KEPT, "a": "1"}, {"a": "1", "traceparent": KEPT}])
async def test_the_record_is_to_name_the_events_span_whoever_kept_the_entry(
    traced: Make, headers: dict[str, str]
) -> None:
    """The second is one that was stored while traces were off: its parent is the caller's span."""
    made = traced(0.0)
    (taken,), trace = await begin(made, entry(7, orjson.dumps(headers)))
    told = orjson.loads(taken.headers)
    await trace.finish([prepared(7)], [])
    (span,) = made.spans
    assert told == {"a": "1", "traceparent": header(span)}
    assert (ids(span)[0], f"{span.parent.span_id:016x}") == (TRACE, REQUEST)
    assert span.parent.is_remote, "perhaps an earlier process made it"


async def test_a_state_that_is_no_text_does_not_stop_the_forwarding(traced: Make) -> None:
    made = traced()
    await begin(made, entry(1, orjson.dumps({"traceparent": KEPT, "tracestate": 7})))
    assert made.spans == []


async def test_each_entry_says_what_became_of_it(traced: Make) -> None:
    made = traced(delivery="at_least_once")
    _, trace = await begin(made, *(traced_entry(n) for n in range(1, 6)))
    out = [prepared(1), prepared(2, "quarantined", "invalid"), prepared(3, "dropped"), prepared(4, "duplicate")]
    on_delivered = trace.sent()
    on_delivered(3, 100, [2, 1])
    trace.ended([item for item in out if item.record], "committed")
    await trace.finish(out, [prepared(5)])
    batch, *events = made.spans
    assert (batch.name, batch.kind.name, len(batch.links)) == ("kafka batch", "CLIENT", 3)
    said = {attributes(span)["treble_bridge.entry.id"]: (span.name, span.kind.name) for span in events}
    assert said == {
        1: ("send t.read", "PRODUCER"),
        2: ("send t.read", "PRODUCER"),
        3: ("dropped message.read", "INTERNAL"),
        4: ("send t.read", "PRODUCER"),
        5: ("duplicate message.read", "INTERNAL"),
    }
    outcomes = [attributes(span)["treble_bridge.outcome"] for span in events]
    assert outcomes == ["forwarded", "quarantined", "dropped", "duplicate", "duplicate"]
    places = [
        (attributes(span).get("messaging.kafka.offset"), attributes(span).get("messaging.message.id"))
        for span in events
    ]
    assert places == [(101, "e-1"), (100, "e-2"), (None, None), (None, "e-4"), (None, None)]
    assert {f"{span.parent.span_id:016x}" for span in events} == {REQUEST}


@pytest.mark.parametrize(("outcome", "names"), [("aborted", []), ("in_doubt", ["send t.read"])])
async def test_a_try_that_failed_leaves_its_transaction_and_the_events_only_where_it_is_unclear(
    traced: Make, outcome: str, names: list[str]
) -> None:
    made = traced(0.0)
    (taken,), trace = await begin(made, traced_entry(1))
    trace.sent()
    trace.ended([prepared(1)], "aborted" if outcome == "aborted" else "in_doubt", "timeout")
    transaction, *events = made.spans
    assert (transaction.name, failed(transaction), transaction.parent) == ("kafka transaction", True, None)
    assert [(span.name, failed(span)) for span in events] == [(name, True) for name in names]
    assert {attributes(span)["error.type"] for span in (transaction, *events)} == {"timeout"}
    (link,) = transaction.links
    mine = orjson.loads(taken.headers)["traceparent"].split("-")[2]
    assert f"{link.context.span_id:016x}" == (REQUEST if outcome == "aborted" else mine)


async def test_a_large_batch_has_bounded_links_and_all_its_spans(traced: Make) -> None:
    made = traced()
    count = LINKS_MAX + SLICE_SPANS * 2
    _, trace = await begin(made, *(traced_entry(n) for n in range(count)))
    out = [prepared(n) for n in range(count)]
    trace.ended(out, "committed")
    await trace.finish(out, [])
    transaction, *events = made.spans
    said = attributes(transaction)["messaging.batch.message_count"]
    assert (len(transaction.links), said) == (LINKS_MAX, count)
    assert len({ids(span) for span in events}) == count


async def test_the_loop_gets_a_turn_while_a_large_batch_begins_and_ends(traced: Make) -> None:
    made, turns = traced(), 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    _, trace = await begin(made, *(traced_entry(n) for n in range(SLICE_SPANS * 4)))
    begun = turns
    await trace.finish([prepared(n) for n in range(SLICE_SPANS * 4)], [])
    counting.cancel()
    assert (begun >= 3, turns - begun >= 3) == (True, True)


def test_where_the_environment_turns_the_sdk_off_traces_are_passed_on(
    traced: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    made = traced()
    assert made.tracing.begin_request(KEPT, "vendor=1", 0.0) == (KEPT, "vendor=1", None)
    assert made.spans == []
