"""The one home of the OpenTelemetry library: its tracers, and the way of spans to the collector.

Spans leave by OTLP over HTTP, in a thread of the library. Nobody waits for it: a span for which the queue has no room
is counted and dropped, so a collector that is slow or away costs nothing but the spans.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Sequence
from os import environ
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bridge.errors import ConfigError
from bridge.settings.models import Tracing
from bridge.telemetry.telemetry import Telemetry
from bridge.telemetry.tracing.context import is_traceparent
from bridge.version import VERSION

WAITING_SPANS_MAX: Final = 8192
EXPORT_SPANS_MAX: Final = 512
EXPORT_EVERY_S: Final = 1.0
LINKS_MAX: Final = 128

Kind = Literal["SERVER", "PRODUCER", "CLIENT", "INTERNAL"]

_ENDPOINT: Final = "http://localhost:4318"
_PATH: Final = "/v1/traces"
_W3C: Final = TraceContextTextMapPropagator()


class Tracer:
    """Starts spans, and sends them to `host` when they end. For one thread, the event loop's.

    `instance` names this process among its like. Raises ConfigError for environment variables that OpenTelemetry can't
    make sense of.
    """

    def __init__(self, settings: Tracing, instance: str, telemetry: Telemetry) -> None:
        # It quotes a header of the environment that it can't read: that may be a token.
        logging.getLogger("opentelemetry.util.re").setLevel(logging.CRITICAL)
        try:
            exporter = _CountingExporter(
                telemetry,
                endpoint=_traces_endpoint(settings.endpoint),
                headers={name: value.get_secret_value() for name, value in settings.headers.items()} or None,
                timeout=settings.timeout,
            )
            self._queue = _BoundedQueue(exporter, telemetry)
            resource = _resource(settings, instance)
            self._requests = _tracer(resource, ParentBased(TraceIdRatioBased(settings.sample)), self._queue)
            # A batch has spans only where a request of it has one: that decision is made.
            self._batches = _tracer(resource, ALWAYS_ON, self._queue)
        except Exception as error:
            raise ConfigError(f"tracing can't be set up from the OTEL_… variables: {type(error).__name__}") from error
        self.host = _host(settings.endpoint)

    def parent(self, traceparent: object, tracestate: object) -> SpanContext | None:
        """The span that these two headers name, None where they are not valid."""
        if not isinstance(traceparent, str) or not is_traceparent(traceparent):
            return None
        carrier = {"traceparent": traceparent} | ({"tracestate": tracestate} if isinstance(tracestate, str) else {})
        return trace.get_current_span(_W3C.extract(carrier)).get_span_context()

    def start_request(self, parent: SpanContext | None, start_ns: int) -> Span:
        """The span of a request; it records nothing where its trace is not kept."""
        return self._requests.start_span("POST", _context(parent), SpanKind.SERVER, start_time=start_ns)

    def start(
        self, name: str, kind: Kind, parent: SpanContext | None, start_ns: int, links: Sequence[SpanContext] = ()
    ) -> Span:
        """A span of a batch."""
        return self._batches.start_span(
            name, _context(parent), SpanKind[kind], links=[Link(link) for link in links], start_time=start_ns
        )

    def end(self, span: Span, attributes: dict[str, Any], end_ns: int, *, failed: bool) -> None:
        """The span is over, and goes to the collector."""
        span.set_attributes(attributes)
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end(end_ns)

    async def close(self, timeout_s: float) -> None:
        """Send what waits, for `timeout_s` seconds at the most; what is left then is lost."""
        if self._queue.closed:
            return
        self._queue.closed = True
        loop = asyncio.get_running_loop()
        flushed = asyncio.Event()

        def flush() -> None:
            self._queue.shutdown()  # type: ignore[no-untyped-call]  # the library's
            if not loop.is_closed():
                loop.call_soon_threadsafe(flushed.set)

        # Not the loop's own pool, whose threads are waited for at the end: a collector may take long to answer.
        threading.Thread(target=flush, name="traces flush", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await flushed.wait()


class _BoundedQueue(BatchSpanProcessor):
    """The library's queue, which never gets as far as to throw spans away by itself: here they are counted."""

    def __init__(self, exporter: "_CountingExporter", telemetry: Telemetry) -> None:
        super().__init__(
            exporter,
            max_queue_size=WAITING_SPANS_MAX,
            schedule_delay_millis=EXPORT_EVERY_S * 1000,
            max_export_batch_size=EXPORT_SPANS_MAX,
        )
        self.closed = False
        self._exporter = exporter
        self._telemetry = telemetry
        self._taken = 0

    def on_end(self, span: ReadableSpan) -> None:
        if self.closed or self._taken - self._exporter.done >= WAITING_SPANS_MAX:
            self._telemetry.span_dropped()
            return
        self._taken += 1
        super().on_end(span)


class _CountingExporter(OTLPSpanExporter):
    """The library's exporter, with an account of what it has done. Called by the library's thread."""

    def __init__(self, telemetry: Telemetry, **options: Any) -> None:
        super().__init__(**options)
        self.done = 0
        self._counts = telemetry

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = super().export(spans)
        finally:
            self.done += len(spans)
            self._counts.spans_exported(len(spans), taken=result is SpanExportResult.SUCCESS)
        return result


def _tracer(resource: Resource, sampler: Sampler, queue: BatchSpanProcessor) -> trace.Tracer:
    limits = SpanLimits(max_links=LINKS_MAX)
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False, span_limits=limits)
    provider.add_span_processor(queue)
    return provider.get_tracer("treble-bridge", VERSION)


def _context(parent: SpanContext | None) -> Context:
    # An empty one for a root: without any, the library would look for a span that is under way in this task.
    return Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())


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
