"""W3C Trace Context: what `traceparent` says, and what stands in its place for a child. Pure.

Ids of traces and spans: random, in hex. That one is zero, which would be no id, is not going to happen.

A span as a value: what it says once it is over. Pure.

The library's own spans take 25 µs to make, on the event loop, since they guard against threads and limits that play no
part here; a value that is handed over when all is known takes a fifth of that.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from random import getrandbits
from typing import Final, Literal, NamedTuple

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


TRACE_IDS = 1 << 64
"""How many there are by their last 64 bits, which is what sampling goes by: here as in other programs."""


def new_span_id() -> str:
    """16 hex digits."""
    return f"{getrandbits(64):016x}"


def new_trace() -> tuple[str, str]:
    """The ids of a trace and of its first span: 32 and 16 hex digits."""
    digits = f"{getrandbits(192):048x}"
    return digits[:32], digits[32:]


def is_sampled(trace_id: str, sampled_below: int) -> bool:
    """Whether a trace is among the share of all that `sampled_below` stands for."""
    return int(trace_id[16:], 16) < sampled_below


Kind = Literal["server", "producer", "client", "internal"]
Attributes = Mapping[str, str | int | float | bool]

LINKS_MAX: Final = 128
"""What collectors take of a span by default."""


class Moment(NamedTuple):
    """Something that happened within a span: its time in nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Attributes


class Span(NamedTuple):
    """A finished span. Times are nanoseconds since the epoch.

    `parent_is_remote`: the parent is another process's span. `state` is the `tracestate` of its trace. `error` says
    what was wrong, "" where nothing was.
    """

    name: str
    kind: Kind
    context: TraceContext
    parent: TraceContext | None
    start_ns: int
    end_ns: int
    attributes: Attributes
    parent_is_remote: bool = False
    state: str | None = None
    moments: Sequence[Moment] = ()
    links: Sequence[TraceContext] = ()
    error: str = ""


Emit = Callable[[Span], None]
"""Takes a finished span; never waits, never raises."""
