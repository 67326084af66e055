"""The sections about where events go: topics, routes, duplicates."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from bridge.settings.section import TABLE, TEXT, Contradictions, Loc, Section, Topic, kind_of, topic_problem
from bridge.settings.units import Duration

PLACEHOLDER = "{event_type}"

FlowEventType = Literal[
    "condition.evaluated",
    "contact.opted_out",
    "message.delivered",
    "message.read",
    "message.responded",
    "message.timed_out",
]
"""The event types that a flow fires: the catalogue's, which lies above the settings."""


class Route(Section):
    """Where one event type goes."""

    topic: Topic | None = Field(None, description="topic; default from topics.default")
    key: Literal["session", "phone", "template", "event_id"] | None = Field(
        None, description="what the record's key is; default by event type (docs/events.md)"
    )
    partitions: int | None = Field(None, ge=1, description="partitions, when the topic is made or verified")
    replication_factor: int | None = Field(None, ge=1, description="replicas, when the topic is made or verified")
    retention: Duration | None = Field(None, gt=0, description="retention.ms, when the topic is made or verified")
    drop: bool = Field(False, description="answer 200, keep in the journal for a while, forward nothing")

    def contradictions(self) -> Contradictions:
        """What is dropped has no topic."""
        if self.drop:
            for key in ("topic", "key", "partitions", "replication_factor", "retention"):
                if getattr(self, key) is not None:
                    yield (key,), "has no effect beside drop: true, which forwards nothing"


class Topics(Section):
    """Event types to topics, and who makes the topics."""

    create: Literal["missing", "verify", "off"] = Field(
        "verify", description="make what is missing, only compare, or look at nothing"
    )
    partitions: int = Field(6, ge=1, description="partitions of a topic, unless its route says so")
    replication_factor: int = Field(3, ge=1, description="replicas of a topic, unless its route says so")
    retention: Duration | None = Field(
        None, gt=0, description="retention of a topic, unless its route says so; default: the broker's"
    )
    quarantine: Topic = Field("treble.quarantine", description="topic of what was not understood")
    default: str = Field("treble.{event_type}", min_length=1, description="topic of an event type without a route")
    map: Mapping[
        str,
        Annotated[
            Annotated[Topic, Tag(TEXT)] | Annotated[Route, Tag(TABLE)],
            Discriminator(lambda value: TABLE if kind_of(value) != TEXT else TEXT),
        ],
    ] = Field({}, description="event type → topic, or its route")

    def contradictions(self) -> Contradictions:
        """The default must be a topic's name once the event type stands in it."""
        if problem := topic_problem(self.default.replace(PLACEHOLDER, "x")):
            yield ("default",), f"{problem}, with {PLACEHOLDER} for the event type"
        for event_type, topic in self.mapped():
            if topic == self.quarantine:
                yield ("map", event_type), "expected another topic than topics.quarantine"
        yield from self._differing()

    def mapped(self) -> Iterator[tuple[str, str]]:
        """Event types and topics, as far as `map` itself names topics."""
        for event_type, route in self.map.items():
            topic = route if isinstance(route, str) else route.topic
            if topic is not None:
                yield event_type, topic

    def _differing(self) -> Contradictions:
        for key in ("partitions", "replication_factor", "retention"):
            first: dict[str, tuple[str, object]] = {}
            for event_type, route in self.map.items():
                value = None if isinstance(route, str) else getattr(route, key)
                topic = dict(self.mapped()).get(event_type)
                if value is None or topic is None:
                    continue
                other, said = first.setdefault(topic, (event_type, value))
                if said != value:
                    yield ("map", event_type, key), f"differs from that of {other}, which has the same topic"

    def topic_of(self, event_type: str) -> str | None:
        """The topic of an event type, None when it is dropped."""
        route = self.map.get(event_type)
        if isinstance(route, Route) and route.drop:
            return None
        return dict(self.mapped()).get(event_type) or self.default.replace(PLACEHOLDER, event_type)


class Duplicates(Section):
    """What happens to an event whose id was already forwarded."""

    window: Duration = Field(24 * 3600.0, ge=0, description="how long an id is remembered; 0 is off")
    action: Literal["drop", "mark"] = Field(
        "drop", description="forward nothing, or forward with header treble_duplicate: true"
    )
    semantic_window: Mapping[FlowEventType, Annotated[Duration, Field(gt=0)]] = Field(
        {},
        description="event type of a flow → how long the same session, question and answer are one event, times apart",
    )

    def contradictions(self) -> Contradictions:
        """Both windows are kept in one place, and for as long as the longer one says."""
        for event_type, window in self.semantic_window.items():
            if window > self.window:
                yield ("semantic_window", event_type), "expected no more than duplicates.window"


def topic_clashes(topics: Topics, positions: str, event_types: Collection[str]) -> Contradictions:
    """Topics that can't be told apart, or that would mix what must not be mixed. Paths are those of `topics`."""
    taken = {positions: "kafka.positions_topic", topics.quarantine: "topics.quarantine"}
    if positions == topics.quarantine:
        yield ("quarantine",), "expected another topic than kafka.positions_topic"
    places: dict[str, Loc] = {topics.quarantine: ("quarantine",)}
    for event_type in event_types:
        topic = topics.topic_of(event_type)
        if topic is None:
            continue
        place: Loc = ("map", event_type) if event_type in dict(topics.mapped()) else ("default",)
        if topic in taken and (place[0] == "default" or topic == positions):
            yield place, f"{topic} is reserved: expected another topic than {taken[topic]}"
        places.setdefault(topic, place)
    # Kafka refuses to make a topic whose name differs from another's only by . and _: its metrics would be the same.
    by_metric: dict[str, str] = {positions.replace(".", "_"): positions}
    for topic, place in places.items():
        other = by_metric.setdefault(topic.replace(".", "_"), topic)
        if other != topic:
            yield place, f"{topic} and {other} differ only by . and _, which Kafka refuses"
