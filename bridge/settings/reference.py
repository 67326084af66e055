"""Every option of the configuration as data, read from the models.

`python -m bridge.settings.reference` writes the JSON Schema of the configuration file. The schema is for writing, the
loader is for truth: the schema knows keys, types and choices, not what contradicts what.
"""

import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from bridge.settings.models import Settings
from bridge.settings.section import Loc, Section
from bridge.settings.units import Kind

SCHEMA_FILE = Path("config") / "treble-bridge.schema.json"

NAME, ITEM = "{name}", "[]"
_EXPANSION = {"$ref": "#/$defs/Expansion"}
_SCALARS = {"string", "integer", "number", "boolean"}
_WORDS = {int: "number", bool: "true / false", SecretStr: "secret"}


@dataclass(frozen=True, slots=True)
class Option:
    """One key.

    `path` has `{name}` where the user chooses a name, and `[]` after lists. `default` is what the file would say, None
    where there is none. `section` is the model that holds the key.
    """

    path: str
    kind: str
    default: str | None
    required: bool
    description: str
    section: type[Section]


def options(section: type[Section] = Settings) -> Iterator[Option]:
    """Every option, in the order of the models; a section that may stand in several places, where it first does."""
    yield from _options(section, "", set())


def section_at(loc: Loc) -> type[Section] | None:
    """The model of the section at a key path, None where there is none or the path leads nowhere."""
    level: list[Any] = [Settings]
    for step in loc:
        level = [below for annotation in level for below in _below(annotation, step)]
    return next((inner for annotation in level for holder, inner in _holds(annotation) if not holder), None)


def default_text(field: FieldInfo) -> str | None:
    """A field's default as the configuration file writes it."""
    if field.is_required():
        return None
    default = field.get_default(call_default_factory=True)
    if default is None or isinstance(default, Section):
        return None
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    written = TypeAdapter(annotation).dump_python(default, mode="json")
    if isinstance(written, bool):
        return "true" if written else "false"
    if isinstance(written, str):
        return written or '""'
    return str(written)


def _options(section: type[Section], prefix: str, seen: set[type[Section]]) -> Iterator[Option]:
    seen.add(section)
    for name, field in section.model_fields.items():
        path = f"{prefix}{name}"
        kind = " or ".join(dict.fromkeys(_kinds(field.annotation, field.metadata)))
        yield Option(path, kind, default_text(field), field.is_required(), field.description or "", section)
        for inner, suffix in _sections_in(field.annotation, ""):
            if inner not in seen:
                yield from _options(inner, f"{path}{suffix}.", seen)


def _sections_in(annotation: Any, suffix: str) -> Iterator[tuple[type[Section], str]]:
    """The sections that may stand in a value of this type, each with what the path needs to get there."""
    for holder, inner in _holds(annotation):
        if not holder:
            yield inner, suffix
        else:
            yield from _sections_in(inner, suffix + (ITEM if holder == ITEM else f".{NAME}"))


def _below(annotation: Any, step: str | int) -> Iterator[Any]:
    """The types of what may stand one step below a value of this type."""
    for holder, inner in _holds(annotation):
        if not holder and step in inner.model_fields:
            yield inner.model_fields[step].annotation
        elif holder and (holder == ITEM) == isinstance(step, int):
            yield inner


def _holds(annotation: Any) -> Iterator[tuple[str, Any]]:
    """A section as it is, with ""; of a list or a mapping, ITEM or NAME and the type of what it holds."""
    for member in _members(annotation):
        origin, args = typing.get_origin(member), typing.get_args(member)
        if _is_section(member):
            yield "", member
        elif origin is tuple:
            yield ITEM, args[0]
        elif origin not in {None, Literal} and issubclass(origin, Mapping):
            yield NAME, args[1]


def _members(annotation: Any) -> Iterator[Any]:
    """The members of a union, without marks: `Annotated[X, …] | None` → X, None."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _kinds(annotation: Any, marks: Iterable[Any] = ()) -> list[str]:
    """What a value is, in a word for each member of a union."""
    if marked := [mark.name for mark in marks if isinstance(mark, Kind)]:
        return marked
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _kinds(args[0], args[1:])
    if origin in {Union, types.UnionType}:
        return [kind for member in args if member is not type(None) for kind in _kinds(member)]
    if origin is Literal:
        return [" / ".join(map(str, args))]
    section = _is_section(annotation) or (isinstance(origin, type) and issubclass(origin, Mapping))
    return ["list" if origin is tuple else "section" if section else _WORDS.get(annotation, "text")]


def schema() -> dict[str, Any]:
    """The schema as a JSON value: each scalar may also be a text with `${…}`, each default is as the file writes it."""
    generated = Settings.model_json_schema()
    sections = {option.section.__name__: option.section for option in options()}
    for name, definition in [*generated["$defs"].items(), ("Settings", generated)]:
        _describe(definition, sections[name])
    result = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "treble-bridge configuration",
        **{key: _open(value) for key, value in generated.items() if key not in {"title", "$defs"}},
        "$defs": {name: _open(definition) for name, definition in generated["$defs"].items()},
    }
    result["$defs"]["Expansion"] = {
        "type": "string",
        "pattern": r"\$\{[^}]+\}",
        "description": "${VAR}, ${VAR:-default} or ${file:/path}",
    }
    return result


def schema_text() -> str:
    """The schema as the text of its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _describe(definition: dict[str, Any], section: type[Section]) -> None:
    """Defaults as text with their unit, and no titles: they only repeat the keys."""
    definition.pop("title", None)
    for key, prop in definition["properties"].items():
        prop.pop("title", None)
        prop.pop("default", None)
        written = default_text(section.model_fields[key])
        if not section.model_fields[key].is_required() and ("$ref" in prop or prop.get("type") == "object"):
            about = {"description": prop.pop("description")}
            definition["properties"][key] = {**about, "anyOf": [prop, {"type": "null"}]}  # all of it commented out
        elif written not in {None, "[]", "{}"}:
            prop["default"] = json.loads(written) if _is_json(written) else written


def _is_json(text: str | None) -> bool:
    return text is not None and (text.isdigit() or text in {"true", "false", '""'})


def _open(node: Any) -> Any:
    """Let every scalar be a text with something to expand in it."""
    if isinstance(node, list):
        return [_open(item) for item in node]
    if not isinstance(node, dict):
        return node
    if _is_scalar(node):
        about = {key: node[key] for key in ("description", "default", "examples") if key in node}
        plain = {key: value for key, value in node.items() if key not in {*about, "format", "writeOnly"}}
        if plain.get("type") == "string" and not plain.keys() & {"pattern", "enum", "const"}:
            return {**about, **plain}
        return {**about, "anyOf": [plain, _EXPANSION]}
    return {key: value if key in {"required", "default"} else _open(value) for key, value in node.items()}


def _is_scalar(node: dict[str, Any]) -> bool:
    kinds = node.get("type", "string" if "enum" in node or "const" in node else [])
    return bool(kinds) and {*([kinds] if isinstance(kinds, str) else kinds)} <= _SCALARS


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
