"""The configuration → tracing, or nothing where it is off: the library is imported only then."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import ConfigError
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from bridge.telemetry.tracing.forwarding import ForwardingTraces
from bridge.telemetry.tracing.requests import RequestTraces

if TYPE_CHECKING:
    from bridge.telemetry.tracing.exporting import Exporter

FLUSH_S = 2.0
FLUSH_S_MIN = 0.5


@dataclass(frozen=True, slots=True)
class Tracing:
    """What makes spans, and what sends them."""

    requests: RequestTraces
    forwarding: ForwardingTraces
    exporter: "Exporter"

    async def close(self, left_s: float) -> None:
        """Send what waits: two seconds at the most, and half a second even when nothing of the stop's time is left."""
        await self.exporter.close(min(FLUSH_S, max(FLUSH_S_MIN, left_s)))


def start_tracing(settings: Settings, journal_id: str, telemetry: Telemetry) -> Tracing | None:
    """Start what the configuration asks for; None where traces are off.

    Raises ConfigError where the extra is missing, or its environment variables make no sense.
    """
    if not settings.tracing.enabled:
        return None
    try:
        from bridge.telemetry.tracing.exporting import Exporter  # noqa: PLC0415 - an extra: not for those who have it off
    except ImportError as error:
        raise ConfigError(
            "tracing.enabled: needs OpenTelemetry, which is not installed: pip install 'treble-bridge[otel]'"
        ) from error
    exporter = Exporter(settings.tracing, journal_id, telemetry)
    telemetry.tracing_started(exporter.host, settings.tracing.sample)
    return Tracing(
        RequestTraces(settings.tracing.sample, exporter.emit),
        ForwardingTraces(exporter.emit, transactions=settings.kafka.delivery == "exactly_once"),
        exporter,
    )
