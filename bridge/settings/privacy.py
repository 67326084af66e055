"""The section about what may not be stored: per topic, what of an event is left out, hashed or masked."""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr

from bridge.settings.section import Contradictions, Section, topic_problem
from bridge.settings.topics import Topics
from bridge.settings.units import Kind

EVERY = "*"
"""The rules of all topics that have none of their own."""

HASH_KEY_CHARS_MIN = 16
_PHONE_PARTS = {"contact.phone", "contact.national_number", "contact.phone_variants"}
_PLACES = re.compile(r"contact|contact\.country_code|session_id|flow_id|session_keys(\.[^.]+)*|data(\.[^.]+)*")


def _field(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value in _PHONE_PARTS:
        raise ValueError("expected `phone: …` beside fields: it covers the number wherever the bridge writes it")
    if not _PLACES.fullmatch(value):
        raise ValueError(
            "expected a field of the event: data.…, session_keys.…, session_id, flow_id, contact, contact.country_code"
        )
    return value


def _topic_or_every(value: Any) -> Any:
    if isinstance(value, str) and value != EVERY and (problem := topic_problem(value)):
        raise ValueError(f"{problem}; or {EVERY} for all others")
    return value


class TopicPrivacy(Section):
    """What the records of one topic don't say."""

    raw: Literal["keep", "drop"] | None = Field(
        None, description="the body as Treble sent it; default: drop where another rule stands, else keep"
    )
    phone: Literal["keep", "hash", "mask", "drop"] = Field(
        "keep", description="the person's number, in contact and as the record's key (there always a hash)"
    )
    fields: Mapping[Annotated[str, Kind("field"), BeforeValidator(_field)], Literal["hash", "mask", "drop"]] = Field(
        {}, description="dotted path in the event → what becomes of it; `*` is every member, lists are entered"
    )

    def contradictions(self) -> Contradictions:
        """What identifies must go on telling events apart."""
        if self.fields.get("session_id", "hash") != "hash":
            yield ("fields", "session_id"), "expected hash: it is the key, and must still tell conversations apart"
        if self.fields.get("contact", "drop") != "drop":
            yield ("fields", "contact"), "expected drop, or `phone: …` beside fields"

    @property
    def keeps_raw(self) -> bool:
        """Whether the raw body stays. It would give away what the other rules hide."""
        return self.raw == "keep" or (self.raw is None and not self.hides)

    @property
    def hides(self) -> bool:
        """Whether anything but `raw` is touched."""
        return self.phone != "keep" or bool(self.fields)

    @property
    def hides_phone(self) -> bool:
        """Whether the number may not be read, also where it is the key."""
        return self.phone != "keep" or "contact" in self.fields


class Privacy(Section):
    """What may not be stored on Kafka. The journal keeps bodies whole, for `journal.retain`."""

    hash_key: SecretStr | None = Field(
        None, description="key of the hashes (HMAC-SHA-256), 16 characters or more; another key makes other hashes"
    )
    topics: Mapping[Annotated[str, BeforeValidator(_topic_or_every)], TopicPrivacy] = Field(
        {}, description="topic → what its records don't say; `*` is every topic that isn't named"
    )

    def contradictions(self) -> Contradictions:
        """A hash without a key would be a hash of few digits, which anybody finds out by trying."""
        if self.hash_key is not None:
            if len(self.hash_key.get_secret_value()) < HASH_KEY_CHARS_MIN:
                yield ("hash_key",), f"expected {HASH_KEY_CHARS_MIN} characters or more: it must not be guessed"
            return
        for topic, rules in self.topics.items():
            if rules.hides_phone:
                at = ("topics", topic, "phone") if rules.phone != "keep" else ("topics", topic, "fields", "contact")
                yield at, "needs privacy.hash_key: the number may be the record's key, which is then its hash"
            for path, action in rules.fields.items():
                if action == "hash":
                    yield ("topics", topic, "fields", path), "needs privacy.hash_key"

    def of(self, topic: str) -> TopicPrivacy | None:
        """The rules of a topic, None where nothing is hidden."""
        return self.topics.get(topic, self.topics.get(EVERY))


def privacy_strangers(privacy: Privacy, topics: Topics, event_types: Collection[str]) -> Contradictions:
    """Rules for topics that nothing goes to: a typing error here would store what may not be stored."""
    known = {topics.quarantine, *(topic for name in event_types if (topic := topics.topic_of(name)) is not None)}
    for topic, rules in privacy.topics.items():
        if topic not in known and topic != EVERY:
            yield ("topics", topic), f"no event goes to this topic: expected one of {', '.join(sorted(known))}"
        elif topic == topics.quarantine and rules.hides:
            yield ("topics", topic), "expected raw alone: what was not understood has no fields"
