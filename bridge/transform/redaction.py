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
from typing import Any, Final

from bridge.catalogue.definition import EventType, time_paths
from bridge.catalogue.phones import CONTACT_FIELDS
from bridge.catalogue.shapes import number_text
from bridge.model import Contact, Event, IdFrom
from bridge.settings.carried import (
    SESSION_KEYS,
    body_rules,
    hides_in_body,
    hides_in_data,
    hides_time,
    session_key_rules,
)
from bridge.settings.privacy import Privacy, TopicPrivacy
from bridge.telemetry.redact import HIDDEN, mask_phone

HASH_PREFIX: Final = "hmac-sha256:"

_GONE: Final = object()
_TEMPLATE: Final = ("template",)


def keyed_hash(hash_key: bytes, text: str) -> str:
    """The hash of a text under the configuration's key."""
    return HASH_PREFIX + hmac.new(hash_key, text.encode(), hashlib.sha256).hexdigest()


class Redaction:
    """The rules of one topic, ready for the events of one type. `hash_key` is empty where no rule needs it.

    `event_type` is None for one of the configuration's own: its data is the body as Treble sent it, so the rules on
    other fields reach into it. `key_path` leads to the record's key in it.
    """

    __slots__ = (
        "_body",
        "_contact_gone",
        "_country_code",
        "_fields",
        "_flow",
        "_hash_key",
        "_hidden_ids",
        "_hidden_keys",
        "_phone",
        "_raw",
        "_session",
        "_session_keys",
    )

    def __init__(
        self, rules: TopicPrivacy, hash_key: str, event_type: EventType | None, key_path: tuple[str, ...] = ()
    ) -> None:
        fields = rules.fields
        self._hash_key = hash_key.encode()
        self._raw = rules.keeps_raw
        self._phone = rules.phone
        self._contact_gone = "contact" in fields
        self._country_code = fields.get("contact.country_code")
        self._session = "session_id" in fields
        self._flow = fields.get("flow_id")
        inner = [(tuple(path.split(".")), action) for path, action in fields.items()]
        times = time_paths(event_type) if event_type else ()
        gone = [(("data", *path), "drop") for path in times if hides_time(rules, path)]
        self._fields = (*gone, *(rule for rule in inner if rule[0][0] in {"data", "session_keys"}))
        self._body = () if event_type else body_rules(rules)
        self._session_keys = () if event_type else session_key_rules(rules)
        hidden = {
            "phone": rules.hides_phone,
            "session": self._session,
            "path": rules.hides_phone or self._session or hides_in_body(rules, key_path),
            "template": hides_in_data(rules, _TEMPLATE),
        }
        self._hidden_keys = frozenset(kind for kind, hides in hidden.items() if hides)
        self._hidden_ids = _hidden_ids(rules, event_type) if hash_key else frozenset()

    @classmethod
    def of(
        cls, privacy: Privacy, topic: str, event_type: EventType | None, key_path: tuple[str, ...] = ()
    ) -> "Redaction | None":
        """The redaction of a topic, None where its records say everything."""
        rules = privacy.of(topic)
        if rules is None or (rules.keeps_raw and not rules.hides):
            return None
        hash_key = privacy.hash_key.get_secret_value() if privacy.hash_key else ""
        return cls(rules, hash_key, event_type, key_path)

    def event(self, event: Event) -> Event:
        """The event without what may not be stored."""
        parts: Any = {"data": event.data, "session_keys": event.session_keys}
        for steps, action in self._fields:
            parts = self._without(parts, steps, action)
        data = parts.get("data", {})
        for place, how in self._body:
            data = self._without(data, place, how)
        if self._session_keys and SESSION_KEYS in data:
            data = self._with_few_session_keys(data)
        flow_id = event.flow_id if self._flow is None else self._text(event.flow_id, self._flow)
        return event._replace(
            id=self.id(event),
            contact=self._contact(event.contact),
            session_id=self.hashed(event.session_id) if self._session and event.session_id else event.session_id,
            flow_id=flow_id,
            session_keys=parts.get("session_keys"),
            data=data,
            raw=event.raw if self._raw else b"",
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
        if kind not in self._hidden_keys:
            return key
        return self.hashed(key) if self._hash_key else ""

    def hashed(self, text: str) -> str:
        """The keyed hash of a text."""
        return keyed_hash(self._hash_key, text)

    def _contact(self, contact: Contact | None) -> Contact | None:
        if contact is None or self._contact_gone:
            return None
        phone, code, national, variants = contact
        if self._phone != "keep":
            phone = self._number(phone)
            national = self._number(national)
            variants = tuple(number for one in variants if (number := self._number(one)) is not None)
        if self._country_code is not None:
            code = self._text(code, self._country_code)
        return Contact(phone, code, national, variants) if phone or code or national else None

    def _number(self, number: str | None) -> str | None:
        if number is None or self._phone == "drop":
            return None
        return self.hashed(number) if self._phone == "hash" else mask_phone(number)

    def _text(self, text: str | None, action: str) -> str | None:
        if text is None or action == "drop":
            return None
        return self.hashed(text) if action == "hash" else HIDDEN

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

    def _with_few_session_keys(self, body: dict[str, Any]) -> dict[str, Any]:
        """A body whose session keys are hidden by name. What can't be read as session keys is left out."""
        held = body[SESSION_KEYS]
        if isinstance(held, dict):
            kept: Any = {
                name: value for name, item in held.items() if (value := self._session_key(name, item)) is not _GONE
            }
        elif isinstance(held, list | tuple):
            kept = [pair for item in held if (pair := self._session_pair(item)) is not _GONE]
        else:
            return {name: item for name, item in body.items() if name != SESSION_KEYS}
        return {**body, SESSION_KEYS: kept}

    def _session_pair(self, item: Any) -> Any:
        name = item.get("key") if isinstance(item, dict) else None
        if isinstance(name, int | float) and not isinstance(name, bool):
            name = number_text(name)
        if not isinstance(name, str):
            return _GONE
        if not any(which in ("*", name) for which, _ in self._session_keys):
            return item
        value = self._session_key(name, item.get("value"))
        known = {"key": item["key"], "value": value} | {part: item[part] for part in ("type",) if part in item}
        return _GONE if value is _GONE else known

    def _session_key(self, name: str, value: Any) -> Any:
        for which, action in self._session_keys:
            if which in ("*", name) and value is not _GONE:
                value = _GONE if action == "drop" else self._leaves(value, action)
        return value

    def _leaves(self, value: Any, action: str) -> Any:
        if isinstance(value, dict):
            return {name: self._leaves(item, action) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._leaves(item, action) for item in value]
        if value is None:
            return None
        return HIDDEN if action == "mask" else self.hashed(value if isinstance(value, str) else json.dumps(value))


def _hidden_ids(rules: TopicPrivacy, event_type: EventType | None) -> frozenset[IdFrom]:
    """Which ids are made of something that a record of these rules doesn't say. Treble's own never are."""
    if rules.keeps_raw:
        return frozenset()
    if event_type is None:  # made of the whole body, which is there but for what a rule hides
        return frozenset({"body"}) if rules.hides else frozenset()
    hides = any(_hides_part(rules, event_type, path) for path in event_type.event_id.fields)
    return frozenset({"body", "fields"}) if hides else frozenset({"body"})


def _hides_part(rules: TopicPrivacy, event_type: EventType, path: str) -> bool:
    """Whether the record doesn't say what stands at `path` in the body."""
    family, (holder, _, name) = event_type.family, path.rpartition(".")
    if holder in family.contact and name in CONTACT_FIELDS:
        whole = "contact" in rules.fields
        return rules.hides_phone if name == "cellphone" else whole or "contact.country_code" in rules.fields
    if path in family.session:
        return "session_id" in rules.fields
    if path == family.flow:
        return "flow_id" in rules.fields
    for field in event_type.fields:
        if path == field.path or path.startswith(f"{field.path}."):
            inner = path[len(field.path) + 1 :]
            return hides_in_data(rules, (field.name, *(inner.split(".") if inner else ())))
    return True
