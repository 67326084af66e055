"""What would make an event of a body that is none: found by trying, not by guessing. Pure.

A suggestion is a change of the configuration, of the URL, of a topic's limit, or of the bridge's version.
"""

from typing import Any, Final

from bridge.catalogue import HINTS
from bridge.catalogue.reading import cleaned
from bridge.model import Entry, Event, Prepared, Rejected
from bridge.settings.topics import MappedEvent
from bridge.transform.custom_events import Mapper
from bridge.transform.dead_letter import Returned
from bridge.transform.normalize import examine
from bridge.transform.prepare import Preparer
from bridge.version import VERSION

_FIELDS_SHOWN_MAX: Final = 8
_OWN_NAME: Final = "your.own.name"
_SENDER: Final = "no configuration changes this: what the sender posts has to"


def suggestions(preparer: Preparer, entry: Entry, value: Any, prepared: Prepared) -> tuple[str, ...]:
    """For an entry that goes to the quarantine: what would change that, the least effort first.

    `value` is what its body holds, None where that is no JSON.
    """
    if prepared.reason == "internal_error":
        return (f"no configuration changes this: version {VERSION} of the bridge has a fault, a later one may not",)
    if not isinstance(value, dict):
        return (_SENDER,)
    decided, _ = preparer.examine(entry)
    found: list[str] = []
    if decided.event_type is None or decided.evidence == "hint":
        found += _by_hint(preparer, entry)
        found += _by_mapping(preparer, entry, value)
    return tuple(found) or (f"{_SENDER}; or a later version of the bridge than {VERSION}, which reads it otherwise",)


def since_then(returned: Returned, prepared: Prepared) -> tuple[str, ...]:
    """For a record of the quarantine: what has changed since it was made."""
    by = f"version {returned.bridge}" if returned.bridge else "an earlier version"
    if prepared.outcome == "quarantined":
        other = returned.bridge not in {"", VERSION}
        return (f"{by} could not make an event of it, and version {VERSION} can't either",) if other else ()
    again = f"treble-bridge quarantine redrive {returned.id}"
    if prepared.record is None:
        return ("today's configuration drops this event type: redrive forwards nothing",)
    if returned.reason == "refused_by_kafka":
        size = len(prepared.record.value) + len(prepared.record.key)
        limit = f"raise max.message.bytes of topic {prepared.topic} above the record's {size} bytes"
        return (f"{limit} (compressed, it may be less), or leave raw out with privacy.topics; then: {again}",)
    return (f"{by} could not; version {VERSION} with this configuration makes an event of it: {again}",)


def _by_hint(preparer: Preparer, entry: Entry) -> list[str]:
    lacking: dict[str, str] = {}
    working: list[str] = []
    for hint in HINTS:
        _, result = preparer.examine(entry._replace(hint=hint))
        if isinstance(result, Event):
            working.append(f"{hint} ({result.type})")
        else:
            lacking[hint] = ", ".join(problem.pointer or "body" for problem in result.problems)
    if working:
        return [f"on a URL that ends in its hint it would be an event: {', '.join(working)}"]
    fewest = min(lacking.values(), key=lambda text: text.count(","))
    near = [hint for hint, text in lacking.items() if text == fewest]
    return [f"on a URL that ends in {', '.join(near)} it would still lack {fewest}"]


def _by_mapping(preparer: Preparer, entry: Entry, value: dict[str, Any]) -> list[str]:
    """Whether `events` could name it: tried with the fields that it has."""
    names = [name for name, held in value.items() if held not in (None, "", [], {}) and _addressable(name)]
    if not names:
        return []
    trial = Mapper({_OWN_NAME: MappedEvent(when=dict.fromkeys(names[:_FIELDS_SHOWN_MAX], ("*",)))})
    _, result = examine(entry, preparer.zone(entry), trial)
    if isinstance(result, Rejected):
        return []
    shown = ", ".join(cleaned(name) for name in names[:_FIELDS_SHOWN_MAX])
    return [f"`events` in the configuration can give it a type, a topic and a key; `when` may name: {shown}"]


def _addressable(name: str) -> bool:
    """Whether a dotted path can name it."""
    return bool(name) and not name[0].isspace() and "." not in name
