"""A span as a value: what it says once it is over. Pure.

The library's own spans take 25 µs to make, on the event loop, since they guard against threads and limits that play no
part here; a value that is handed over when all is known takes a fifth of that.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from bridge.trace_context import TraceContext

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
