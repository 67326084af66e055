"""A configuration file → Settings, or every error in it at once.

The order: YAML, then `${…}`, then the models, then what needs the world (names of event types, files that must be
readable). A later step still runs when an earlier one found errors, as far as its input is there, so that one look at
the messages is enough.

The event types' names come from the caller: the catalogue knows them, and lies above the settings.
"""

import datetime as dt
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.errors import ConfigError
from bridge.settings.document import Document, expand, parse
from bridge.settings.models import Admin, Settings, misrouted
from bridge.settings.problems import ConfigProblem, InvalidSettingsError, explain, lint, shown_path
from bridge.settings.reference import section_at
from bridge.settings.section import Contradictions, Loc, path_text
from bridge.settings.units import Address, parse_address

FILE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration.

    `warnings` are worth a line in the log. `files` are all files that it refers to, by `${file:…}` or as a
    certificate, a key, a token: whoever watches the configuration watches those as well.
    """

    settings: Settings
    path: Path
    warnings: tuple[ConfigProblem, ...] = ()
    files: tuple[str, ...] = ()


def load(
    path: Path,
    event_types: Collection[str],
    *,
    variables: Mapping[str, str] | None = None,
    now: dt.datetime | None = None,
    faults: Callable[[Settings], Contradictions] = lambda _: iter(()),
    warnings: Callable[[Settings], Contradictions] = lambda _: iter(()),
) -> Loaded:
    """Read the configuration at `path`. `event_types` are the names that `topics.map` and `responses` may use.

    `variables` stands in for the environment, `now` for the clock (for warnings on `not_after`).
    `faults` and `warnings` find further errors and warnings in what is valid so far.
    Raises InvalidSettingsError with all errors, ConfigError when the file can't be read.
    """
    files: list[str] = []

    def read(name: str) -> str:
        files.append(name)
        return read_text(Path(name))

    try:
        text = read_text(path)
    except ValueError as error:
        raise ConfigError(f"configuration {error}") from None
    environment = os.environ if variables is None else variables
    document = parse(text, lambda scalar: expand(scalar, environment, read))
    errors = [_problem(document, path, at, message, line) for at, line, message in document.problems]
    if not document.readable:
        raise InvalidSettingsError(str(path), errors, files)
    settings, found = _validated(document)
    found += _unknown_event_types(document.value, event_types)
    if settings is not None:
        found += misrouted(settings, event_types)
        files += [name for _, name in files_of(settings)]
        found += _unreadable_files(settings)
        if settings.tracing.enabled and not _has_opentelemetry():
            needs = "needs OpenTelemetry, which is not installed: pip install 'treble-bridge[otel]'"
            found.append((("tracing", "enabled"), needs))
        found += () if errors or found else faults(settings)
    errors += [_problem(document, path, at, message) for at, message in found]
    if errors or settings is None:
        errors.sort(key=lambda problem: problem.line)
        raise InvalidSettingsError(str(path), dict.fromkeys(errors), files)
    unwise = [*lint(settings, now or dt.datetime.now(dt.UTC), document.written), *warnings(settings)]
    warned = tuple(_problem(document, path, at, message, warning=True) for at, message in unwise)
    return Loaded(settings, path, warned, tuple(dict.fromkeys(files)))


def read_text(path: Path) -> str:
    """The content of a small regular file. Raises ValueError that names the path and the reason."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is not a regular file")
        if status.st_size > FILE_BYTES_MAX:
            raise ValueError(f"{path} is larger than {FILE_BYTES_MAX >> 20} MiB")
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def admin_address(path: Path) -> Address:
    """Where a bridge of this configuration has its admin port, whatever else is wrong in the file by now.

    Raises ValueError.
    """
    document = parse(read_text(path), lambda text: expand(text, os.environ, lambda name: read_text(Path(name))))
    if not document.readable:
        raise ValueError(f"{path} is {document.problems[0][2]}")
    return parse_address(_mapping_at(document.value, "admin").get("listen") or Admin().listen)


def files_of(settings: Settings) -> Iterator[tuple[Loc, str]]:
    """The files that are read while the bridge runs: certificates, keys, tokens."""
    if (tls := settings.server.tls) is not None:
        for key in ("certificate", "key", "client_ca"):
            if (name := getattr(tls, key)) is not None:
                yield ("server", "tls", key), name
    for key in ("oauth_token_file", "ca_file", "certificate_file", "key_file"):
        if (name := getattr(settings.kafka.security, key)) is not None:
            yield ("kafka", "security", key), name


def _validated(document: Document) -> tuple[Settings | None, list[tuple[Loc, str]]]:
    empty: dict[Loc, str] = {
        at: "empty: give it a value, or remove the key" for at in document.nulls if _must_not_be_null(at)
    }
    try:
        settings = Settings.model_validate({} if document.value is None else document.value)
    except ValidationError as error:
        return None, [*empty.items(), *(found for found in explain(error, document) if found[0] not in empty)]
    return settings, list(empty.items())


def _must_not_be_null(at: Loc) -> bool:
    """Elsewhere a key without value is a key that isn't there. Here it would be a condition that isn't checked."""
    section = section_at(at[:-1]) if at[:1] == ("sources",) and at[2:3] == ("auth",) and len(at) > 3 else None
    return section is not None and at[-1] in section.model_fields


def _unknown_event_types(value: Any, known: Collection[str]) -> Iterator[tuple[Loc, str]]:
    """Event types that don't exist, wherever the file names event types. `value` is the file's tree."""
    routed = {*known, *_mapping_at(value, "events")}
    tables: dict[tuple[str, ...], set[str]] = {("topics", "map"): routed}
    tables |= {("sources", name, "responses"): {*known} for name in _mapping_at(value, "sources")}
    for at, names in tables.items():
        for name in _mapping_at(value, *at):
            if name not in names:
                near = get_close_matches(name, sorted(names), 1, 0.6)
                hint = f"; did you mean {near[0]}?" if near else ";"
                yield (*at, name), f"unknown event type{hint} known are {', '.join(sorted(names))}"


def _mapping_at(value: Any, *steps: str) -> dict[str, Any]:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _unreadable_files(settings: Settings) -> Iterator[tuple[Loc, str]]:
    for at, name in files_of(settings):
        try:
            with Path(name).open("rb"):
                pass
        except OSError as error:
            yield at, f"{name} cannot be read: {error.strerror}"


def _has_opentelemetry() -> bool:
    """Whether what the extra `otel` installs is there."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def _problem(
    document: Document, file: Path, at: Loc, message: str, line: int = 0, *, warning: bool = False
) -> ConfigProblem:
    shown = path_text(shown_path(at))
    return ConfigProblem("warning" if warning else "error", shown, message, str(file), line or document.line(at))
