"""The configuration as frozen, validated sections. Names are the interface: keep them, add to them.

Every option has its default and its description in its section; the JSON Schema, `config/reference.yaml`'s test and
docs/configuration.md derive from these models. Durations are seconds, sizes are bytes once parsed.

A section that exists holds no contradiction in itself (`Section.contradictions`); what spans sections is here.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bridge.settings.kafka import Kafka, Security
from bridge.settings.process import Admin, Journal, Log, Server, Tls
from bridge.settings.secrets import SecretValue, SecretValues, each_value
from bridge.settings.section import Contradictions, Network, Section
from bridge.settings.sources import (
    Alternative,
    BasicUser,
    HeaderCredential,
    Hmac,
    QueryCredential,
    RateLimit,
    Source,
    overlapping,
)
from bridge.settings.topics import Duplicates, Route, Topics

__all__ = [
    "Admin",
    "Alternative",
    "BasicUser",
    "Duplicates",
    "HeaderCredential",
    "Hmac",
    "Journal",
    "Kafka",
    "Log",
    "Network",
    "QueryCredential",
    "RateLimit",
    "Route",
    "SecretValue",
    "SecretValues",
    "Section",
    "Security",
    "Server",
    "Settings",
    "Source",
    "Tls",
    "Topics",
    "each_value",
]


def _source_name(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError("expected a source's name: up to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit")
    return value


QUARANTINE_BYTES_MIN = 4 << 20
_QUARANTINE_ENVELOPE_BYTES = 128 << 10  # headers of the request, list of problems, the batch's own frame


class Settings(Section):
    """The whole file."""

    server: Server = Field(default_factory=Server, description="the public port")
    admin: Admin = Field(default_factory=Admin, description="the private port")
    journal: Journal = Field(default_factory=Journal, description="the durable queue")
    kafka: Kafka = Field(description="the broker")
    sources: Mapping[Annotated[str, BeforeValidator(_source_name)], Source] = Field(
        min_length=1, description="name → Treble account"
    )
    topics: Topics = Field(default_factory=Topics, description="event types to topics")
    duplicates: Duplicates = Field(default_factory=Duplicates, description="the window of duplicates")
    log: Log = Field(default_factory=Log, description="logs")

    @property
    def quarantine_bytes_max(self) -> int:
        """How large a record of the quarantine topic may become: raw bytes that are no text stand in it as base64."""
        return max(QUARANTINE_BYTES_MIN, self.server.max_body * 4 // 3 + _QUARANTINE_ENVELOPE_BYTES)

    def contradictions(self) -> Contradictions:
        """What spans sections. That needs the event types' names is checked when a file is loaded."""
        if self.server.listen.port == self.admin.listen.port != 0:
            yield ("admin", "listen"), "expected another port than server.listen: the admin port is never public"
        if self.server.max_body > self.journal.max_bytes:
            yield ("server", "max_body"), "expected journal.max_bytes at the most: such a body could never be stored"
        for at, message in overlapping(self.sources):
            yield ("sources", *at), message
