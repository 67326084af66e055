"""The table of event types, and which of them a body is.

The body's own evidence decides; without any, the hint of the URL does. A global event says what it is in `event_type`.
A flow webhook doesn't: fields that only it has give it away. Evidence of several types is decided by rank, so the type
of a body that has evidence is the same on every URL.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bridge.catalogue import account_events, flow_events
from bridge.catalogue.definition import EventType, Evidence
from bridge.catalogue.times import proves_nothing

UNKNOWN = "unknown"


def tabled(values: Iterable[object]) -> dict[str, EventType]:
    """The event types among `values`, by name. ValueError where two claim one name, hint, word of Treble's or rank."""
    found = sorted((value for value in values if isinstance(value, EventType)), key=lambda event_type: event_type.name)
    _distinct("name", [event_type.name for event_type in found])
    _distinct("hint", [hint for event_type in found for hint in event_type.hints])
    _distinct("word of Treble's", [event_type.treble for event_type in found])
    _distinct("rank", [str(evidence.rank) for event_type in found for evidence in event_type.evidence])
    return {event_type.name: event_type for event_type in found}


def _distinct(what: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"two event types have the {what} {value}")
        seen.add(value)


TABLE: Mapping[str, EventType] = tabled([*vars(flow_events).values(), *vars(account_events).values()])

HINTS: Mapping[str, str] = {hint: event_type.name for event_type in TABLE.values() for hint in event_type.hints}


@dataclass(frozen=True, slots=True)
class Classification:
    """The type and what decided it: `event_type`, the fields of the evidence, `hint`, or "" for nothing.

    `event_type` is None when nothing tells. `hint_conflict`: the hint means another type than the body's evidence.
    """

    event_type: str | None
    evidence: str
    hint_conflict: bool = False


NOTHING = Classification(None, "")


class _Verdict(NamedTuple):
    """What one piece of evidence says, with and without a conflicting hint: made once, not for every body."""

    agreed: Classification
    when_hinted: Mapping[str, Classification]


def _verdict(event_type: str, evidence: str) -> _Verdict:
    conflict = Classification(event_type, evidence, hint_conflict=True)
    others = {hint: conflict for hint, meant in HINTS.items() if meant != event_type}
    return _Verdict(Classification(event_type, evidence), others)


def _holds(evidence: Evidence, value: dict[str, Any]) -> bool:
    """Whether the evidence is in the body, and not empty."""
    if evidence.equals is not None:
        return bool(value.get(evidence.fields[0]) == evidence.equals)
    return all(_evident(name, value) for name in evidence.fields) and not any(
        _evident(name, value) for name in evidence.without
    )


_TIMES = frozenset(name for event_type in TABLE.values() for name in event_type.own_time)


def _evident(name: str, value: dict[str, Any]) -> bool:
    found = value.get(name)
    is_there = bool(found) and found is not True and type(found) is not list
    return is_there and not (name in _TIMES and proves_nothing(found))


_CLAUSES = tuple(
    (
        evidence.fields[0],
        len(evidence.fields) == 1 and evidence.equals is None and not evidence.without,
        evidence,
        _verdict(event_type.name, "+".join(evidence.fields)),
    )
    for evidence, event_type in sorted(
        ((evidence, event_type) for event_type in TABLE.values() for evidence in event_type.evidence),
        key=lambda pair: -pair[0].rank,
    )
)
_NAMED = {
    event_type.treble: _verdict(event_type.name, "event_type")
    for event_type in TABLE.values()
    if event_type.family.name == "global"
}
_UNNAMED = _verdict(UNKNOWN, "event_type")
_HINTED = {hint: Classification(event_type, "hint") for hint, event_type in HINTS.items()}


def classify(value: Any, hint: str) -> Classification:
    """The type of a body, sent to the URL that ends in `hint` ("" when it ends in none)."""
    if type(value) is not dict:
        return NOTHING
    named = value.get("event_type")
    if named is not None and type(named) is str and named.strip():
        verdict = _NAMED.get(named, _UNNAMED)
        return verdict.when_hinted.get(hint, verdict.agreed)
    get = value.get
    for name, alone, evidence, verdict in _CLAUSES:
        found = get(name)
        # Times of this century, which is what stands alone, begin with a 2: those prove something.
        if found and ((alone and type(found) is str and found[0] == "2") or _holds(evidence, value)):
            return verdict.when_hinted.get(hint, verdict.agreed)
    return _HINTED.get(hint) or _by_name(value)


def _by_name(value: dict[str, Any]) -> Classification:
    """The type that has a time in this body by which nothing is proved (0000-00-00), where nothing else tells."""
    named = (verdict.agreed for name, *_, verdict in _CLAUSES if name in _TIMES and isinstance(value.get(name), str))
    return next((verdict for verdict in named if value[verdict.evidence].strip()), NOTHING)


def evidence_in(value: Any) -> tuple[Classification, ...]:
    """All evidence in a body, what decides first. For people who ask why."""
    if type(value) is not dict:
        return ()
    decided = classify(value, "")
    found = [verdict.agreed for *_, evidence, verdict in _CLAUSES if _holds(evidence, value)]
    return (decided, *(one for one in found if one != decided)) if decided.event_type else ()
