"""Every option of the configuration as data, read from the models: what documentation, schema and errors speak of."""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

from pydantic import SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from bridge.settings.models import Settings
from bridge.settings.section import Loc, Section
from bridge.settings.units import Kind

NAME, ITEM = "{name}", "[]"


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


def options(section: type[Section] = Settings, prefix: str = "") -> Iterator[Option]:
    """Every option, in the order of the models; a section that may stand in several places, where it first does."""
    yield from _options(section, prefix, set())


def section_at(loc: Loc) -> type[Section] | None:
    """The model of the section at a key path, None where there is none or the path leads nowhere."""
    level: list[Any] = [Settings]
    for step in loc:
        level = [below for annotation in level for below in _below(annotation, step)]
    return next((member for member in level if _is_section(member)), None)


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
    return {"[]": "[]", "{}": "{}"}.get(str(written), str(written))


def _options(section: type[Section], prefix: str, seen: set[type[Section]]) -> Iterator[Option]:
    seen.add(section)
    for name, field in section.model_fields.items():
        path = f"{prefix}{name}"
        yield Option(path, _kind(field), default_text(field), field.is_required(), field.description or "", section)
        for inner, suffix in _inner(field.annotation, ""):
            if inner not in seen:
                yield from _options(inner, f"{path}{suffix}.", seen)


def _inner(annotation: Any, suffix: str) -> Iterator[tuple[type[Section], str]]:
    """The sections that may stand in a value of this type, each with what the path needs to get there."""
    for member in _members(annotation):
        origin = typing.get_origin(member)
        if _is_section(member):
            yield member, suffix
        elif origin is tuple:
            yield from _inner(typing.get_args(member)[0], f"{suffix}{ITEM}")
        elif origin is not None and origin is not Literal and issubclass(origin, Mapping):
            yield from _inner(typing.get_args(member)[1], f"{suffix}.{NAME}")


def _below(annotation: Any, step: str | int) -> list[Any]:
    if _is_section(annotation):
        field = annotation.model_fields.get(step) if isinstance(step, str) else None
        return list(_members(field.annotation)) if field else []
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and isinstance(step, int):
        return list(_members(args[0]))
    if origin not in {None, tuple, Literal} and issubclass(origin, Mapping) and isinstance(step, str):
        return list(_members(args[1]))
    return []


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


def _kind(field: FieldInfo) -> str:
    """What a value is, in a few words."""
    if marks := [mark.name for mark in _marks(field.annotation, field.metadata)]:
        return " or ".join(dict.fromkeys(marks))
    kinds = [_word(member) for member in _members(field.annotation) if member is not type(None)]
    return " or ".join(dict.fromkeys(kinds))


def _marks(annotation: Any, metadata: list[Any]) -> Iterator[Kind]:
    yield from (mark for mark in metadata if isinstance(mark, Kind))
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        yield from _marks(args[0], list(args[1:]))
    elif origin in {Union, types.UnionType}:
        for member in args:
            yield from _marks(member, [])


def _word(member: Any) -> str:
    origin = typing.get_origin(member)
    if origin is Literal:
        return " / ".join(str(choice) for choice in typing.get_args(member))
    if origin is tuple:
        return "list"
    if _is_section(member) or (origin is not None and issubclass(origin, Mapping)):
        return "section"
    return {str: "text", int: "number", bool: "true / false", SecretStr: "secret"}.get(member, "text")
