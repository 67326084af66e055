"""The sections about the process itself: its two ports, its disk, its logs."""

from typing import Literal

from pydantic import Field

from bridge.settings.section import Contradictions, Networks, Section, Text
from bridge.settings.units import Address, Duration, ListenAddress, Size

TREBLE_WAITS_S = 5.0
ACK_DEADLINE_MAX_S = 4.5


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
        description="open connections; above it a new one is answered 503 and closed (with TLS, closed only)",
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
            yield (
                ("ack_deadline",),
                "expected 4500ms at the most: Treble hangs up after 5 s, and the answer needs time for the way back",
            )


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
