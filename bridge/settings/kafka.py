"""The section about the broker: where it is, how to speak to it, how events are handed to it."""

from typing import Literal

from pydantic import Field

from bridge.settings.section import Contradictions, Secret, Section, Servers, Text, Topic
from bridge.settings.units import Duration, Size


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
    oauth_token_file: Text | None = Field(None, description="OAUTHBEARER: file with the token, read at each login")
    ca_file: Text | None = Field(
        None, description="PEM file of the CA that signed the brokers' certificates; default: the system's"
    )
    certificate_file: Text | None = Field(None, description="PEM file with the client's certificate (mutual TLS)")
    key_file: Text | None = Field(None, description="PEM file with the client's private key")
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
