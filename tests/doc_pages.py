"""The parts of docs/ that are made from the code: `python -m tests.doc_pages` writes them, a test compares them.

A part stands between `<!-- NAME: made by … -->` and `<!-- end of NAME -->`; everything outside is written by hand.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bridge.catalogue import TABLE
from bridge.catalogue.definition import EventType, Evidence
from bridge.catalogue.schema import data_schema
from bridge.cli import EXIT_CODES
from bridge.errors import ExitCode
from bridge.telemetry.events import EVENTS
from bridge.telemetry.metrics import describe

DOCS: Final = Path(__file__).parent.parent / "docs"

RESTART: Final[Mapping[ExitCode, str]] = MappingProxyType(
    {
        ExitCode.OK: "it was asked to stop",
        ExitCode.FAILURE: "yes",
        ExitCode.USAGE: "no: mend the configuration first",
        ExitCode.JOURNAL_LOCKED: "yes, with a pause: the other process may be about to end",
        ExitCode.JOURNAL_CORRUPT: "no: see [a damaged journal](#a-damaged-journal)",
        ExitCode.JOURNAL_FAILED: "yes: it recovers at its start",
        ExitCode.FENCED: "no: find the other process first",
        ExitCode.UNREACHABLE: "not of `run`, which waits for Kafka by itself",
        ExitCode.MISMATCH: "not of `run`",
    }
)
"""Exit code → whether a supervisor should start `run` again."""


def catalogue() -> Iterator[str]:
    """One row for each event type."""
    yield "| Treble | told by | event type | default topic | default key | required |\n|---|---|---|---|---|---|"
    for name, event_type in TABLE.items():
        cells = (told_by(event_type), f"[`{name}`](events.md#{name.replace('.', '')})", f"`treble.{name}`")
        yield f"| `{event_type.treble}` | {' | '.join(cells)} | {event_type.key} | {required(event_type)} |"


def event_types() -> Iterator[str]:
    """A section for each event type."""
    for event_type in TABLE.values():
        yield from _section(event_type)
        yield ""


def metrics() -> Iterator[str]:
    """One row for each metric, by the name that a scrape shows."""
    yield "| metric | type | labels | meaning |\n|---|---|---|---|"
    for name, kind, labels, meaning in describe():
        shown = f"{name}_total" if kind == "counter" else name
        yield f"| `{shown}` | {kind} | {', '.join(labels) or '–'} | {meaning} |"


def log_events() -> Iterator[str]:
    """One row for each log event."""
    yield "| `event.name` | meaning |\n|---|---|"
    for name, meaning in EVENTS.items():
        yield f"| `{name}` | {meaning} |"


def exit_codes() -> Iterator[str]:
    """One row for each exit code."""
    yield "| code | means | start `run` again? |\n|---|---|---|"
    for code, meaning in EXIT_CODES.items():
        yield f"| {int(code)} | {meaning} | {RESTART[code]} |"


PARTS: Final[Mapping[str, Mapping[str, Callable[[], Iterator[str]]]]] = MappingProxyType(
    {
        "contract.md": {"catalogue": catalogue},
        "events.md": {"event types": event_types},
        "operations.md": {"metrics": metrics, "log events": log_events, "exit codes": exit_codes},
    }
)
"""Page → its parts by name."""


def with_parts(page: str, parts: Mapping[str, Callable[[], Iterator[str]]]) -> str:
    """`page` with its parts as of today."""
    for name, make in parts.items():
        begin, end = f"<!-- {name}: made by `python -m tests.doc_pages` -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"the page lacks {begin} … {end}")
        text = "\n".join(make()).strip()
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


def told_by(event_type: EventType) -> str:
    """What in a body, or in its URL, says that it is of this type."""
    if event_type.family.name == "unknown":
        return "any other `event_type`"
    if event_type.family.name == "global":
        evidence = f"`event_type` = `{event_type.treble}`"
    else:
        evidence = ", or ".join(map(_evidence, sorted(event_type.evidence, key=lambda each: -each.rank)))
    return f"{evidence}; else the hint {' '.join(f'`{hint}`' for hint in event_type.hints)}"


def required(event_type: EventType) -> str:
    """What a body must have, or it goes to the quarantine."""
    paths = [field.path for field in event_type.fields if field.required]
    if event_type.family.session_required:
        paths = [event_type.family.session[0], *paths]
    names = [f"`{path}`" for path in paths]
    if event_type.identity.fallback == "reject":
        combinations = (" with ".join(f"`{path}`" for path in one) for one in event_type.identity.enough)
        names.append(", or ".join(["`event_id`", *combinations]))
    return "; ".join(names) or "nothing"


def _section(event_type: EventType) -> Iterator[str]:
    name = event_type.name
    yield f"## `{name}`\n"
    yield f"{event_type.fires}\n"
    yield f"- at Treble: `{event_type.treble}`. {event_type.configured}"
    yield f"- told by: {told_by(event_type)}"
    yield f"- default topic: `treble.{name}`, default key: {event_type.key}"
    yield f"- happened at: {_moment(event_type)}"
    yield f"- id: {_id(event_type)}"
    yield f"- required: {required(event_type)}\n"
    yield "| in `data` | is | meaning | sent as |\n|---|---|---|---|"
    properties: dict[str, Any] = data_schema(event_type)["properties"]
    sent_as = {field.name: field.path for field in event_type.fields}
    for field, schema in properties.items():
        yield from _rows(field, schema, f"`{sent_as[field]}`")


def _evidence(evidence: Evidence) -> str:
    fields = " and ".join(f"`{field}`" for field in evidence.fields)
    if evidence.equals is not None:
        return f"{fields} = `{evidence.equals}`"
    return fields + "".join(f" without `{field}`" for field in evidence.without)


def _moment(event_type: EventType) -> str:
    paths = {field.name: field.path for field in event_type.fields}
    return ", else ".join([*(f"`{paths[name]}`" for name in event_type.own_time), "the time of arrival"])


def _id(event_type: EventType) -> str:
    fields = ", ".join(f"`{path}`" for path in event_type.identity.fields)
    if not event_type.identity.enough:
        return f"`event_id`, else a hash of source, type, {fields} and the whole body"
    whole = ""
    if event_type.identity.fallback == "body":
        needed = " or ".join(" and ".join(f"`{path}`" for path in one) for one in event_type.identity.enough)
        whole = f"; without {needed}, of the whole body too"
    return f"`event_id`, else a hash of source, type, {fields}{whole}"


def _rows(field: str, schema: dict[str, Any], sent_as: str) -> Iterator[str]:
    meaning = schema.get("description", "")
    if known := schema.get("examples"):
        meaning += f" Seen: {', '.join(f'`{value}`' for value in known)}."
    yield f"| `{field}` | {_kind(schema)} | {meaning} | {sent_as} |"
    inner = schema.get("items", schema)
    name = f"{field}[]" if "items" in schema else field
    for member, below in inner.get("properties", {}).items():
        yield from _rows(f"{name}.{member}", below, "")


def _kind(schema: dict[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "time"
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}s"
    return "text" if schema["type"] == "string" else str(schema["type"])


if __name__ == "__main__":
    for file, made in PARTS.items():
        path = DOCS / file
        path.write_text(with_parts(path.read_text(encoding="utf-8"), made), encoding="utf-8")
