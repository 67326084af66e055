"""What is wrong, or probably not meant, in a configuration: where it stands, what was expected, what was found. Pure.

What was found is shown only where no secret can stand: not below `auth`, `security` or another of `_SECRETIVE`, and as
the file writes it, so that of an expanded `${VAR}` only the name appears.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import ConfigError
from bridge.settings.document import Document
from bridge.settings.reference import NAME, options, section_at
from bridge.settings.section import Loc

_SECRETIVE = {"auth", "security", "hash_key", "headers", "endpoint"}
_FOUND_CHARS_MAX = 40

_MAPPING = "expected a mapping (lines of `key: value`)"
_EXPECTED = {
    "string_type": "expected text",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "expected a whole number"),
    "int_parsing_size": "expected a smaller number",
    **dict.fromkeys(("bool_parsing", "bool_type"), "expected true or false"),
    "tuple_type": "expected a list (each line begins with `- `)",
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), _MAPPING),
    "union_tag_invalid": "expected text, or a mapping",
}
_LIMITS = {
    "greater_than": ("gt", "expected more than {}"),
    "greater_than_equal": ("ge", "expected {} or more"),
    "less_than": ("lt", "expected less than {}"),
    "less_than_equal": ("le", "expected {} at the most"),
}


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One error or warning, or a note. Never holds a secret. `line` is 0, and `file` "", where no file is meant."""

    severity: Literal["error", "warning", "note"]
    path: str
    message: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"


class InvalidSettingsError(ConfigError):
    """The configuration can't be used. `problems` has every error; `files` are those that it refers to."""

    def __init__(self, file: str, problems: Iterable[ConfigProblem], files: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.files = tuple(files)
        lines = [str(problem) for problem in self.problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join([f"{file}: {len(lines)} errors", *lines]))


def explain(error: ValidationError, document: Document) -> Iterator[tuple[Loc, str]]:
    """The key path and the message of each error, without those that follow from a scalar that was not expanded."""
    for details in error.errors(include_url=False):
        loc = key_path(details["loc"])
        if details["type"] == "too_short" and details["input"]:
            continue  # pydantic counts what is left of a list whose items have errors of their own
        if not any(loc[: len(broken)] == broken for broken in document.broken):
            yield _explained(details, loc, document)


def key_path(loc: tuple[int | str, ...]) -> Loc:
    """pydantic's location without the tags of union members, and without its mark for keys of mappings."""
    return tuple(step for step in loc if isinstance(step, int) or (not step.startswith("\0") and step != "[key]"))


def is_secretive(loc: Loc) -> bool:
    """Whether a key path leads to where secrets stand: nothing that was written there is shown."""
    return any(step in _SECRETIVE for step in loc)


def _explained(details: ErrorDetails, loc: Loc, document: Document) -> tuple[Loc, str]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(loc)
    if kind == "missing":
        return loc, _missing(loc)
    if kind == "contradiction":
        return loc, str(context["message"])
    return loc, _expected(kind, context, details["msg"]) + _found(kind, details["input"], loc, document)


def _expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context["expected"]))
        return f"expected {_listed(choices)}"
    if kind in _LIMITS:
        key, text = _LIMITS[kind]
        return text.format(f"{context[key]:g}")
    if kind in {"string_too_short", "too_short"}:
        return "must not be empty"
    if kind == "value_error":
        return str(context["error"])
    return _EXPECTED.get(kind, message)


def _found(kind: str, value: Any, loc: Loc, document: Document) -> str:
    """Where no secret can stand, the text; else only what kind of thing was found."""
    if value is None:
        return ", found nothing"
    if isinstance(value, Mapping):
        return ", found a mapping"
    if isinstance(value, list | tuple):
        return "" if kind == "too_short" else ", found a list"
    text = document.written.get(loc)
    if text is None or is_secretive(loc):
        return ", found text" if kind not in {"string_too_short", "too_short", "value_error", "literal_error"} else ""
    shown = text if len(text) <= _FOUND_CHARS_MAX else f"{text[:_FOUND_CHARS_MAX]}…"
    return f', found "{shown}"' if text.isprintable() else ", found something else"


def _unknown_key(loc: Loc) -> tuple[Loc, str]:
    """A key that nothing has: with the nearest known one, or where this one belongs.

    What stands in a key's place may be a secret whose line went astray. So only what looks like a key is shown; amid
    secrets, only what looks like a certain one.
    """
    above, key = loc[:-1], str(loc[-1])
    known = _keys_at(above)
    if not re.fullmatch(r"[A-Za-z_-]{1,40}", key):
        return above, f"unknown key; expected {_listed(known)}"
    if near := get_close_matches(key, known, 1, 0.8 if is_secretive(above) else 0.6):
        return loc, f"unknown key; did you mean {near[0]}?"
    if elsewhere := _elsewhere(key):
        return loc, f"unknown key here; {elsewhere} is one"
    return (above if is_secretive(above) else loc), f"unknown key; expected {_listed(known)}"


def shown_path(loc: Loc) -> Loc:
    """A key path as it may be shown: amid secrets it ends before what is no known key, nor nearly one."""
    for depth, step in enumerate(loc):
        above = loc[:depth]
        if isinstance(step, str) and is_secretive(above) and step not in _keys_at(above):
            return _unknown_key(loc[: depth + 1])[0]
    return loc


def _keys_at(loc: Loc) -> list[str]:
    section = section_at(loc)
    return list(section.model_fields) if section else []


def _elsewhere(key: str) -> str | None:
    """The full path of the only option called `key`, where there is just one."""
    paths = [option.path for option in options() if option.path.rsplit(".", 1)[-1] == key]
    return paths[0].replace(f".{NAME}", ".<name>") if len(paths) == 1 else None


def _missing(loc: Loc) -> str:
    section = section_at(loc[:-1])
    field = section.model_fields.get(str(loc[-1])) if section else None
    return f"missing: {field.description}" if field and field.description else "missing"


def _listed(words: list[str]) -> str:
    return "".join(words) if len(words) < 2 else f"{', '.join(words[:-1])} or {words[-1]}"
