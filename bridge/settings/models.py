"""The configuration as frozen, validated sections. Names are the interface: keep them, add to them.

Sources and topics have modules of their own. Every option has its default and its description in its section; the JSON
Schema, `config/reference.yaml`'s test and docs/configuration.md derive from them. Durations are seconds, sizes are
bytes once parsed.

A section that exists holds no contradiction in itself (`Section.contradictions`); what spans sections is here.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer

from bridge.settings.section import (
    Contradictions,
    File,
    Networks,
    Secret,
    Section,
    Servers,
    Text,
    Topic,
    below,
    matching,
)
from bridge.settings.sources import HeaderName, Source, overlapping
from bridge.settings.topics import (
    Duplicates,
    EventTypeName,
    MappedEvent,
    Privacy,
    Route,
    Topics,
    privacy_clashes,
    topic_clashes,
)
from bridge.settings.units import Address, Duration, Kind, ListenAddress, Size

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

    certificate: File = Field(description="PEM file with the certificate chain")
    key: File = Field(description="PEM file with the private key")
    client_ca: File | None = Field(None, description="PEM file of CAs; when set, clients must show a certificate")


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
    trusted_proxies: Networks = Field((), description="networks whose X-Forwarded-For is believed (client_ip, log)")
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

    path: File = Field("/var/lib/treble-bridge", description="folder of the journal; made with mode 0700")
    max_bytes: Size = Field(
        2 << 30, ge=1 << 20, description="bound of the database; 80 % warns, 100 % answers 503, below 95 % takes again"
    )
    retain: Duration = Field(72 * 3600.0, ge=0, description="how long forwarded entries stay, for replay and receipts")
    retain_bytes: Size = Field(1 << 30, ge=0, description="how many bytes of forwarded entries stay at the most")

    def contradictions(self) -> Contradictions:
        """Only a `retain_bytes` of the file's own is held against the bound: its default yields to a small bound."""
        if "retain_bytes" in self.model_fields_set and self.retain_bytes > self.max_bytes:
            yield ("retain_bytes",), "expected max_bytes at the most: what is retained counts against that bound"


class Security(Section):
    """How to speak to Kafka."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Kafka's security.protocol"
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "PLAIN", description="SASL mechanism"
    )
    username: Text | None = Field(None, description="SASL user (PLAIN, SCRAM)")
    password: Secret | None = Field(None, description="SASL password (PLAIN, SCRAM)")
    oauth_token: Secret | None = Field(
        None, description="OAUTHBEARER: a token that does not change; one that does belongs in oauth_token_file"
    )
    oauth_token_file: File | None = Field(None, description="OAUTHBEARER: file with the token, read at each login")
    ca_file: File | None = Field(
        None, description="PEM file of the CA that signed the brokers' certificates; default: the system's"
    )
    certificate_file: File | None = Field(None, description="PEM file with the client's certificate (mutual TLS)")
    key_file: File | None = Field(None, description="PEM file with the client's private key")
    key_password: Secret | None = Field(None, description="password of the private key")
    verify_hostname: bool = Field(True, description="check that the broker's certificate names its host")

    def contradictions(self) -> Contradictions:
        """What the protocol needs, and what it would leave unused: both are misunderstandings."""
        if self.protocol.startswith("SASL"):
            yield from self._login()
        else:
            keys = ("username", "password", "oauth_token", "oauth_token_file", "mechanism")
            yield from self.unused(keys, f"with protocol {self.protocol}: expected SASL_SSL or SASL_PLAINTEXT")
        if not self.protocol.endswith("SSL"):
            keys = ("ca_file", "certificate_file", "key_file", "key_password", "verify_hostname")
            yield from self.unused(keys, f"with protocol {self.protocol}: expected SSL or SASL_SSL")
        if self.certificate_file and not self.key_file:
            yield ("certificate_file",), "expected key_file beside it: a certificate is used with its private key"
        if self.key_file and not self.certificate_file:
            yield ("key_file",), "expected certificate_file beside it: a private key is used with its certificate"
        if self.key_password and not self.key_file:
            yield ("key_password",), "expected key_file beside it"

    def _login(self) -> Contradictions:
        if self.mechanism == "OAUTHBEARER":
            if (self.oauth_token is None) == (self.oauth_token_file is None):
                yield ("mechanism",), "OAUTHBEARER needs either oauth_token_file or oauth_token"
            yield from self.unused(("username", "password"), "with mechanism OAUTHBEARER")
        else:
            for key in ("username", "password"):
                if getattr(self, key) is None:
                    yield (key,), f"missing: protocol {self.protocol} with mechanism {self.mechanism} needs it"
            yield from self.unused(("oauth_token", "oauth_token_file"), f"with mechanism {self.mechanism}")


class Kafka(Section):
    """The broker, and how events are handed to it."""

    bootstrap_servers: Servers = Field(description="host:port of some brokers; a list, or one text with commas")
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once", description="transactions, or an idempotent producer"
    )
    format: Literal["cloudevents-binary", "cloudevents-structured", "plain"] = Field(
        "cloudevents-binary", description="what consumers see"
    )
    security: Security = Field(default_factory=Security, description="protocol, credentials, certificates")
    client_id: Text = Field("treble-bridge", description="name shown in the broker's logs and quotas")
    positions_topic: Topic = Field("treble.bridge.positions", description="compacted topic of the forwarding positions")
    transactional_id_prefix: str = Field(
        "treble-bridge-", description="the transactional.id is this and the journal's id"
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "lz4", description="compression of record batches"
    )
    batch_entries: int = Field(1000, ge=1, le=100_000, description="entries in one batch (transaction) at the most")
    batch_bytes: Size = Field(4 << 20, ge=1 << 10, description="bytes of bodies in one batch at the most")
    linger: Duration = Field(0.005, ge=0, description="how long a batch waits for more entries")
    request_timeout: Duration = Field(5.0, gt=0, description="limit of one request to a broker")
    call_timeout: Duration = Field(
        10.0, gt=0, description="own limit of one step (send, commit); below transaction_timeout"
    )
    transaction_timeout: Duration = Field(20.0, gt=0, description="Kafka's transaction.timeout.ms")
    backoff: Duration = Field(0.2, gt=0, description="first pause after a failure; grows to backoff_max")
    backoff_max: Duration = Field(10.0, gt=0, description="longest pause between two tries")
    topic_retry_interval: Duration = Field(2.0, gt=0, description="how often a paused topic is tried again")

    def contradictions(self) -> Contradictions:
        """Time limits inside one another: what is inside must end first."""
        if self.call_timeout >= self.transaction_timeout:
            why = "a step must give up before the broker ends its transaction"
            yield ("call_timeout",), f"expected less than transaction_timeout: {why}"
        if self.request_timeout > self.call_timeout:
            yield ("request_timeout",), "expected call_timeout at the most: a step holds at least one request"
        if self.linger >= self.call_timeout:
            yield ("linger",), "expected less than call_timeout"
        if self.backoff > self.backoff_max:
            yield ("backoff",), "expected backoff_max at the most"


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
    yield from below(("privacy",), privacy_clashes(settings.privacy, routing, event_types, own_types))
    for name in settings.events:
        if name in event_types:  # an update may bring one, and consumers should not find out first
            known = "this version knows this event type itself: remove it here, and route it in topics.map"
            yield ("events", name), known
