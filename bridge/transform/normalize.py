"""An entry of the journal → an event, or what is wrong with it. Lenient in, strict out.

Pure: the same bytes give the same event, whenever and wherever. How each field is read is compiled from the catalogue
once; a body costs one pass over the fields of its type. Whatever was lenient is in the event's notes.
"""

import datetime as dt
from contextlib import suppress
from typing import Any

import orjson

from bridge.catalogue.contact import CONTACT_FIELDS, read_contact
from bridge.catalogue.definition import EventType
from bridge.catalogue.event_id import EventIdMaker, split_path, treble_id
from bridge.catalogue.numbers import LONG, read_exactly
from bridge.catalogue.reading import MORE_NOTES, Reading, note_kind
from bridge.catalogue.session_keys import read_session_keys
from bridge.catalogue.shapes import number_text
from bridge.catalogue.table import HINTS, NOTHING, TABLE, UNKNOWN, Classification, classify
from bridge.catalogue.times import proves_nothing, utc_text
from bridge.model import Contact, Entry, Event, IdFrom, Problem, Rejected
from bridge.telemetry.redact import mask_phones
from bridge.transform.custom_events import Rule, find_rule
from bridge.transform.json_body import NUL, NUL_NOTE, NotJson, decode

DEPTH_MAX = 200
"""Levels of nesting in a body. Readers of JSON give up at some depth of their own; most take this much."""

_TOO_DEEP = Rejected("invalid", (Problem("", f"nested deeper than {DEPTH_MAX} levels"),))


def examine(
    entry: Entry, zone: dt.tzinfo | None, rules: tuple[Rule, ...] = ()
) -> tuple[Classification, Event | Rejected]:
    """The event of an entry, and what decided its type. `zone` None is UTC, and quicker.

    `rules` are the event types of the configuration.
    """
    text: bytes = entry.body
    notes: tuple[str, ...] = ()
    try:
        value = orjson.loads(text)
        if NUL in text:
            value, text, notes = decode(text)
    except orjson.JSONDecodeError:
        try:
            value, text, notes = decode(text)
        except NotJson as error:
            return NOTHING, _NO_VALUE[error.reason]
    if type(value) is not dict:
        what = "an array, but a webhook is one object" if type(value) is list else "no JSON object"
        return NOTHING, Rejected("not_object", (Problem("", f"the body is {what}"),))
    decided = classify(value, entry.hint)
    if rules and (decided.event_type in _UNDECIDED or decided.evidence == "hint"):
        rule = find_rule(rules, value)
        if rule is not None:
            return _mapped(rule, entry, value, text, Reading(zone, notes))
    if decided.event_type is None:
        return decided, _UNCLASSIFIED_HINTED if entry.hint else _UNCLASSIFIED
    if decided.evidence == "hint" and _too_deep(value, text):
        return decided, _TOO_DEEP
    return decided, _READERS[decided.event_type].read(entry, value, text, Reading(zone, notes))


_UNDECIDED = (None, UNKNOWN)
_OF_FIELDS = ("unknown_field", MORE_NOTES)


def _without_phone(note: str) -> str:
    """The detail of a note may be any name that was in the body: a phone number is one for some senders."""
    kind, colon, detail = note.partition(":")
    return f"{kind}:{mask_phones(detail)}" if colon else note


def _mapped(
    rule: Rule, entry: Entry, value: dict[str, Any], text: bytes, reading: Reading
) -> tuple[Classification, Event | Rejected]:
    """An event of a type that only the configuration knows: read as an unknown one, its data the body as it is.

    So its id is the same before and after the configuration knows it. Which of its fields are known is nobody's claim.
    """
    decided = Classification(rule.name, rule.evidence, entry.hint in HINTS)
    if _too_deep(value, text):
        return decided, _TOO_DEEP
    event = _READERS[UNKNOWN].read(entry, value, text, reading)
    if isinstance(event, Rejected):
        return decided, event
    exact = read_exactly(text) if LONG.search(text) else value
    key = rule.key_of(exact)
    return decided, event._replace(
        type=rule.name,
        data=exact,
        key_fields=event.key_fields if key is None else {**event.key_fields, "path": key},
        notes=tuple(note for note in event.notes if note_kind(note) not in _OF_FIELDS),
    )


