"""W3C Trace Context: what `traceparent` says, and what stands in its place for a child. Pure."""

import re
from typing import NamedTuple

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII
)
_SAMPLED = "13579bdf"  # the last digit's lowest bit
_KNOWN_FLAGS = 0x03  # sampled, random trace id


class TraceContext(NamedTuple):
    """One span's place: the trace, the span, and the trace's flags, all in hex as they are sent."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> str:
        """The value of `traceparent` that makes what reads it a child of this span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def sampled(self) -> bool:
        """Whether whoever began the trace decided that its spans are kept."""
        return self.flags[1] in _SAMPLED

    def child(self, span_id: str) -> "TraceContext":
        """The place of a span below this one."""
        return TraceContext(self.trace_id, span_id, self.flags)


def is_traceparent(text: str) -> bool:
    """Whether this is a `traceparent` as of version 00."""
    return _TRACEPARENT.fullmatch(text) is not None


def parse(text: str) -> TraceContext | None:
    """What a `traceparent` says, None where it is not valid. Flags that version 00 doesn't know are left out."""
    match = _TRACEPARENT.fullmatch(text)
    if match is None:
        return None
    _, trace_id, span_id, flags = match.groups()
    return TraceContext(trace_id, span_id, f"{int(flags, 16) & _KNOWN_FLAGS:02x}")
