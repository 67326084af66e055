"""What makes an event the same event: its id.

Treble's `event_id`, where there is one. Else SHA-256 (hex) over a JSON array: source, event type, and the fields of the
type's rule as they were sent, numbers as text, absent ones null; WhatsApp's id of the person stands for a phone that is
missing. Times go in as sent, so the id does not depend on the source's time zone setting. Where the fields that tell
two events apart are not all there, a flow webhook's whole body goes in as well (the same bytes are the same event,
whenever they arrive); a global event has no id then, and can't be accepted. Only text that isn't blank is there, and a
number that lost no digits.

The rule is a contract with consumers: golden values in the tests make a change of it visible.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from bridge.catalogue.reading import Reading
from bridge.catalogue.shapes import number_text
from bridge.catalogue.times import proves_nothing
from bridge.model import Contact, IdFrom

EVENT_ID_CHARACTERS_MAX = 200

_SORTED = orjson.OPT_SORT_KEYS
# A number with an exponent in canonical JSON may have lost digits that told two bodies apart.
_INEXACT = re.compile(rb"[:,\[]-?\d(?:\.\d+)?e[+]?\d")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')


@dataclass(frozen=True, slots=True)
class EventIdRule:
    """What the id of an event type is made of where Treble gives none.

    `fields` are dotted paths into the body, two names long at the most. `enough` lists combinations of them; when all
    fields of one are there, the fields tell events apart. Otherwise the `fallback`: the whole `body` goes in, or the
    event is rejected.
    """

    fields: tuple[str, ...]
    enough: tuple[tuple[str, ...], ...]
    fallback: Literal["body", "reject"]


class EventIdMaker:
    __slots__ = ("_enough", "_event_type", "_fields", "_paths", "_rejects", "_times")

    def __init__(self, event_type: str, rule: EventIdRule) -> None:
        self._event_type = event_type
        self._paths = rule.fields
        self._fields = tuple(split_path(path) for path in rule.fields)
        self._rejects = rule.fallback == "reject"
        self._times = frozenset(at for at, path in enumerate(rule.fields) if path.endswith(("_at", "timestamp")))
        self._enough = tuple(tuple(rule.fields.index(path) for path in paths) for paths in rule.enough)

    @property
    def enough_text(self) -> str:
        """The combinations of fields that tell events apart, in words."""
        found = ", or ".join(" and ".join(self._paths[at] for at in positions) for positions in self._enough)
        return found.replace("user.cellphone", "user.cellphone (or user.business_scope_id)")

    def make(
        self, source: str, value: dict[str, Any], text: bytes, contact: Contact | None
    ) -> tuple[str, IdFrom] | None:
        """The id of a body without `event_id`, and what it is made of; None when nothing tells it from other events.

        `text` is the body as JSON.
        """
        parts = self._parts(value, contact)
        if self._tells_apart(parts):
            made_of: IdFrom = "fields"
            hashed = [source, self._event_type, *parts]
        elif self._rejects:
            return None
        else:
            made_of = "body"
            hashed = [source, self._event_type, *parts, canonical(value, text)]
        return hashlib.sha256(orjson.dumps(hashed, option=_SORTED)).hexdigest(), made_of

    def fields(self, value: dict[str, Any], contact: Contact | None) -> dict[str, Any]:
        """What the rule's fields hold in this body, for people."""
        return dict(zip(self._paths, self._parts(value, contact), strict=True))

    def _parts(self, value: dict[str, Any], contact: Contact | None) -> list[Any]:
        parts = []
        get = value.get
        for top, inner in self._fields:
            part = get(top)
            if inner is not None and type(part) is dict:  # bare text stands for what would be in the object
                part = part.get(inner)
            if inner == "cellphone" and not part and contact is not None:
                part = contact.key
            # Ids travel as numbers or as text. A number that may have lost digits stays one.
            parts.append(part if type(part) is str else number_text(part) or part)
        return parts

    def _tells_apart(self, parts: list[Any]) -> bool:
        for positions in self._enough:
            for position in positions:
                part = parts[position]
                if type(part) is not str or not part or part.isspace():
                    break
                if position in self._times and part[0] != "2" and proves_nothing(part):
                    break
            else:
                return True
        return False


def treble_id(value: dict[str, Any], reading: Reading) -> str | None:
    """The body's own `event_id`, or its hash where it would not fit a header; None when there is none."""
    sent = value.get("event_id")
    if (number := number_text(sent)) is not None:
        reading.note("event_id_was_number")
        sent = number
    if not isinstance(sent, str) or not sent.strip():
        if sent:
            reading.note("unreadable:event_id")
        return None
    if len(sent) <= EVENT_ID_CHARACTERS_MAX and sent.isprintable():
        return sent
    reading.note("event_id_was_hashed")
    return hashlib.sha256(sent.encode()).hexdigest()


def canonical(value: Any, text: bytes) -> str:
    """The hash of a body, whatever the order of its keys and its white space."""
    ordered = orjson.dumps(value, option=_SORTED)
    # Looked at twice: what is like a number in a text (a URL, say) is none.
    if _INEXACT.search(ordered) and _INEXACT.search(_STRING.sub(b'""', ordered)):
        read = json.loads(text, parse_float=_Literal, parse_int=_Literal)
        ordered = orjson.dumps(_with_literals(read), option=_SORTED)
    return hashlib.sha256(ordered).hexdigest()


def split_path(path: str) -> tuple[str, str | None]:
    """A path of one or two names."""
    top, _, inner = path.partition(".")
    return top, inner or None


class _Literal(str):
    """A number as it is written."""

    __slots__ = ()


def _with_literals(value: Any) -> Any:
    """A JSON value with all digits of its numbers: they are text, and text begins with a quote."""
    if isinstance(value, dict):
        return {name: _with_literals(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_literals(item) for item in value]
    if isinstance(value, _Literal):
        return str(value)
    return f'"{value}' if isinstance(value, str) else value