_UNTOLD = "nothing in the body tells which event it is, and the URL ends in"
_UNCLASSIFIED = Rejected("unclassified", (Problem("", f"{_UNTOLD} no hint"),))
_UNCLASSIFIED_HINTED = Rejected("unclassified", (Problem("", f"{_UNTOLD} no known hint"),))
_NO_VALUE = {
    "empty": Rejected("not_json", (Problem("", "the body is empty"),)),
    "not_utf8": Rejected("not_json", (Problem("", "the body is not UTF-8"),)),
    "syntax": Rejected("not_json", (Problem("", "the body is not JSON, or is nested deeper than 1,024 levels"),)),
}


def _too_deep(value: Any, text: bytes) -> bool:
    if text.count(b"{") + text.count(b"[") <= DEPTH_MAX:
        return False
    layer = [value]
    for _ in range(DEPTH_MAX):
        inner: list[Any] = []
        for item in layer:
            held = item.values() if isinstance(item, dict) else item
            inner += [part for part in held if isinstance(part, dict | list)]
        if not inner:
            return False
        layer = inner
    return True


class _BodyReader:
    def __init__(self, event_type: EventType) -> None:
        family = event_type.family
        self._name = event_type.name
        self._fields = tuple(
            (field.name, *split_path(field.path), field.shape.bind(field.path)) for field in event_type.fields
        )
        self._required = tuple((field.name, field.path) for field in event_type.fields if field.required)
        self._contact = family.contact
        self._session = tuple((path, *split_path(path)) for path in family.session)
        self._session_required = family.session[0] if family.session_required else None
        self._flow = family.flow
        paths = {field.name: field.path for field in event_type.fields}
        self._own_time = tuple((name, *split_path(paths[name])) for name in event_type.own_time)
        self._first_time = event_type.own_time[0] if event_type.own_time else ""
        self._strict_time = event_type.strict_time
        self._ids = EventIdMaker(event_type.name, event_type.event_id)
        self._known, self._inner = _known_fields(event_type)

    def read(self, entry: Entry, value: dict[str, Any], text: bytes, reading: Reading) -> Event | Rejected:
        """The event in a body, or all that is wrong with it. `text` is the JSON text of `value`."""
        before = (*reading.notes,)
        found = self._read(entry, value, value, text, reading)
        # A number where text is documented leaves a note. Whose event it is, and its id, are read as ever.
        if isinstance(found, Event) and len(found.notes) > len(before) and LONG.search(text):
            return self._read(entry, value, read_exactly(text), text, Reading(reading.zone, before))
        return found

    def _read(
        self, entry: Entry, value: dict[str, Any], exact: dict[str, Any], text: bytes, reading: Reading
    ) -> Event | Rejected:
        contact = self._read_contact(value, reading)
        session_id = self._read_session(value, reading)
        flow_id = None if self._flow is None else _opaque(exact.get(self._flow), self._flow, reading, any_type=True)
        session_keys = read_session_keys(exact.get("user_session_keys"), reading)
        data = self._read_data(exact, reading)
        occurred_at = data.get(self._first_time) or self._read_moment(entry, value, data, reading)
        sent = value
        if NUL_NOTE in reading.notes:
            with suppress(orjson.JSONDecodeError):  # unescaped, it was no JSON
                sent = orjson.loads(entry.body)
        event_id = treble_id(sent, reading) if "event_id" in sent else None
        if self._inner or not self._known.issuperset(value):
            self._note_drift(value, reading)
        # What is nested deep was not read, so it left a note (or its type was only hinted at, and that was looked at).
        if reading.notes and _too_deep(value, text):
            return _TOO_DEEP
        id_from: IdFrom = "event_id"
        if event_id is None:
            if (made := self._ids.make(entry.source, sent, text, contact)) is None:
                reading.problem("event_id", f"expected an id, or without one {self._ids.enough_text}")
            else:
                event_id, id_from = made
        if reading.problems or event_id is None:
            return Rejected("invalid", tuple(reading.problems))
        key_fields = {"event_id": event_id}
        if session_id is not None:
            key_fields["session"] = session_id
        if contact is not None and contact.key is not None:
            key_fields["contact"] = contact.key
            if contact.phone is not None:
                key_fields["phone"] = contact.phone
        if template := data.get("template"):
            key_fields["template"] = template
        return Event(
            event_id,
            self._name,
            entry.source,
            entry.received_at_ms,
            occurred_at,
            contact,
            session_id,
            flow_id,
            session_keys,
            data,
            text,
            key_fields,
            tuple(map(_without_phone, reading.notes)) if reading.notes else (),
            id_from,
        )

    def _read_contact(self, value: dict[str, Any], reading: Reading) -> Contact | None:
        """The contact: the phone of the first place that has one, and the same of WhatsApp's ids."""
        found: Contact | None = None
        for place in self._contact:
            holder = value.get(place) if place else value
            if type(holder) is dict:
                if (contact := read_contact(holder, reading, place)) is not None:
                    found = contact if found is None else found.with_parts_of(contact)
            elif holder is not None:
                reading.note(f"unreadable:{place}")
        return found

    def _read_session(self, value: dict[str, Any], reading: Reading) -> str | None:
        for path, top, inner in self._session:
            sent = value.get(top)
            if inner is not None:
                sent = sent.get(inner) if type(sent) is dict else None
            if type(sent) is str and sent and not sent.isspace():
                return sent
            if (session_id := _opaque(sent, path, reading)) is not None:
                return session_id
        if self._session_required is not None:
            reading.problem(self._session_required, "expected the conversation's id, a text that is not empty")
        return None

    def _read_data(self, value: dict[str, Any], reading: Reading) -> dict[str, Any]:
        data = {}
        get = value.get
        for name, top, inner, read in self._fields:
            found = get(top)
            if inner is not None:
                found = found.get(inner) if type(found) is dict else None
            if found is not None and (found := read(found, reading)) is not None:
                data[name] = found
        for name, path in self._required:
            if not data.get(name) or (isinstance(data[name], str) and data[name].isspace()):
                reading.problem(path, "expected a text that is not empty")
        return data

    def _read_moment(self, entry: Entry, value: dict[str, Any], data: dict[str, Any], reading: Reading) -> str:
        """When it happened: the first of the type's own times that the body has; without any, when it arrived."""
        for name, top, inner in self._own_time:
            moment: str | None = data.get(name)
            if moment is not None:
                return moment
            sent = value.get(top)
            if inner is not None:
                sent = sent.get(inner) if type(sent) is dict else None
            if self._strict_time and not proves_nothing(sent):
                reading.problem(f"{top}.{inner}" if inner else top, "expected a time, such as 2026-06-22 15:19:08")
                break
        if self._own_time:
            reading.note("occurred_at_is_received_at")
        return utc_text(entry.received_at_ms)

    def _note_drift(self, value: dict[str, Any], reading: Reading) -> None:
        if not self._known.issuperset(value):
            reading.unknown_fields(name for name in value if name not in self._known)
        for top, members in self._inner:
            held = value.get(top)
            if type(held) is dict:
                if members.issuperset(held):
                    continue
                reading.unknown_fields((name for name in held if name not in members), f"{top}.")
            elif held is not None:
                reading.note(f"unreadable:{top}")


