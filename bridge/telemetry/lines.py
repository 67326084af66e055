"""From an event's fields to its line: errors taken apart, values masked and bounded, rendered. Nothing here raises."""

import json
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

from bridge.telemetry.fields import FIELDS

VALUE_CHARS_MAX = 2_000
TRACEBACK_CHARS_MAX = 12_000
ITEMS_MAX = 50
DEPTH_MAX = 6

Line = MutableMapping[str, Any]
Render = Callable[[str, Line], str]

# Values of our own making that may look like a phone number to the mask.
_OWN = frozenset({"event", "level", "timestamp", "journal_id", "config_hash", "version"})
_NAMES = {key: field.name for key, field in FIELDS.items()}
_FIRST = ("@timestamp", "log.level", "event.name", "message")


def with_error(_logger: Any, _method: str, line: Line) -> Line:
    """`error=` (an exception that explains itself) and `exc_info=` (one that needs its traceback) as text fields."""
    error, unforeseen = line.pop("error", None), line.pop("exc_info", None)
    if isinstance(unforeseen, tuple):
        unforeseen = unforeseen[1]
    if isinstance(unforeseen, BaseException):
        error = unforeseen
        trace = "".join(traceback.format_exception(unforeseen))
        line["error.stack_trace"] = trace[-TRACEBACK_CHARS_MAX:]
    if isinstance(error, BaseException):
        line["error.type"] = type(error).__name__
        line["error.message"] = _text_of(error)
        if error.__cause__ is not None and "error.stack_trace" not in line:
            line["error.cause"] = f"{type(error.__cause__).__name__}: {_text_of(error.__cause__)}"
    elif error is not None:
        line["error.message"] = error
    return line


def bounded(line: Line, mask: Callable[[str], str]) -> Line:
    """Every text in `line` masked, printable and not too long, however deep it lies."""
    return {
        _clean(str(key)): value if key in _OWN else _value(value, mask, _chars_max(key)) for key, value in line.items()
    }


def _chars_max(key: str) -> int:
    return TRACEBACK_CHARS_MAX if key == "error.stack_trace" else VALUE_CHARS_MAX


def _value(value: Any, mask: Callable[[str], str], chars_max: int, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth < DEPTH_MAX:
        if isinstance(value, Mapping):
            items = list(value.items())[:ITEMS_MAX]
            return {
                _value(str(key), mask, chars_max): _value(inner, mask, chars_max, depth + 1) for key, inner in items
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [_value(inner, mask, chars_max, depth + 1) for inner in list(value)[:ITEMS_MAX]]
    text = value if isinstance(value, str) else _text_of(value)
    if len(text) > chars_max:  # cut with room for what the mask replaces, so that no half of a number stays at the end
        text = text[: chars_max + 64]
        return _clean(mask(text), chars_max == TRACEBACK_CHARS_MAX)[:chars_max] + "…"
    return _clean(mask(text), chars_max == TRACEBACK_CHARS_MAX)


def _text_of(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a __str__ of a library's making
        return f"<{type(value).__name__}>"


def _clean(text: str, line_ends: bool = False) -> str:
    """Lone surrogates and control characters escaped: a line stays one line, and can always be written."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if text.isprintable():
        return text
    kept = "\n\t" if line_ends else "\t"
    return "".join(c if c in kept or c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def as_json(_method: str, line: Line) -> str:
    """The line as one JSON object, with the names of `FIELDS`; what every line has comes first."""
    named = {_NAMES.get(key, key): value for key, value in line.items()}
    ordered = {key: named.pop(key) for key in _FIRST if key in named} | named
    try:
        return json.dumps(ordered, ensure_ascii=False, default=_text_of)
    except (TypeError, ValueError):
        return json.dumps({key: _text_of(value) for key, value in ordered.items()})


def as_console(*, colors: bool) -> Render:
    """Rendering for people, with or without colours."""
    renderer = structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)

    def render(method: str, line: Line) -> str:
        message = line.pop("message", None)
        trace = line.pop("error.stack_trace", None)
        text = str(renderer(None, method, dict(line) | ({"means": message} if message else {})))
        return f"{text}\n{trace}" if trace else text

    return render
