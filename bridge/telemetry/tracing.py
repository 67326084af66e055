"""Traces (OpenTelemetry): which spans there are, and what they say. Imported only where traces are on.

A request has one from its head to its answer, if its credentials hold: nobody else may make this process write spans,
or name a trace. An event has one from when it is taken from the journal up to Kafka's commit, a child of its
request's by what the journal keeps; its record names it as the parent of whatever consumers do. A transaction has one
that is linked to its events'. A try that Kafka has not taken leaves the transaction's span only; one in
doubt leaves all, since a consumer may have seen the records.

Whether a trace is kept is decided once, where it begins, and stands in the flags of `traceparent`: in the journal, so
that a restart does not part a trace, and in the record, for consumers. A span says words of this code, names of the
configuration, ids and numbers; never what people said, or a secret.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

import orjson
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bridge.model import Entry, Prepared, Record
from bridge.settings.models import Settings
from bridge.telemetry.span_export import open_export
from bridge.telemetry.telemetry import Telemetry

SLICE_SPANS: Final = 25
"""Spans begun or ended before the event loop gets a turn: about a millisecond."""
FLUSH_S: Final = 2.0
FLUSH_S_MIN: Final = 0.5
_EVENT_ID_CHARS_MAX: Final = 128
# As the ingress writes it into the journal: so an entry whose trace is not kept costs no parsing.
_KEPT: Final = re.compile(rb'"traceparent":"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][13579bdf]"')
_MESSAGING: Final = {
    "messaging.system": "kafka",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
}
_W3C: Final = TraceContextTextMapPropagator()

Outcome = Literal["committed", "aborted", "in_doubt"]


class Tracing:
    """Begins the spans of requests and of batches. For one thread, the event loop's.

    Raises ConfigError where the library's environment variables make no sense.
    """

    def __init__(self, settings: Settings, journal_id: str, telemetry: Telemetry) -> None:
        self._queue, self._requests, self._batches = open_export(settings.tracing, journal_id, telemetry)
        self._transactions = settings.kafka.delivery == "exactly_once"

    def begin_request(
        self, traceparent: str | None, tracestate: str | None, started_s: float
    ) -> tuple[str, str | None, "RequestTrace | None"]:
        """Given a request's two headers, the two that its entry keeps instead, and the trace if it is kept.

        `started_s` is when its head was read, by `time.perf_counter`. A caller's decision not to keep its trace is
        passed on as it came. Without a caller's trace one begins here; if it isn't kept, that is said too, so that
        consumers don't begin one each.
        """
        parent = _parent(traceparent, tracestate)
        if parent.is_valid and not parent.trace_flags.sampled:
            return str(traceparent), tracestate, None
        start_ns = time.time_ns() - round((time.perf_counter() - started_s) * 1e9)
        span = self._requests.start_span("POST", _under(parent), SpanKind.SERVER, start_time=start_ns)
        trace = RequestTrace(span) if span.is_recording() else None
        return _traceparent(span), tracestate if parent.is_valid else None, trace

    async def begin_batch(self, entries: Sequence[Entry]) -> tuple[list[Entry], "BatchTrace | None"]:
        """The entries with what their records have to say of the trace; None beside them where no trace is kept."""
        taken, start_ns = list(entries), time.time_ns()
        trace = BatchTrace(self._batches, start_ns, transaction=self._transactions)
        for index, entry in enumerate(entries):
            if not _KEPT.search(entry.headers):
                continue
            kept = _fields(entry.headers)
            parent = _parent(kept.get("traceparent"), kept.get("tracestate"))
            if not parent.is_valid:
                continue
            span = self._batches.start_span("send", _under(parent), SpanKind.PRODUCER, start_time=start_ns)
            trace.events[entry.id] = (entry.source, parent, span)
            taken[index] = entry._replace(headers=orjson.dumps(kept | {"traceparent": _traceparent(span)}))
            if len(trace.events) % SLICE_SPANS == 0:
                await asyncio.sleep(0)
        return taken, trace if trace.events else None

    async def close(self, left_s: float) -> None:
        """Send what waits: two seconds at the most, and half a second even when nothing of the stop's time is left."""
        await self._queue.close(min(FLUSH_S, max(FLUSH_S_MIN, left_s)))


class RequestTrace:
    """A request whose trace is kept. `stored` is the journal's word: the entry's id, once it is on stable storage."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._handed_over_ns = time.time_ns()
        self.stored: asyncio.Future[int] | None = None

    def answered(self, name: str, attributes: dict[str, Any], error: str = "") -> None:
        """The answer is on its way. `attributes` gets the entry's id, where there is one."""
        end_ns = time.time_ns()
        stored = self.stored
        if stored is not None and stored.done() and not stored.cancelled() and stored.exception() is None:
            attributes["treble_bridge.entry.id"] = stored.result()
            waited_s = max(0, end_ns - self._handed_over_ns) / 1e9
            self._span.add_event("journal.commit", {"treble_bridge.journal.commit.duration": waited_s}, end_ns)
        self._span.update_name(name)
        _end(self._span, attributes, end_ns, error)


