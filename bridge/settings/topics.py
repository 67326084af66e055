"""The sections about where events go and what their records say: topics, routes, event types of one's own, duplicates,
privacy.
"""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, Tag

from bridge.settings.section import (
    INTERNAL_TOPICS,
    LIST,
    TABLE,
    TEXT,
    TOPIC,
    TOPIC_EXPECTED,
    Contradictions,
    Loc,
    Section,
    Topic,
    by_kind,
    matching,
)
from bridge.settings.units import Duration, Kind

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
    key: Literal["session", "contact", "phone", "template", "event_id"] | None = Field(
        None, description="what the record's key is; default by event type (docs/events.md)"
    )
    partitions: int | None = Field(None, ge=1, description="partitions, when the topic is made or verified")
    replication_factor: int | None = Field(None, ge=1, description="replicas, when the topic is made or verified")
    retention: Duration | None = Field(None, gt=0, description="retention.ms, when the topic is made or verified")
    drop: bool = Field(False, description="answer 200, keep in the journal for a while, forward nothing")

    def contradictions(self) -> Contradictions:
        """What is dropped has no topic."""
        if self.drop:
            keys = ("topic", "key", "partitions", "replication_factor", "retention")
            yield from self.unused(keys, "beside drop: true, which forwards nothing")


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
            by_kind({LIST: TABLE}),
        ],
    ] = Field({}, description="event type → topic, or its route")

    def contradictions(self) -> Contradictions:
        """The default must be a topic's name once the event type stands in it."""
        if not re.fullmatch(TOPIC, self.default.replace(PLACEHOLDER, "x")):
            yield ("default",), f"expected {TOPIC_EXPECTED}, with {PLACEHOLDER} for the event type"
        yield from self._differing()

    @property
    def mapped(self) -> dict[str, str]:
        """Event types and topics, as far as `map` itself names topics."""
        topics = {name: route if isinstance(route, str) else route.topic for name, route in self.map.items()}
        return {name: topic for name, topic in topics.items() if topic is not None}

    def _differing(self) -> Contradictions:
        for key in ("partitions", "replication_factor", "retention"):
            first: dict[str, tuple[str, object]] = {}
            for event_type, topic in self.mapped.items():
                route = self.map[event_type]
                value = None if isinstance(route, str) else getattr(route, key)
                if value is None:
                    continue
                other, said = first.setdefault(topic, (event_type, value))
                if said != value:
                    yield ("map", event_type, key), f"differs from that of {other}, which has the same topic"

    def topic_of(self, event_type: str) -> str | None:
        """The topic of an event type, None when it is dropped."""
        route = self.map.get(event_type)
        if isinstance(route, Route) and route.drop:
            return None
        return self.mapped.get(event_type) or self.default.replace(PLACEHOLDER, event_type)


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
        place: Loc = ("map", event_type) if event_type in topics.mapped else ("default",)
        if not re.fullmatch(TOPIC, topic):
            yield place, f"{topic} ({len(topic)} characters) is none: expected {TOPIC_EXPECTED}"
        if topic in taken:
            yield place, f"{topic} is reserved: expected another topic than {taken[topic]}"
        places.setdefault(topic, place)
    # Kafka refuses to make a topic whose name differs from another's only by . and _: its metrics would be the same.
    by_metric: dict[str, str] = {name.replace(".", "_"): name for name in (*INTERNAL_TOPICS, positions)}
    for topic, place in places.items():
        other = by_metric.setdefault(topic.replace(".", "_"), topic)
        if other != topic:
            yield place, f"{topic} and {other} differ only by . and _, which Kafka refuses"


ANY_VALUE = "*"
KEY_KINDS = ("session", "contact", "phone", "event_id")

_RESERVED = r"(?!(unclassified|quarantine)\Z)"
EventTypeName = Annotated[
    str,
    matching(
        rf"{_RESERVED}(?=.{{1,64}}\Z)[a-z][a-z0-9_]*(\.[a-z0-9_]+)*",
        "a name such as agent.assigned: up to 64 of a-z 0-9 _ and dots, the first a letter",
    ),
]
_PATH = matching(r"[^.\s][^.]*(\.[^.]+)*", "a dotted path into the body, such as event_type or user.agent_id")


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Texts = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Kind("text, or list of texts"),
    Field(min_length=1),
    BeforeValidator(_one_or_more),
]


class MappedEvent(Section):
    """An event type of the configuration's own: how its bodies are known, and where they go."""

    when: Annotated[Mapping[Annotated[str, _PATH], _Texts], Field(min_length=1)] = Field(
        description="dotted path in the body → its value, or several of which one; `*` is any. All must hold"
    )
    topic: Topic | None = Field(None, description="topic; default from topics.default, or as topics.map says")
    key: Annotated[str, Kind("path / session / contact / phone / event_id"), _PATH] | None = Field(
        None,
        description="dotted path in the body to the record's key; or session (the default), contact, phone, event_id",
    )


EVERY = "*"
"""The rules of all topics that have none of their own."""

