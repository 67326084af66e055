"""Traces (OpenTelemetry): which spans there are, what they say, and how they leave.

    context   what a `traceparent` is; needs no library                     [pure]
    spans     the span of a request; those of a batch: an event's, the transaction's
    tracer    the SDK: provider, sampler, queue, exporter                   [opentelemetry]

Whether a trace is kept is decided once, where it begins, and stands in the flags of `traceparent`: in the journal, so
that a restart does not part a trace, and in the record, for consumers. A span says words of this code, names of the
configuration, ids and numbers; never what people said, or a secret.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.settings.models import Settings
from bridge.telemetry.telemetry import Telemetry
from bridge.telemetry.tracing.spans import BatchTraces, RequestTraces

if TYPE_CHECKING:
    from bridge.telemetry.tracing.tracer import Tracer

FLUSH_S = 2.0
FLUSH_S_MIN = 0.5


@dataclass(frozen=True, slots=True)
class Tracing:
    """What begins spans, and what sends them."""

    requests: RequestTraces
    batches: BatchTraces
    tracer: "Tracer"

    async def close(self, left_s: float) -> None:
        """Send what waits: two seconds at the most, and half a second even when nothing of the stop's time is left."""
        await self.tracer.close(min(FLUSH_S, max(FLUSH_S_MIN, left_s)))


def start_tracing(settings: Settings, journal_id: str, telemetry: Telemetry) -> Tracing | None:
    """Start what the configuration asks for. None, and no import of the library, where traces are off.

    Raises ConfigError where the library's environment variables make no sense.
    """
    if not settings.tracing.enabled:
        return None
    from bridge.telemetry.tracing.tracer import Tracer  # noqa: PLC0415 - an extra; the configuration has looked for it

    tracer = Tracer(settings.tracing, journal_id, telemetry)
    telemetry.tracing_started(tracer.host, settings.tracing.sample)
    transactions = settings.kafka.delivery == "exactly_once"
    return Tracing(RequestTraces(tracer), BatchTraces(tracer, transactions=transactions), tracer)