def _known_fields(event_type: EventType) -> tuple[frozenset[str], tuple[tuple[str, frozenset[str]], ...]]:
    """The documented fields of a body, and of the objects whose members are read one by one."""
    family = event_type.family
    paths = [field.path for field in event_type.fields] + [*family.session, *family.documented]
    paths += [family.flow] if family.flow else []
    paths += [f"{place}.{name}" if place else name for place in family.contact for name in CONTACT_FIELDS]
    inner: dict[str, set[str]] = {}
    for path in paths:
        top, _, member = path.partition(".")
        if member:
            inner.setdefault(top, set()).add(member)
    known = frozenset(path.partition(".")[0] for path in paths)
    return known, tuple((top, frozenset(members)) for top, members in inner.items())


def _opaque(sent: Any, name: str, reading: Reading, *, any_type: bool = False) -> str | None:
    """An id of Treble's, as text. `any_type`: documented as a number and as a text, so neither is worth a note."""
    if type(sent) is str:
        return sent if sent.strip() else None
    if sent is None:
        return None
    text = number_text(sent)
    if text is None:
        reading.note(f"unreadable:{name}")
    elif not any_type or type(sent) is not int:
        reading.note(f"{name}_was_number")
    return text


_READERS = {name: _BodyReader(event_type) for name, event_type in TABLE.items()}
