"""The configuration as frozen, validated sections. Names are the interface: keep them, add to them.

Every option has its default and its description in its section; the JSON Schema, `config/reference.yaml`'s test and
docs/configuration.md derive from these models. Durations are seconds, sizes are bytes once parsed.

A section that exists holds no contradiction in itself (`Section.contradictions`); what spans sections is here.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from bridge.settings.kafka import Kafka, Security
from bridge.settings.section import Contradictions, Networks, Secret, Section, Text, below, matching
from bridge.settings.sources import (
    Alternative,
    BasicUser,
    HeaderCredential,
    HeaderName,
    Hmac,
    QueryCredential,
    RateLimit,
    SecretValue,
    SecretValues,
    Source,
    each_value,
    overlapping,
)
from bridge.settings.topics import (
    Duplicates,
    EventTypeName,
    MappedEvent,
    Privacy,
    Route,
    Topics,
    known_already,
    rules_on_own_types,
    topic_clashes,
    unknown_privacy_topics,
)
from bridge.settings.units import Address, Duration, Kind, ListenAddress, Size

__all__ = [
    "Alternative",
    "BasicUser",
    "Duplicates",
    "HeaderCredential",
    "Hmac",
    "Kafka",
    "QueryCredential",
    "RateLimit",
    "Route",
    "SecretValue",
    "SecretValues",
    "Security",
    "Source",
    "Topics",
    "each_value",
]

ACK_DEADLINE_MAX_S = 4.5

_ENDPOINT = matching(
    r"https?://[^\s/?#@]+(/[^\s?#@]*)?",
    "the address of a collector, such as http://collector:4318; credentials belong in headers",
)
_Share = Annotated[
    float,
    Kind("0 to 1"),
    Field(ge=0, le=1),
    matching(r"0(\.[0-9]{1,18})?|1(\.0{1,18})?", "a share from 0 to 1, such as 0.01"),
    PlainSerializer(lambda share: f"{share:g}"),
]


class Tls(Section):
    """TLS on a listening port. The files are read again when they change."""

    certificate: Text = Field(description="PEM file with the certificate chain")
    key: Text = Field(description="PEM file with the private key")
    client_ca: Text | None = Field(None, description="PEM file of CAs; when set, clients must show a certificate")


class Server(Section):
    """The public port, which Treble calls."""

    listen: ListenAddress = Field(Address("0.0.0.0", 8080), description="host:port of the ingress")  # noqa: S104 - a container listens on all
    tls: Tls | None = Field(None, description="TLS on the ingress port; without it, plain HTTP (behind a proxy)")
    max_body: Size = Field(1 << 20, gt=0, description="largest body; above it 413")
    max_header: Size = Field(
        16 << 10, ge=1024, description="largest header line, and largest request line; above it 400"
    )
    body_timeout: Duration = Field(10.0, gt=0, description="time for a body to arrive; after it 408")
    header_timeout: Duration = Field(
        10.0, gt=0, description="time for a request's headers to arrive; after it the connection closes"
    )
    keepalive_timeout: Duration = Field(75.0, ge=0, description="time an idle connection is kept")
    max_connections: int = Field(
        2000,
        ge=1,
        description="open connections; above it a new one is answered 503 and closed",
    )
    ack_deadline: Duration = Field(
        3.0, gt=0, description="longest wait for stable storage; after it 503 (Treble waits 5 s); 4500ms at the most"
    )
    trusted_proxies: Networks = Field((), description="networks whose X-Forwarded-For is believed (for client_ip)")
    drain_delay: Duration = Field(0.0, ge=0, description="on SIGTERM: time between unready and closing the port")
    drain_deadline: Duration = Field(20.0, ge=0, description="on SIGTERM: longest time to go on forwarding")

    def contradictions(self) -> Contradictions:
        """An answer that comes when Treble has hung up is worse than a 503 in time: half a second is for the way."""
        if self.ack_deadline > ACK_DEADLINE_MAX_S:
            why = "Treble hangs up after 5 s, and the answer needs time for the way back"
            yield ("ack_deadline",), f"expected 4500ms at the most: {why}"


class Admin(Section):
    """The private port: /livez, /readyz, /metrics, /status. Never publish it."""

    listen: ListenAddress = Field(Address("0.0.0.0", 8081), description="host:port of the admin server")  # noqa: S104 - a container listens on all


class Journal(Section):
    """The durable queue on disk."""

    path: Text = Field("/var/lib/treble-bridge", description="folder of the journal; made with mode 0700")
    max_bytes: Size = Field(
        2 << 30, ge=1 << 20, description="bound of the database; 80 % warns, 100 % answers 503, below 95 % takes again"
    )
    retain: Duration = Field(72 * 3600.0, ge=0, description="how long forwarded entries stay, for replay and receipts")
    retain_bytes: Size = Field(1 << 30, ge=0, description="how many bytes of forwarded entries stay at the most")

    def contradictions(self) -> Contradictions:
        """Only a `retain_bytes` of the file's own is held against the bound: its default yields to a small bound."""
        if self.says("retain_bytes") and self.retain_bytes > self.max_bytes:
            yield ("retain_bytes",), "expected max_bytes at the most: what is retained counts against that bound"


