"""Rules of a configuration that no webhook ever meets: they would hide nothing, or name nothing. Pure."""

from typing import Any

from bridge.catalogue import TABLE, UNKNOWN, classify
from bridge.catalogue.definition import data_schema
from bridge.settings.models import Settings
from bridge.settings.section import Contradictions
from bridge.settings.topics import ANY_VALUE, EVERY, MappedEvent


def unmet(settings: Settings) -> Contradictions:
    """Key paths, and why the rule there never matches."""
    yield from _privacy(settings)
    events = list(settings.events.items())
    for index, (name, event) in enumerate(events):
        known = classify(_body(event), "").event_type
        if known not in {None, UNKNOWN, name}:
            yield ("events", name, "when"), f"never matches: such a body is a {known}, which the catalogue finds first"
        for earlier, other in events[:index]:
            if _implied(other, event):
                yield ("events", name, "when"), f"never matches: {earlier}, which stands before it, takes all of these"


def _privacy(settings: Settings) -> Contradictions:
    topics = {event_type: settings.routing.topic_of(event_type) for event_type in TABLE}
    for topic, rules in settings.privacy.topics.items():
        others = settings.privacy.topics.keys() if topic == EVERY else ()
        there = [name for name, to in topics.items() if to and (to == topic or (topic == EVERY and to not in others))]
        for path in rules.fields:
            place, *steps = path.split(".")
            if place == "data" and not any(_leads(data_schema(TABLE[name]), steps) for name in there):
                yield (
                    ("privacy", "topics", topic, "fields", path),
                    "never matches: no event there has it (docs/events.md)",
                )


def _leads(schema: dict[str, Any], steps: list[str]) -> bool:
    """Whether a path leads to something that a value of this schema may have."""
    if "items" in schema:
        return _leads(schema["items"], steps)
    members = schema.get("properties")
    if not steps or (members is None and schema["type"] == "object"):
        return True
    return any(_leads(member, steps[1:]) for name, member in (members or {}).items() if steps[0] in (name, "*"))


def _body(event: MappedEvent) -> dict[str, Any]:
    """A body that fulfils the conditions at its top level."""
    return {path: values[0] for path, values in event.when.items() if ANY_VALUE not in values}


def _implied(earlier: MappedEvent, later: MappedEvent) -> bool:
    """Whether all that fulfils the later conditions fulfils the earlier ones."""
    return all(
        path in later.when and (ANY_VALUE in values or {*later.when[path]} <= {*values})
        for path, values in earlier.when.items()
    )
