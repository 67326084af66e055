"""The way of spans to the collector: OpenTelemetry's provider, samplers, queue and exporter (OTLP over HTTP).

Spans leave in a thread of the library. Nobody waits for it: a span for which the queue has no room is counted and
dropped, so a collector that is slow or away costs nothing but the spans.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Tracer

from bridge.errors import ConfigError
from bridge.settings.models import Tracing
from bridge.telemetry.telemetry import Telemetry
from bridge.version import VERSION

WAITING_SPANS_MAX: Final = 8192
EXPORT_SPANS_MAX: Final = 512
EXPORT_EVERY_S: Final = 1.0
LINKS_MAX: Final = 128

_FLUSH_LOOK_S: Final = 0.02
_PATH: Final = "/v1/traces"


def open_export(settings: Tracing, instance: str, telemetry: Telemetry) -> "tuple[SpanQueue, Tracer, Tracer]":
    """The way to the collector, and the tracers of requests and of batches. `instance` names this process.

    Raises ConfigError for environment variables that OpenTelemetry can't make sense of.
    """
    # It quotes a header of the environment that it can't read: that may be a token.
    logging.getLogger("opentelemetry.util.re").setLevel(logging.CRITICAL)
    try:
        exporter = _CountingExporter(settings, telemetry)
        queue = SpanQueue(exporter, telemetry)
        resource = _resource(settings, instance)
        requests = _tracer(resource, ParentBased(TraceIdRatioBased(settings.sample)), queue)
        # A batch has spans only where a request of it has one: that decision is made.
        batches = _tracer(resource, ALWAYS_ON, queue)
    except Exception as error:
        raise ConfigError(f"tracing can't be set up from the OTEL_… variables: {type(error).__name__}") from error
    telemetry.tracing_started(exporter.host, settings.sample)
    return queue, requests, batches


def _tracer(resource: Resource, sampler: Sampler, queue: BatchSpanProcessor) -> Tracer:
    limits = SpanLimits(max_links=LINKS_MAX)
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False, span_limits=limits)
    provider.add_span_processor(queue)
    return provider.get_tracer("treble-bridge", VERSION)


class SpanQueue(BatchSpanProcessor):
    """The library's queue, which never gets as far as to throw spans away by itself: here they are counted."""

    def __init__(self, exporter: "_CountingExporter", telemetry: Telemetry) -> None:
        super().__init__(
            exporter,
            max_queue_size=WAITING_SPANS_MAX,
            schedule_delay_millis=EXPORT_EVERY_S * 1000,
            max_export_batch_size=EXPORT_SPANS_MAX,
        )
        self._exporter, self._telemetry = exporter, telemetry
        self._closed, self._taken = False, 0

    def on_end(self, span: ReadableSpan) -> None:
        if self._closed or self._taken - self._exporter.done >= WAITING_SPANS_MAX:
            self._telemetry.span_dropped()
            return
        self._taken += 1
        super().on_end(span)

    async def close(self, timeout_s: float) -> None:
        """Send what waits, for `timeout_s` seconds at the most; what is left then is lost."""
        if self._closed:
            return
        self._closed = True
        # Not the loop's own pool, whose threads are waited for at the end: a collector may take long to answer.
        flush = threading.Thread(target=self.shutdown, name="traces flush", daemon=True)
        flush.start()
        until_s = time.monotonic() + timeout_s
        while flush.is_alive() and time.monotonic() < until_s:  # noqa: ASYNC110 - the end of a thread can't be awaited
            await asyncio.sleep(_FLUSH_LOOK_S)


class _CountingExporter(OTLPSpanExporter):
    """The library's exporter, with an account of what it has done. Called by the library's thread.

    What the configuration leaves open is None here: then the environment counts, and the library's default.
    """

    def __init__(self, settings: Tracing, telemetry: Telemetry) -> None:
        endpoint = settings.endpoint
        if endpoint is not None and not endpoint.endswith(_PATH):
            endpoint = endpoint.rstrip("/") + _PATH
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        super().__init__(endpoint, headers=headers or None, timeout=settings.timeout)
        self.host = urlsplit(self._endpoint).netloc.rpartition("@")[2]
        self.done = 0
        self._telemetry = telemetry

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = super().export(spans)
        finally:
            self.done += len(spans)
            self._telemetry.spans_exported(len(spans), taken=result is SpanExportResult.SUCCESS)
        return result


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