class Log(Section):
    """Logs, on standard output."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest level; debug adds an access log"
    )
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else JSON")


class Tracing(Section):
    """Traces (OpenTelemetry), sent to a collector by OTLP over HTTP. Needs the extra `treble-bridge[otel]`."""

    enabled: bool = Field(
        False, description="make spans and send them; without it, `traceparent` is passed on as it is"
    )
    endpoint: Annotated[str, Kind("URL"), _ENDPOINT] | None = Field(
        None,
        description="collector, without `/v1/traces`; default `OTEL_EXPORTER_OTLP_ENDPOINT`, else http://localhost:4318",
    )
    headers: Mapping[HeaderName, Secret] = Field(
        {}, description="header → value, sent to the collector; default `OTEL_EXPORTER_OTLP_HEADERS`"
    )
    sample: _Share = Field(1.0, description="share of the traces that begin here; those of a caller go as it decided")
    service_name: Text | None = Field(
        None, description="the spans' service name; default `OTEL_SERVICE_NAME`, else treble-bridge"
    )
    timeout: Duration | None = Field(
        None, gt=0, description="limit of one request to the collector; default `OTEL_EXPORTER_OTLP_TIMEOUT`, else 10s"
    )


QUARANTINE_BYTES_MIN = 4 << 20
_QUARANTINE_ENVELOPE_BYTES = 128 << 10  # headers of the request, list of problems, the batch's own frame


_SourceName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "a source's name: up to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit",
    ),
]


class Settings(Section):
    """The whole file."""

    server: Server = Field(default_factory=Server, description="the public port")
    admin: Admin = Field(default_factory=Admin, description="the private port")
    journal: Journal = Field(default_factory=Journal, description="the durable queue")
    kafka: Kafka = Field(description="the broker")
    sources: Mapping[_SourceName, Source] = Field(min_length=1, description="name → Treble account")
    topics: Topics = Field(default_factory=Topics, description="event types to topics")
    events: Mapping[EventTypeName, MappedEvent] = Field(
        {}, description="event type → how bodies that this version doesn't know are recognised"
    )
    duplicates: Duplicates = Field(default_factory=Duplicates, description="the window of duplicates")
    privacy: Privacy = Field(default_factory=Privacy, description="what may not be stored on Kafka")
    log: Log = Field(default_factory=Log, description="logs")
    tracing: Tracing = Field(default_factory=Tracing, description="traces (OpenTelemetry)")

    @property
    def quarantine_bytes_max(self) -> int:
        """How large a record of the quarantine topic may become: raw bytes that are no text stand in it as base64."""
        return max(QUARANTINE_BYTES_MIN, self.server.max_body * 4 // 3 + _QUARANTINE_ENVELOPE_BYTES)

    @property
    def routing(self) -> Topics:
        """`topics`, with what `events` says about topics in its map."""
        routes: dict[str, str | Route] = dict(self.topics.map)
        for name, event in self.events.items():
            if event.topic is not None:
                route = routes.get(name)
                update = {"topic": event.topic}
                routes[name] = route.model_copy(update=update) if isinstance(route, Route) else event.topic
        return self.topics.model_copy(update={"map": routes})

    def contradictions(self) -> Contradictions:
        """What spans sections. That needs the event types' names is checked when a file is loaded."""
        if self.server.listen.port == self.admin.listen.port != 0:
            yield ("admin", "listen"), "expected another port than server.listen: the admin port is never public"
        if self.server.max_body > self.journal.max_bytes:
            yield ("server", "max_body"), "expected journal.max_bytes at the most: such a body could never be stored"
        yield from below(("sources",), overlapping(self.sources))
        for name, event in self.events.items():
            route = self.topics.map.get(name)
            routed = {"topic": route} if isinstance(route, str) else route.model_dump() if route else {}
            for key in ("topic", "key"):
                if getattr(event, key) is not None and routed.get(key) is not None:
                    yield ("events", name, key), f"topics.map.{name} says another: expected it in one place"
            if event.topic is not None and routed.get("drop"):
                yield ("events", name, "topic"), f"has no effect: topics.map.{name} says drop"


def misrouted(settings: Settings, event_types: Collection[str]) -> Contradictions:
    """What is wrong with topics, once the catalogue's `event_types` are known."""
    own_types = [name for name in settings.events if name not in event_types]
    everything = [*event_types, *own_types]
    routing = settings.routing
    for at, message in topic_clashes(routing, settings.kafka.positions_topic, everything):
        event = settings.events.get(str(at[1])) if at[0] == "map" else None
        yield (("events", str(at[1]), "topic") if event and event.topic else ("topics", *at)), message
    yield from below(("privacy",), unknown_privacy_topics(settings.privacy, routing, everything))
    yield from below(("privacy",), rules_on_own_types(settings.privacy, routing, own_types))
    yield from below(("events",), known_already(settings.events, event_types))
