"""The section about traces (OpenTelemetry)."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, SecretStr, WithJsonSchema

from bridge.settings.section import Contradictions, Section, Text
from bridge.settings.sources import HeaderName
from bridge.settings.units import Duration, Kind

_LIBRARY = "opentelemetry.exporter.otlp.proto.http"  # what the extra installs
_ENDPOINT = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")


def _endpoint(value: Any) -> Any:
    if isinstance(value, str) and not _ENDPOINT.fullmatch(value):
        raise ValueError(
            "expected the address of a collector, such as http://collector:4318; credentials belong in headers"
        )
    return value


def _share(value: Any) -> float:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,18})?", value.strip()):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError("expected a share from 0 to 1, such as 0.01")


Share = Annotated[
    float,
    Kind("0 to 1"),
    BeforeValidator(_share),
    PlainSerializer(lambda share: f"{share:g}"),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]
Endpoint = Annotated[str, Kind("URL"), BeforeValidator(_endpoint)]


class Tracing(Section):
    """Traces (OpenTelemetry), sent to a collector by OTLP over HTTP. Needs the extra `treble-bridge[otel]`."""

    enabled: bool = Field(
        False, description="make spans and send them; without it, `traceparent` is passed on as it is"
    )
    endpoint: Endpoint | None = Field(
        None,
        description="collector, without `/v1/traces`; default `OTEL_EXPORTER_OTLP_ENDPOINT`, else http://localhost:4318",
    )
    headers: Mapping[HeaderName, Annotated[SecretStr, Field(min_length=1)]] = Field(
        {}, description="header → value, sent to the collector; default `OTEL_EXPORTER_OTLP_HEADERS`"
    )
    sample: Share = Field(1.0, description="share of the traces that begin here; those of a caller go as it decided")
    service_name: Text | None = Field(
        None, description="the spans' service name; default `OTEL_SERVICE_NAME`, else treble-bridge"
    )
    timeout: Duration | None = Field(
        None, gt=0, description="limit of one request to the collector; default `OTEL_EXPORTER_OTLP_TIMEOUT`, else 10s"
    )


def without_its_library(tracing: Tracing) -> Contradictions:
    """What is wrong where traces are wanted and the extra is not installed. Looks for it only then."""
    if tracing.enabled and not _is_installed():
        yield ("enabled",), "needs OpenTelemetry, which is not installed: pip install 'treble-bridge[otel]'"


def _is_installed() -> bool:
    try:
        return find_spec(_LIBRARY) is not None
    except ModuleNotFoundError:
        return False
