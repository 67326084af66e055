"""What may not be stored: events without what a topic's rules hide. Pure; made once per topic and configuration.

A hash is `hmac-sha256:` and 64 hex digits, over the text of the value (a number as JSON writes it), with the
configuration's key: equal values have equal hashes, in every topic, so that events can still be joined. Masked text is
`***`, a masked number such as `+57******08`. Neither is a time: times under a hash or a mask are left out.

An id of the bridge's own making is a hash without a key. Where it is made of something that is hidden, which could then
be found by trying, its own keyed hash stands in its place.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Final

from bridge.catalogue.contact import CONTACT_FIELDS
from bridge.catalogue.definition import EventType, time_paths
from bridge.catalogue.numbers import Digits
from bridge.model import Contact, Event, IdFrom
from bridge.settings.topics import Privacy, TopicPrivacy
from bridge.telemetry.redact import HIDDEN, mask_phone

HASH_PREFIX: Final = "hmac-sha256:"

_GONE: Final = object()


class Redaction:
    """The rules of one topic, ready for the events of one type. `hash_key` is empty where no rule needs it.

    `event_type` is None for one of the configuration's own. Its data is the body as Treble sent it, so the loader
    refuses every rule but `raw` for it.
    """

    def __init__(self, rules: TopicPrivacy, hash_key: bytes, event_type: EventType | None) -> None:
        fields = rules.fields
        self._rules = rules
        self._hash_key = hash_key
        self.keeps_raw = rules.keeps_raw
        self._person = rules.person
        self._country_code = fields.get("contact.country_code")
        inner = [(tuple(path.split(".")), action) for path, action in fields.items()]
        self._data_rules = [(steps[1:], action) for steps, action in inner if steps[0] == "data"]
        times = time_paths(event_type) if event_type else ()
        gone = [(("data", *path), "drop") for path in times if self._hides_time(path)]
        person = "drop" if "contact" in fields else rules.person
        repeated = [] if person == "keep" else [(("data", "business_scope_id"), person)]
        self._fields = (*gone, *repeated, *((steps, action) for steps, action in inner if steps[0] != "contact"))
        hidden = {
            "contact": rules.hides_person,
            "phone": rules.hides_person,
            "session": "session_id" in fields,
            "template": self._hides_in_data(("template",)),
        }
        self._hidden_keys = frozenset(kind for kind, hides in hidden.items() if hides)
        self._hidden_ids = self._ids_of_hidden_parts(event_type) if hash_key and event_type else frozenset()

    @classmethod
    def of(cls, privacy: Privacy, topic: str, event_type: EventType | None) -> "Redaction | None":
        """The redaction of a topic, None where its records say everything."""
        rules = privacy.of(topic)
        if rules is None or (rules.keeps_raw and not rules.hides):
            return None
        return cls(rules, privacy.hash_key.get_secret_value().encode() if privacy.hash_key else b"", event_type)

    def event(self, event: Event) -> Event:
        """The event without what may not be stored."""
        parts: Any = {name: getattr(event, name) for name in ("session_id", "flow_id", "session_keys", "data")}
        for steps, action in self._fields:
            parts = self._without(parts, steps, action)
        return event._replace(
            id=self.id(event),
            contact=self._contact(event.contact),
            session_id=parts.get("session_id"),
            flow_id=parts.get("flow_id"),
            session_keys=parts.get("session_keys"),
            data=parts.get("data", {}),
            raw=event.raw if self.keeps_raw else b"",
        )

    def id(self, event: Event) -> str:
        """The event's id as consumers see it."""
        return self.hashed(event.id) if event.id_from in self._hidden_ids else event.id

    def key(self, kind: str, key: str, event: Event) -> str:
        """The record's key: its hash where it is what may not be read, so one key is still one partition.

        Empty where there is nothing to hash it with: then it can't be the key.
        """
        if kind == "event_id":
            return self.id(event)
        return self.hashed(key) if kind in self._hidden_keys else key

    def hashed(self, text: str) -> str:
        """The hash of a text under the configuration's key; empty where there is none."""
        if not self._hash_key:
            return ""
        return HASH_PREFIX + hmac.new(self._hash_key, text.encode(), hashlib.sha256).hexdigest()

    def _contact(self, contact: Contact | None) -> Contact | None:
        if contact is None or "contact" in self._rules.fields:
            return None
        code = contact.country_code
        if self._country_code is not None:
            code = None if self._country_code == "drop" else self._leaves(code, self._country_code)
        if self._person == "drop":
            contact = Contact()
        elif self._person != "keep":
            hide = self.hashed if self._person == "hash" else _masked
            parts = {name: hide(part) for name, part in contact._asdict().items() if isinstance(part, str)}
            contact = Contact(**parts, phone_variants=tuple(map(hide, contact.phone_variants)))
        shown = contact._replace(country_code=code)
        return shown if any(shown) else None

    def _without(self, value: Any, steps: tuple[str, ...], action: str) -> Any:
        """A copy of `value`, changed at the end of `steps`; `value` itself where that leads nowhere."""
        if not steps:
            return _GONE if action == "drop" else self._leaves(value, action)
        if isinstance(value, list | tuple):
            return [self._without(item, steps, action) for item in value]
        if not isinstance(value, dict):
            return value
        names = list(value) if steps[0] == "*" else [steps[0]] if steps[0] in value else []
        changed = {name: self._without(value[name], steps[1:], action) for name in names}
        return {name: item for name, item in {**value, **changed}.items() if item is not _GONE}

    def _leaves(self, value: Any, action: str) -> Any:
        if isinstance(value, dict):
            return {name: self._leaves(item, action) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._leaves(item, action) for item in value]
        if value is None:
            return None
        if action == "mask":
            return HIDDEN
        text = value.sent if isinstance(value, Digits) else value
        return self.hashed(text if isinstance(text, str) else json.dumps(text))

    def _ids_of_hidden_parts(self, event_type: EventType) -> frozenset[IdFrom]:
        """Which ids are made of something that a record doesn't say. Treble's own never are."""
        if self.keeps_raw:
            return frozenset()
        hides = any(self._hides_part(event_type, path) for path in event_type.event_id.fields)
        return frozenset({"body", "fields"}) if hides else frozenset({"body"})

    def _hides_part(self, event_type: EventType, path: str) -> bool:
        """Whether the record doesn't say what stands at `path` in the body."""
        hidden, family, (holder, _, name) = self._rules.fields, event_type.family, path.rpartition(".")
        if holder in family.contact and name in CONTACT_FIELDS:
            code_hidden = "contact" in hidden or "contact.country_code" in hidden
            return code_hidden if name == "country_code" else self._rules.hides_person
        if path in family.session:
            return "session_id" in hidden
        if path == family.flow:
            return "flow_id" in hidden
        for field in event_type.fields:
            if path == field.path or path.startswith(f"{field.path}."):
                inner = path[len(field.path) + 1 :]
                return self._hides_in_data((field.name, *(inner.split(".") if inner else ())))
        return True

    def _hides_in_data(self, path: Sequence[str]) -> bool:
        """Whether a rule on `data` hides what stands at this path in it, something above it or below it."""
        return any(_meets(steps, path) for steps, _ in self._data_rules)

    def _hides_time(self, path: Sequence[str]) -> bool:
        """Whether a rule would put a hash or a mask in the place of the time at this path in `data`."""
        rules = [steps for steps, action in self._data_rules if action != "drop"]
        return any(len(steps) <= len(path) and _meets(steps, path) for steps in rules)


def _masked(part: str) -> str:
    """A phone's first and last digits; nothing of a name or another id."""
    return mask_phone(part) if part.removeprefix("+").isdecimal() else HIDDEN


def _meets(steps: Sequence[str], path: Sequence[str]) -> bool:
    """Whether a rule's path is the other one, or leads to or out of it."""
    return all(step in ("*", name) for step, name in zip(steps, path, strict=False))
