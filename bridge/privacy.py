"""What may not be stored: events without what a topic's rules hide. Pure; made once per topic and configuration.

A hash is `hmac-sha256:` and 64 hex digits, over the text of the value (a number as JSON writes it), with the
configuration's key: equal values have equal hashes, in every topic, so that events can still be joined. Masked text is
`***`, a masked number such as `+57******08`.
"""

import hashlib
import hmac
import json
from typing import Any, Final

from bridge.model import Contact, Event
from bridge.settings.privacy import Privacy, TopicPrivacy
from bridge.telemetry.masking import HIDDEN, mask_phone

HASH_PREFIX: Final = "hmac-sha256:"

_GONE: Final = object()
# Where a body that is carried whole (an event type of the configuration) has the number, and the conversation.
_NUMBERS_IN_A_BODY: Final = (("cellphone",), ("user", "cellphone"))
_SESSIONS_IN_A_BODY: Final = (("session_id",), ("session", "external_id"))


class Redaction:
    """The rules of one topic, ready for events. `hash_key` is empty where no rule needs it."""

    __slots__ = (
        "_contact_gone",
        "_country_code",
        "_fields",
        "_flow",
        "_hash_key",
        "_hides_phone",
        "_phone",
        "_raw",
        "_session",
    )

    def __init__(self, rules: TopicPrivacy, hash_key: str) -> None:
        fields = rules.fields
        self._hash_key = hash_key.encode()
        self._raw = rules.keeps_raw
        self._phone = rules.phone
        self._hides_phone = rules.hides_phone
        self._contact_gone = "contact" in fields
        self._country_code = fields.get("contact.country_code")
        self._session = "session_id" in fields
        self._flow = fields.get("flow_id")
        inner = [(tuple(path.split(".")), action) for path, action in fields.items()]
        self._fields = tuple((steps, action) for steps, action in inner if steps[0] in {"data", "session_keys"})

    @classmethod
    def of(cls, privacy: Privacy, topic: str) -> "Redaction | None":
        """The redaction of a topic, None where its records say everything."""
        rules = privacy.of(topic)
        if rules is None or (rules.keeps_raw and not rules.hides):
            return None
        return cls(rules, privacy.hash_key.get_secret_value() if privacy.hash_key else "")

    def event(self, event: Event, *, whole_body: bool = False) -> Event:
        """The event without what may not be stored. `whole_body`: its data is a body as Treble sent it."""
        parts: Any = {"data": event.data, "session_keys": event.session_keys}
        for steps, action in self._fields:
            parts = self._without(parts, steps, action)
        data = parts.get("data", {})
        if whole_body:
            for steps in _NUMBERS_IN_A_BODY if self._hides_phone else ():
                data = self._without(data, steps, "drop" if self._phone == "keep" else self._phone)
            for steps in _SESSIONS_IN_A_BODY if self._session else ():
                data = self._without(data, steps, "hash")
        flow_id = event.flow_id if self._flow is None else self._text(event.flow_id, self._flow)
        return event._replace(
            contact=self._contact(event.contact),
            session_id=self.hashed(event.session_id) if self._session and event.session_id else event.session_id,
            flow_id=flow_id,
            session_keys=parts.get("session_keys"),
            data=data,
            raw=event.raw if self._raw else b"",
        )

    def key(self, kind: str, key: str) -> str:
        """The record's key: its hash where it is what may not be read. So one key is still one partition."""
        if (self._hides_phone and kind in {"phone", "path"}) or (self._session and kind in {"session", "path"}):
            return self.hashed(key)
        return key

    def hashed(self, text: str) -> str:
        """The keyed hash of a text."""
        return HASH_PREFIX + hmac.new(self._hash_key, text.encode(), hashlib.sha256).hexdigest()

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

    def _leaves(self, value: Any, action: str) -> Any:
        if isinstance(value, dict):
            return {name: self._leaves(item, action) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._leaves(item, action) for item in value]
        if value is None:
            return None
        return HIDDEN if action == "mask" else self.hashed(value if isinstance(value, str) else json.dumps(value))
