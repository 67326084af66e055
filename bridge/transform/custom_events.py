"""Bodies that only the configuration knows: which of its event types one is. Pure; compiled once per configuration.

The catalogue is asked first. What it knows by the body's own evidence is never mapped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.catalogue.shapes import scalar_text
from bridge.settings.topics import ANY_VALUE, KEY_KINDS, MappedEvent


@dataclass(frozen=True, slots=True)
class Rule:
    """One event type: `evidence` says in words what it is known by; `key` is a path into the body, or None."""

    name: str
    evidence: str
    conditions: tuple[tuple[tuple[str, ...], frozenset[str] | None], ...]
    key: tuple[str, ...] | None

    def holds(self, value: dict[str, Any]) -> bool:
        """Whether all conditions do. What is null or empty is not there."""
        for steps, accepted in self.conditions:
            found = at(value, steps)
            if accepted is None:
                if found is None or found in ("", [], {}):
                    return False
            elif scalar_text(found) not in accepted:
                return False
        return True

    def key_of(self, value: dict[str, Any]) -> str | None:
        """The record's key in this body, None where the path leads to none."""
        return None if self.key is None else scalar_text(at(value, self.key)) or None


def find_rule(rules: tuple[Rule, ...], value: dict[str, Any]) -> Rule | None:
    """The rule that this body is known by: the first that holds."""
    return next((rule for rule in rules if rule.holds(value)), None)


def at(value: Any, steps: tuple[str, ...]) -> Any:
    """What stands at a path; None where it leads nowhere."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def rules_of(events: Mapping[str, MappedEvent]) -> tuple[Rule, ...]:
    """The event types of one configuration, in the file's order."""
    rules = []
    for name, event in events.items():
        conditions = tuple(
            (tuple(path.split(".")), None if ANY_VALUE in values else frozenset(values))
            for path, values in event.when.items()
        )
        key = None if event.key is None or event.key in KEY_KINDS else tuple(event.key.split("."))
        rules.append(Rule(name, "+".join(event.when), conditions, key))
    return tuple(rules)
