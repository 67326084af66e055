"""Configurations for tests: text in, Settings or errors out."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bridge.settings.load import Loaded, load
from bridge.settings.problems import InvalidSettingsError

EVENT_TYPES = ("message.read", "message.delivered", "message.timed_out", "conversation.closed", "unknown")
NOW = dt.datetime(2026, 7, 1, 12, 0, tzinfo=dt.UTC)

KAFKA = 'kafka: {bootstrap_servers: ["localhost:9092"]}\n'
SOURCES = "sources: {treble: {auth: [{bearer: long-enough-token}]}}\n"


def loaded(text: str, variables: Mapping[str, str] | None = None) -> Loaded:
    """What `text` amounts to, as the file `bridge.yaml`."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bridge.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, EVENT_TYPES, variables=variables or {}, now=NOW)


def errors(text: str, variables: Mapping[str, str] | None = None) -> list[str]:
    """The errors of `text`, each as `line: path: message`."""
    with pytest.raises(InvalidSettingsError) as caught:
        loaded(text, variables)
    return [f"{problem.line}: {problem.path}: {problem.message}" for problem in caught.value.problems]


def error(text: str, variables: Mapping[str, str] | None = None) -> str:
    """The only error of `text`."""
    (found,) = errors(text, variables)
    return found


def warnings(text: str, variables: Mapping[str, str] | None = None) -> list[str]:
    """The warnings of a valid `text`, each as `line: path: message`."""
    return [f"{found.line}: {found.path}: {found.message}" for found in loaded(text, variables).warnings]
