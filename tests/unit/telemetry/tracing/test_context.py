"""What a `traceparent` says, and what stands in its place for a child."""

import pytest

from bridge.telemetry.tracing.context import TraceContext, is_traceparent, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("text", "flags", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", "01", True),
        (f"00-{TRACE}-{SPAN}-00", "00", False),
        (f"00-{TRACE}-{SPAN}-03", "03", True),
        (f"00-{TRACE}-{SPAN}-02", "02", False),
        (f"00-{TRACE}-{SPAN}-fd", "01", True),
        (f"cc-{TRACE}-{SPAN}-01", "01", True),
    ],
)
def test_the_callers_decision_is_in_the_flags(text: str, flags: str, sampled: bool) -> None:
    context = parse(text)
    assert context == TraceContext(TRACE, SPAN, flags)
    assert context.sampled is sampled
    child = context.child("1" * 16)
    assert child.header == f"00-{TRACE}-{'1' * 16}-{flags}"
    assert parse(child.header) == child


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_not_valid_is_no_trace(text: str) -> None:
    assert parse(text) is None
    assert not is_traceparent(text)
