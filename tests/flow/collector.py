"""An OpenTelemetry collector for tests: takes spans by OTLP over HTTP, and says what they say."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.kafka_broker.broker import free_port

WAIT_S = 15.0


@dataclass(frozen=True)
class Taken:
    """A span as the collector got it. Ids are hex, `parent` is "" for a root."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    seconds: float
    attributes: dict[str, Any]
    moments: dict[str, dict[str, Any]]
    links: list[tuple[str, str]]
    state: str
    failed: bool
    resource: dict[str, Any]


class Collector:
    """Listens on a port of its own from `start` on. `delay_s` is how long it takes to answer."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.port = free_port()
        self.delay_s = delay_s
        self.spans: list[Taken] = []
        self.requests: list[dict[str, str]] = []
        self.raw = b""
        self._runner: web.AppRunner | None = None

    @property
    def endpoint(self) -> str:
        """What goes into `tracing.endpoint`."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(dict(request.headers))
        await asyncio.sleep(self.delay_s)
        self.raw += body
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _attributes(sent.resource.attributes)
            for scope in sent.scope_spans:
                self.spans += [_taken(span, resource) for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> list[Taken]:
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]

    async def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait until something is here, and return it."""
        end_s = time.monotonic() + WAIT_S
        while not (found := holds()):
            assert time.monotonic() < end_s, f"{what}: not within {WAIT_S:g} s, only {[s.name for s in self.spans]}"
            await asyncio.sleep(0.05)
        return found


def _taken(span: Span, resource: dict[str, Any]) -> Taken:
    return Taken(
        span.name,
        Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        _attributes(span.attributes),
        {event.name: _attributes(event.attributes) for event in span.events},
        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        span.trace_state,
        span.status.code == 2,
        resource,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    def plain(pair: KeyValue) -> Any:
        return getattr(pair.value, pair.value.WhichOneof("value") or "string_value")

    return {pair.key: plain(pair) for pair in pairs}
