"""The table of event types, collected from the modules of `events/`, and what derives from it."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType

from bridge.catalogue import events
from bridge.catalogue.definition import EventType

UNKNOWN = "unknown"


def collect(package: ModuleType) -> list[EventType]:
    """Every EventType that a module of `package` defines at its top level."""
    found = []
    for module_info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        found += [value for value in vars(module).values() if isinstance(value, EventType)]
    return found


def tabled(found: Sequence[EventType]) -> dict[str, EventType]:
    """Event types by name. ValueError where two claim the same name, hint, word of Treble's or rank."""
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


TABLE: Mapping[str, EventType] = tabled(collect(events))

HINTS: Mapping[str, str] = {hint: event_type.name for event_type in TABLE.values() for hint in event_type.hints}