HASH_KEY_CHARS_MIN = 16
_PERSON = "phone|national_number|phone_variants|bsuid|parent_bsuid|username"
_PLACES = matching(
    rf"contact(\.(country_code|{_PERSON}))?|session_id|flow_id|(session_keys|data)(\.[^.]+)*",
    "a field of the event: data.…, session_keys.…, session_id, flow_id, contact, contact.country_code",
)
_TopicOrEvery = Annotated[str, matching(rf"{TOPIC}|\*", f"{TOPIC_EXPECTED}; or {EVERY} for all others")]
_NO_PERSON = matching(
    rf"(?!(contact\.({_PERSON})|data\.business_scope_id)\Z)(?s:.*)",
    "`contact: …` beside fields: it covers the person wherever the bridge writes who that is",
)


class TopicPrivacy(Section):
    """What the records of one topic don't say."""

    raw: Literal["keep", "drop"] | None = Field(
        None, description="the body as Treble sent it; default: drop where another rule stands, else keep"
    )
    contact: Literal["keep", "hash", "mask", "drop"] | None = Field(
        None, description="who the person is: number, WhatsApp's ids, user name; as the record's key always a hash"
    )
    phone: Literal["keep", "hash", "mask", "drop"] | None = Field(None, description="older name of contact")
    fields: Mapping[Annotated[str, Kind("field"), _NO_PERSON, _PLACES], Literal["hash", "mask", "drop"]] = Field(
        {}, description="dotted path in the event → what becomes of it; `*` is every member, lists are entered"
    )

    def contradictions(self) -> Contradictions:
        """What identifies must go on telling events apart."""
        if self.fields.get("session_id", "hash") != "hash":
            yield ("fields", "session_id"), "expected hash: it is the key, and must still tell conversations apart"
        if self.fields.get("contact", "drop") != "drop":
            yield ("fields", "contact"), "expected drop, or `contact: …` beside fields"
        if self.contact is not None and self.phone is not None:
            yield ("phone",), "expected contact alone: phone is its older name"

    @property
    def person(self) -> str:
        """What becomes of who the person is."""
        return self.contact or self.phone or "keep"

    @property
    def keeps_raw(self) -> bool:
        """Whether the raw body stays. It would give away what the other rules hide."""
        return self.raw == "keep" or (self.raw is None and not self.hides)

    @property
    def hides(self) -> bool:
        """Whether anything but `raw` is touched."""
        return self.person != "keep" or bool(self.fields)

    @property
    def hides_person(self) -> bool:
        """Whether nobody may read who the person is, also where that is the key."""
        return self.person != "keep" or "contact" in self.fields


class Privacy(Section):
    """What may not be stored on Kafka. The journal keeps bodies whole, for `journal.retain`."""

    hash_key: SecretStr | None = Field(
        None, description="key of the hashes (HMAC-SHA-256), 16 characters or more; another key makes other hashes"
    )
    topics: Mapping[_TopicOrEvery, TopicPrivacy] = Field(
        {}, description="topic → what its records don't say; `*` is every topic that isn't named"
    )

    def contradictions(self) -> Contradictions:
        """A hash without a key would be a hash of few digits, which anybody finds out by trying."""
        if self.hash_key is not None:
            if len(self.hash_key.get_secret_value()) < HASH_KEY_CHARS_MIN:
                yield ("hash_key",), f"expected {HASH_KEY_CHARS_MIN} characters or more: it must not be guessed"
            return
        for topic, rules in self.topics.items():
            if rules.hides_person:
                key = "contact" if rules.contact else "phone"
                at = ("topics", topic, key) if rules.person != "keep" else ("topics", topic, "fields", "contact")
                yield at, "needs privacy.hash_key: the person may be the record's key, which is then a hash"
            for path, action in rules.fields.items():
                if action == "hash":
                    yield ("topics", topic, "fields", path), "needs privacy.hash_key"

    def of(self, topic: str) -> TopicPrivacy | None:
        """The rules of a topic, None where nothing is hidden."""
        return self.topics.get(topic, self.topics.get(EVERY))


def privacy_clashes(
    privacy: Privacy, topics: Topics, event_types: Collection[str], own_types: Collection[str]
) -> Contradictions:
    """Rules that would hide nothing, or only a part: that would store what may not be stored. Paths of `privacy`."""
    routed = {name: topic for name in (*event_types, *own_types) if (topic := topics.topic_of(name)) is not None}
    known = {topics.quarantine, *routed.values()}
    for topic, rules in privacy.topics.items():
        if topic not in known and topic != EVERY:
            yield ("topics", topic), f"no event goes to this topic: expected one of {', '.join(sorted(known))}"
        elif topic == topics.quarantine and rules.hides:
            yield ("topics", topic), "expected raw alone: what was not understood has no fields"
    for name, topic in routed.items():
        rules_there = privacy.of(topic)
        if name in own_types and rules_there is not None and rules_there.hides:
            rule = topic if topic in privacy.topics else EVERY
            whole = f"{name}, which goes to {topic}, has the whole body as its data: nothing in it can be hidden"
            instead = f"give it a topic of its own (events.{name}.topic), and that topic raw: drop or raw: keep alone"
            yield ("topics", rule, "fields" if rules_there.fields else "phone"), f"{whole}; {instead}"
