"""The span of a request: whose trace it belongs to, whether there is one, what it says."""

import asyncio

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from bridge.telemetry.tracing.context import Span, parse
from bridge.telemetry.tracing.requests import RequestTraces

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_new_traces_are_kept_as_other_programs_would_decide_it(share: float) -> None:
    traces, theirs = RequestTraces(share, lambda span: None), TraceIdRatioBased(share)
    for _ in range(500):
        traceparent, state, trace = traces.begin(None, "vendor=1")
        context = parse(traceparent)
        assert context is not None
        kept = theirs.should_sample(None, int(context.trace_id, 16), "").decision is Decision.RECORD_AND_SAMPLE
        assert (context.sampled, trace is not None, state) == (kept, kept, None)


def test_a_request_in_a_trace_is_a_child_of_its_caller() -> None:
    spans: list[Span] = []
    traceparent, state, trace = RequestTraces(0.0, spans.append).begin(f"00-{TRACE}-{CALLER}-01", "vendor=1")
    assert trace is not None
    trace.answered("POST /x", {"a": 1}, 0.25)
    (span,) = spans
    assert (span.context.header, state) == (traceparent, "vendor=1")
    assert span.context.trace_id == TRACE
    assert span.context.span_id != CALLER
    assert span.parent is not None
    assert (span.parent.span_id, span.parent_is_remote, span.state) == (CALLER, True, "vendor=1")
    assert span.end_ns - span.start_ns == 250_000_000


@pytest.mark.parametrize("outcome", ["stored", "pending", "failed", "cancelled"])
async def test_the_entrys_id_and_the_commit_are_said_of_what_is_stored(outcome: str) -> None:
    spans: list[Span] = []
    _, _, trace = RequestTraces(1.0, spans.append).begin(None, None)
    assert trace is not None
    trace.stored = future = asyncio.get_running_loop().create_future()
    if outcome == "stored":
        future.set_result(4711)
    elif outcome == "failed":
        future.set_exception(OSError("disk"))
    elif outcome == "cancelled":
        future.cancel()
    trace.answered("POST /x", {}, 0.001, "" if outcome == "stored" else "unconfirmed")
    (span,) = spans
    stored = outcome == "stored"
    assert (span.attributes.get("treble_bridge.entry.id"), len(span.moments)) == ((4711, 1) if stored else (None, 0))
    assert span.error == ("" if stored else "unconfirmed")
