"""Where a body that an event's `data` carries whole holds what a rule on the event hides. Pure.

Such are the events of the configuration's own types.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from bridge.settings.events import KEY_KINDS, MappedEvent
from bridge.settings.privacy import Privacy, TopicPrivacy
from bridge.settings.section import Contradictions
from bridge.settings.topics import Topics

Steps = tuple[str, ...]

SESSION_KEYS: Final = "user_session_keys"

_NUMBERS: Final = (("cellphone",), ("user", "cellphone"))
_COUNTRY_CODES: Final = (("country_code",), ("user", "country_code"))
_SESSIONS: Final = (("session_id",), ("session", "external_id"))
_FLOWS: Final = (("conversation_id",),)


def data_rules(rules: TopicPrivacy) -> tuple[tuple[Steps, str], ...]:
    """What is hidden in `data` by its own path."""
    return tuple((steps[1:], action) for steps, action in _split(rules) if steps[0] == "data")


def body_rules(rules: TopicPrivacy) -> tuple[tuple[Steps, str], ...]:
    """Where in a body stands what the rules on the event's other fields hide, session keys apart."""
    fields = rules.fields
    found: list[tuple[Steps, str]] = []
    if rules.hides_phone:
        found += [(steps, "drop" if rules.phone == "keep" else rules.phone) for steps in _NUMBERS]
    code = fields.get("contact.country_code") or fields.get("contact")
    for places, action in (
        (_COUNTRY_CODES, code),
        (_SESSIONS, fields.get("session_id")),
        (_FLOWS, fields.get("flow_id")),
    ):
        found += [(steps, action) for steps in places if action is not None]
    return tuple(found)


def session_key_rules(rules: TopicPrivacy) -> tuple[tuple[str, str], ...]:
    """The name of a session key (`*` is any), what becomes of its value: of all of it, since a body has it as text."""
    return tuple(
        (steps[1] if steps[1:] else "*", action) for steps, action in _split(rules) if steps[0] == "session_keys"
    )


def hides_in_data(rules: TopicPrivacy, path: Steps) -> bool:
    """Whether a rule on `data` hides what stands at this path in it, something above it or below it."""
    return any(_meets(steps, path) for steps, _ in data_rules(rules))


def hides_time(rules: TopicPrivacy, path: Steps) -> bool:
    """Whether a rule would put a hash or a mask in the place of the time at this path in `data`."""
    return any(
        len(steps) <= len(path) and _meets(steps, path) for steps, action in data_rules(rules) if action != "drop"
    )


def hides_in_body(rules: TopicPrivacy, path: Steps) -> bool:
    """Whether any rule hides what stands at this path of a body that is carried whole, or above or below it."""
    places = [steps for steps, _ in body_rules(rules)] + [(SESSION_KEYS, name) for name, _ in session_key_rules(rules)]
    return hides_in_data(rules, path) or any(_meets(steps, path) for steps in places)


def guessable_keys(
    privacy: Privacy, topics: Topics, events: Mapping[str, MappedEvent], event_types: Collection[str]
) -> Contradictions:
    """Keys of the configuration's own event types that a rule hides, while there is nothing to hash them with."""
    if privacy.hash_key is not None:
        return
    for name, event in events.items():
        topic = topics.topic_of(name)
        rules = None if topic is None or name in event_types else privacy.of(topic)
        if rules is None or event.key is None or event.key in KEY_KINDS:
            continue
        if hides_in_body(rules, tuple(event.key.split("."))):
            yield (name, "key"), f"needs privacy.hash_key: a rule of {topic} hides it, so the record's key is its hash"


def _split(rules: TopicPrivacy) -> Iterator[tuple[Steps, str]]:
    return ((tuple(path.split(".")), action) for path, action in rules.fields.items())


def _meets(one: Steps, other: Steps) -> bool:
    """Whether one path is the other, or leads to or out of it."""
    return all(left in (right, "*") for left, right in zip(one, other, strict=False))
