"""Traces whose spans come to a list, as a collector would get them."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from bridge.telemetry.tracing import Tracing


class Traced:
    """Traces, and the spans that were sent of them."""

    def __init__(self, sample: float, delivery: str, spans: list[ReadableSpan]) -> None:
        settings = Settings.model_validate(
            {
                "kafka": {"bootstrap_servers": "k:1", "delivery": delivery},
                "sources": {"treble": {"auth": "none"}},
                "tracing": {"enabled": True, "sample": sample},
            }
        )
        self.tracing = Tracing(settings, "journal-1", Telemetry())
        self.queue = self.tracing._queue
        self._spans = spans

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in order."""
        self.queue.force_flush()
        return self._spans


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Traced]]:
    """Begin tracing, with the share of new traces that are kept."""
    spans: list[ReadableSpan] = []
    made: list[Traced] = []

    def export(_: OTLPSpanExporter, batch: Sequence[ReadableSpan]) -> SpanExportResult:
        spans.extend(batch)
        return SpanExportResult.SUCCESS

    def make(sample: float = 1.0, delivery: str = "exactly_once") -> Traced:
        made.append(Traced(sample, delivery, spans))
        return made[-1]

    monkeypatch.setattr(OTLPSpanExporter, "export", export)
    yield make
    for one in made:
        one.queue.shutdown()  # type: ignore[no-untyped-call]
