"""A tracer whose spans come to a list, as a collector would get them."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from bridge.settings.models import Tracing
from bridge.telemetry import Telemetry
from bridge.telemetry.tracing.tracer import Tracer


class Traced:
    """A tracer, and what it has sent."""

    def __init__(self, sample: float, spans: list[ReadableSpan]) -> None:
        self.tracer = Tracer(Tracing(enabled=True, sample=sample), "journal-1", Telemetry())
        self._spans = spans

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in order."""
        self.tracer._queue.force_flush()
        return self._spans


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Traced]]:
    """Make a tracer, with the share of new traces that it keeps."""
    spans: list[ReadableSpan] = []
    made: list[Traced] = []

    def export(_: OTLPSpanExporter, batch: Sequence[ReadableSpan]) -> SpanExportResult:
        spans.extend(batch)
        return SpanExportResult.SUCCESS

    def make(sample: float = 1.0) -> Traced:
        made.append(Traced(sample, spans))
        return made[-1]

    monkeypatch.setattr(OTLPSpanExporter, "export", export)
    yield make
    for one in made:
        one.tracer._queue.shutdown()  # type: ignore[no-untyped-call]
