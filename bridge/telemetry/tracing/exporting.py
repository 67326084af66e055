"""The one home of the OpenTelemetry library: finished spans → a collector, by OTLP over HTTP, in a thread of its own.

The queue is bounded here, so the library's own is never full: a span for which there is no room is counted, and nobody
waits. A collector that is away costs nothing but the spans.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from os import environ
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from bridge.errors import ConfigError
from bridge.settings.models import Tracing
from bridge.telemetry import Telemetry
from bridge.telemetry.tracing.context import Kind, Span, TraceContext
from bridge.version import VERSION

WAITING_SPANS_MAX: Final = 8192
EXPORT_SPANS_MAX: Final = 512
EXPORT_EVERY_S: Final = 1.0

_ENDPOINT: Final = "http://localhost:4318"
_PATH: Final = "/v1/traces"
_SCOPE: Final = InstrumentationScope("treble-bridge", VERSION)
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_WELL: Final = Status(StatusCode.UNSET)
_KINDS: Final[dict[Kind, SpanKind]] = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "client": SpanKind.CLIENT,
    "internal": SpanKind.INTERNAL,
}


class Exporter:
    """Sends spans to `host`. `emit` is for one thread, the event loop's. `instance` names this process among its like.

    Raises ConfigError for environment variables that OpenTelemetry can't make sense of.
    """

    def __init__(self, settings: Tracing, instance: str, telemetry: Telemetry) -> None:
        # It quotes a header of the environment that it can't read: that may be a token.
        logging.getLogger("opentelemetry.util.re").setLevel(logging.CRITICAL)
        try:
            inner = OTLPSpanExporter(
                endpoint=_traces_endpoint(settings.endpoint),
                headers={name: value.get_secret_value() for name, value in settings.headers.items()} or None,
                timeout=settings.timeout,
            )
            self._resource = _resource(settings, instance)
        except Exception as error:
            raise ConfigError(f"tracing can't be set up from the OTEL_… variables: {type(error).__name__}") from error
        self.host = _host(settings.endpoint)
        self._telemetry = telemetry
        self._counted = _Counted(inner, telemetry)
        self._emitted = 0
        self._closed = False
        self._processor = BatchSpanProcessor(
            self._counted,
            max_queue_size=WAITING_SPANS_MAX,
            schedule_delay_millis=EXPORT_EVERY_S * 1000,
            max_export_batch_size=EXPORT_SPANS_MAX,
        )

    def emit(self, span: Span) -> None:
        """Take a finished span, if there is room for it."""
        if self._emitted - self._counted.done >= WAITING_SPANS_MAX or self._closed:
            self._telemetry.span_dropped()
            return
        self._emitted += 1
        self._processor.on_end(self._readable(span))

    async def close(self, timeout_s: float) -> None:
        """Send what waits, for `timeout_s` seconds at the most; what is left then is lost."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not ended.done():
                ended.set_result(None)

        def flush() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]  # the library's
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell)

        threading.Thread(target=flush, name="traces flush", daemon=True).start()
        await asyncio.wait({ended}, timeout=timeout_s)
        self._counted.give_up()

    def _readable(self, span: Span) -> ReadableSpan:
        state = TraceState.from_header([span.state]) if span.state else None
        return ReadableSpan(
            span.name,
            _context(span.context, state, is_remote=False),
            None if span.parent is None else _context(span.parent, state, is_remote=span.parent_is_remote),
            self._resource,
            span.attributes,
            [Event(moment.name, moment.attributes, moment.time_ns) for moment in span.moments],
            [Link(_context(link, None, is_remote=False)) for link in span.links],
            _KINDS[span.kind],
            None,
            Status(StatusCode.ERROR) if span.error else _WELL,
            span.start_ns,
            span.end_ns,
            _SCOPE,
        )


class _Counted(SpanExporter):
    """The library's exporter, with an account of what it has done. Called by the library's thread."""

    def __init__(self, inner: SpanExporter, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry
        self._given_up = threading.Lock()
        self.done = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = SpanExportResult.FAILURE
        try:
            result = self._inner.export(spans)
        finally:
            self.done += len(spans)
            self._telemetry.spans_exported(len(spans), taken=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Nothing is left to send."""
        self.give_up()

    def give_up(self) -> None:
        """End the tries that are under way."""
        if self._given_up.acquire(blocking=False):  # once: never released
            self._inner.shutdown()


def _traces_endpoint(endpoint: str | None) -> str | None:
    """None leaves it to the environment, and to the library's default."""
    if endpoint is None or endpoint.endswith(_PATH):
        return endpoint
    return endpoint.rstrip("/") + _PATH


def _host(endpoint: str | None) -> str:
    """Host and port of the collector, for the log."""
    named = (endpoint, environ.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT), environ.get(OTEL_EXPORTER_OTLP_ENDPOINT))
    return urlsplit(next((name for name in named if name), _ENDPOINT)).netloc.rpartition("@")[2]


def _resource(settings: Tracing, instance: str) -> Resource:
    """Who sends: the file's word before the environment's, that before ours."""
    attributes: dict[str, Any] = {
        "service.name": "treble-bridge",
        "service.version": VERSION,
        "service.instance.id": instance,
        **OTELResourceDetector().detect().attributes,
    }
    if settings.service_name is not None:
        attributes["service.name"] = settings.service_name
    return Resource.create(attributes)


def _context(context: TraceContext, state: TraceState | None, *, is_remote: bool) -> SpanContext:
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote, _SAMPLED, state)