class BatchTrace:
    """One batch under way, and those of its entries whose traces are kept."""

    def __init__(self, tracer: Tracer, start_ns: int, *, transaction: bool) -> None:
        self._tracer = tracer
        self._transaction = transaction
        self._start_ns = self._sent_ns = start_ns
        self._places: dict[int, tuple[int, int]] = {}
        self.events: dict[int, tuple[str, SpanContext, Span]] = {}
        """By entry: its source, its request's span, and its record's, which is left without an end if none goes out."""

    def sent(self) -> Callable[[int, int, Sequence[int]], None]:
        """The records go to Kafka now. Returns what wants to be told where they are."""
        self._sent_ns = time.time_ns()
        return self._on_delivered

    def _on_delivered(self, partition: int, first_offset: int, entry_ids: Sequence[int]) -> None:
        for offset, entry_id in enumerate(entry_ids, first_offset):
            if entry_id in self.events:
                self._places[entry_id] = (partition, offset)

    def ended(self, records: Sequence[Prepared], outcome: Outcome, error: str = "") -> None:
        """The transaction is over. `error` is a bounded word for what was wrong."""
        kept = [item for item in records if item.entry_id in self.events]
        if not kept:
            return
        end_ns = time.time_ns()
        name, operation = ("kafka transaction", "commit") if self._transaction else ("kafka batch", "send")
        attributes = _MESSAGING | {
            "messaging.operation.name": operation,
            "messaging.batch.message_count": len(records),
            "treble_bridge.outcome": outcome,
        }
        events = [self.events[item.entry_id] for item in kept]
        # What Kafka did not take has no span of its own: then the requests' are the nearest.
        links = [Link(parent if outcome == "aborted" else span.get_span_context()) for _, parent, span in events]
        span = self._tracer.start_span(name, Context(), SpanKind.CLIENT, links=links, start_time=self._sent_ns)
        _end(span, attributes, end_ns, error)
        if outcome == "in_doubt":
            for item in kept:
                self._end_event(item, item.outcome, item.record, end_ns, error)
        self._sent_ns = end_ns

    async def finish(self, out: Iterable[Prepared], duplicates: Iterable[Prepared]) -> None:
        """The batch is done: a span for each entry that goes no further."""
        done = [(item, item.outcome, item.record) for item in out]
        done += [(item, "duplicate", None) for item in duplicates]
        kept = [one for one in done if one[0].entry_id in self.events]
        for count, (item, outcome, record) in enumerate(kept, 1):
            self._end_event(item, outcome, record, self._sent_ns, "")
            if count % SLICE_SPANS == 0:
                await asyncio.sleep(0)

    def _end_event(self, item: Prepared, outcome: str, record: Record | None, end_ns: int, error: str) -> None:
        source, parent, span = self.events[item.entry_id]
        attributes: dict[str, Any] = {
            "treble_bridge.source": source,
            "treble_bridge.entry.id": item.entry_id,
            "treble_bridge.event.type": item.event_type,
            "treble_bridge.outcome": outcome,
        }
        if item.reason:
            attributes["treble_bridge.quarantine.reason"] = item.reason
        if record is None:
            name = f"{outcome} {item.event_type}"
            span = self._tracer.start_span(name, _under(parent), start_time=self._start_ns)
        else:
            span.update_name(f"send {record.topic}")
            attributes |= _MESSAGING
            attributes["messaging.destination.name"] = record.topic
            event_id = dict(record.headers).get("ce_id") or str(orjson.loads(record.value).get("id", "")).encode()
            attributes["messaging.message.id"] = event_id.decode()[:_EVENT_ID_CHARS_MAX]
            if (place := self._places.get(item.entry_id)) is not None:
                attributes["messaging.destination.partition.id"] = str(place[0])
                attributes["messaging.kafka.offset"] = place[1]
        _end(span, attributes, max(end_ns, self._start_ns), error)


def _end(span: Span, attributes: dict[str, Any], end_ns: int, error: str) -> None:
    span.set_attributes(attributes)
    if error:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
    span.end(end_ns)


def _parent(traceparent: object, tracestate: object) -> SpanContext:
    """The span that these two headers name; one that is not valid where they are not."""
    carrier = {"traceparent": str(traceparent or ""), "tracestate": str(tracestate or "")}
    return otel.get_current_span(_W3C.extract(carrier, Context())).get_span_context()


def _under(parent: SpanContext) -> Context:
    # An empty one for a root: without any, the library would look for a span that is under way in this task.
    return otel.set_span_in_context(NonRecordingSpan(parent), Context()) if parent.is_valid else Context()


def _traceparent(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _fields(headers: bytes) -> dict[str, Any]:
    """What an entry keeps of its request's headers; nothing where that can't be read, which must stop no event."""
    try:
        kept = orjson.loads(headers)
    except orjson.JSONDecodeError:
        return {}
    return kept if isinstance(kept, dict) else {}
