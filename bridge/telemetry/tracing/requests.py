"""The span of a request, from its head to its answer. Only those whose credentials hold have one: nobody else may
make this process write spans, or name a trace.
"""

import asyncio
import time
from typing import Any

from bridge.telemetry.tracing.context import (
    TRACE_IDS,
    Emit,
    Moment,
    Span,
    TraceContext,
    is_sampled,
    new_span_id,
    new_trace,
    parse,
)


class RequestTrace:
    """A request whose trace is kept. `stored` is the journal's word: the entry's id, once it is on stable storage."""

    __slots__ = ("_context", "_emit", "_handed_over_ns", "_parent", "_state", "stored")

    def __init__(self, emit: Emit, context: TraceContext, parent: TraceContext | None, state: str | None) -> None:
        self._emit = emit
        self._context = context
        self._parent = parent
        self._state = state
        self._handed_over_ns = time.time_ns()
        self.stored: asyncio.Future[int] | None = None

    def answered(self, name: str, attributes: dict[str, Any], seconds: float, error: str = "") -> None:
        """The answer is on its way, `seconds` after the head. `attributes` gets the entry's id, where there is one."""
        end_ns = time.time_ns()
        stored = self.stored
        moments: tuple[Moment, ...] = ()
        if stored is not None and stored.done() and not stored.cancelled() and stored.exception() is None:
            attributes["treble_bridge.entry.id"] = stored.result()
            waited_s = max(0, end_ns - self._handed_over_ns) / 1e9
            moments = (Moment("journal.commit", end_ns, {"treble_bridge.journal.commit.duration": waited_s}),)
        self._emit(
            Span(
                name,
                "server",
                self._context,
                self._parent,
                end_ns - round(seconds * 1e9),
                end_ns,
                attributes,
                self._parent is not None,
                self._state,
                moments,
                (),
                error,
            )
        )


class RequestTraces:
    """Begins and continues traces. `sample` is the share of new ones that is kept."""

    def __init__(self, sample: float, emit: Emit) -> None:
        self._sampled_below = round(sample * TRACE_IDS)
        self._emit = emit

    def begin(self, traceparent: str | None, tracestate: str | None) -> tuple[str, str | None, RequestTrace | None]:
        """Given a request's two headers, the two that its entry keeps instead, and the trace if it is kept.

        A caller's decision not to keep its trace is passed on as it came. Without a caller's trace one begins here; if
        it isn't kept, that is said too, so that consumers don't begin one each.
        """
        parent = parse(traceparent) if traceparent is not None else None
        if parent is None:
            trace_id, span_id = new_trace()
            if not is_sampled(trace_id, self._sampled_below):
                return f"00-{trace_id}-{span_id}-00", None, None
            context = TraceContext(trace_id, span_id, "01")
            return context.header, None, RequestTrace(self._emit, context, None, None)
        if not parent.sampled:
            return str(traceparent), tracestate, None
        context = parent.child(new_span_id())
        return context.header, tracestate, RequestTrace(self._emit, context, parent, tracestate)
