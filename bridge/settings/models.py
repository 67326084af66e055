"""The configuration as frozen, validated sections. Names are the interface: keep them, add to them.

Every option has its default and its description in its section; the JSON Schema, `config/reference.yaml`'s test and
docs/configuration.md derive from these models. Durations are seconds, sizes are bytes once parsed.

A section that exists holds no contradiction in itself (`Section.contradictions`); what spans sections is here.
"""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bridge.settings.carried import guessable_keys
from bridge.settings.events import MappedEvent, event_type_name, known_already
from bridge.settings.kafka import Kafka, Security
from bridge.settings.privacy import Privacy, TopicPrivacy, privacy_strangers
from bridge.settings.secrets import SecretValue, SecretValues, each_value
from bridge.settings.section import Contradictions, Network, Section
from bridge.settings.server import Admin, Journal, Log, Server, Tls
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
from bridge.settings.topics import Duplicates, Route, Topics, topic_clashes
from bridge.settings.tracing import Tracing

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
    "MappedEvent",
    "Network",
    "Privacy",
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
    "TopicPrivacy",
    "Topics",
    "Tracing",
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
    events: Mapping[Annotated[str, BeforeValidator(event_type_name)], MappedEvent] = Field(
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
        named = {name: event for name, event in self.events.items() if event.topic is not None}
        if not named:
            return self.topics
        routes: dict[str, str | Route] = dict(self.topics.map)
        for name, event in named.items():
            route = routes.get(name)
            routes[name] = (
                route.model_copy(update={"topic": event.topic}) if isinstance(route, Route) else str(event.topic)
            )
        return self.topics.model_copy(update={"map": routes})

    def contradictions(self) -> Contradictions:
        """What spans sections. That needs the event types' names is checked when a file is loaded."""
        if self.server.listen.port == self.admin.listen.port != 0:
            yield ("admin", "listen"), "expected another port than server.listen: the admin port is never public"
        if self.server.max_body > self.journal.max_bytes:
            yield ("server", "max_body"), "expected journal.max_bytes at the most: such a body could never be stored"
        for at, message in overlapping(self.sources):
            yield ("sources", *at), message
        for name, event in self.events.items():
            route = self.topics.map.get(name)
            routed = {"topic": route} if isinstance(route, str) else route.model_dump() if route else {}
            for key in ("topic", "key"):
                if getattr(event, key) is not None and routed.get(key) is not None:
                    yield ("events", name, key), f"topics.map.{name} says another: expected it in one place"
            if event.topic is not None and routed.get("drop"):
                yield ("events", name, "topic"), f"has no effect: topics.map.{name} says drop"
            if event.topic == self.topics.quarantine:
                yield ("events", name, "topic"), "expected another topic than topics.quarantine"


def misrouted(settings: Settings, event_types: Collection[str]) -> Contradictions:
    """What is wrong with topics, once the catalogue's `event_types` are known."""
    everything = [*event_types, *(name for name in settings.events if name not in event_types)]
    routing = settings.routing
    for at, message in topic_clashes(routing, settings.kafka.positions_topic, everything):
        event = settings.events.get(str(at[1])) if at[0] == "map" else None
        yield (("events", str(at[1]), "topic") if event and event.topic else ("topics", *at)), message
    for at, message in privacy_strangers(settings.privacy, routing, everything):
        yield ("privacy", *at), message
    for at, message in guessable_keys(settings.privacy, routing, settings.events, event_types):
        yield ("events", *at), message
    for at, message in known_already(settings.events, event_types):
        yield ("events", *at), message
