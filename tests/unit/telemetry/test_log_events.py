"""Fields of log lines: each is explained, has one name, and none that ECS has for an object."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge
from bridge.telemetry.log_events import FIELDS
from bridge.telemetry.logs import as_json

TELEMETRY = Path(bridge.__file__).parent / "telemetry"
SPEAKING = {"debug", "info", "warning", "error", "once", "throttled", "log"}
PASSED_ON = {"service_started", "service_stopping", "kafka_connected", "drain_ended", "request_answered"}
"""Methods that log whatever they are given by keyword."""
NO_FIELDS = {"level", "exc_info", "error"}  # of the line itself; errors are taken apart into fields of their own
# fmt: off
ECS_OBJECTS = frozenset({
    "agent", "client", "cloud", "container", "data_stream", "destination", "device", "dll", "dns", "ecs", "email",
    "error", "event", "faas", "file", "geo", "group", "hash", "host", "http", "interface", "log", "network",
    "observer", "orchestrator", "organization", "os", "package", "pe", "process", "registry", "related", "rule",
    "server", "service", "source", "span", "threat", "tls", "trace", "transaction", "url", "user", "user_agent",
    "vlan", "volume", "vulnerability", "x509",
})
# fmt: on


def keywords(path: Path, names: set[str]) -> Iterator[str]:
    """The keywords of all calls to these."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in names:
                yield from (keyword.arg for keyword in node.keywords if keyword.arg is not None)


def keys(path: Path) -> Iterator[str]:
    """What is put into a line by its key."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            key = node.targets[0].slice
            if isinstance(key, ast.Constant) and ast.unparse(node.targets[0].value) in {"fields", "line"}:
                yield str(key.value)


def used() -> set[str]:
    """Every field that the program may log."""
    said = {field for path in TELEMETRY.glob("*.py") for field in (*keywords(path, SPEAKING), *keys(path))}
    given = {field for path in TELEMETRY.parent.rglob("*.py") for field in keywords(path, PASSED_ON)}
    of_every_line = {"timestamp", "level", "event", "message"}
    return (said | given | {"logger"}) - NO_FIELDS | of_every_line


def test_every_field_that_is_logged_is_explained_and_the_other_way_round() -> None:
    assert used() == FIELDS.keys()


def test_no_two_fields_have_one_name_and_none_is_an_object_of_ecs() -> None:
    names = [field.name for field in FIELDS.values()]
    assert len(set(names)) == len(names)
    assert not ECS_OBJECTS & set(names)
    parts = {name.rpartition(".")[0] for name in names} - {""}
    assert not parts & set(names), "a name may not be a text in one line and an object in another"


@pytest.mark.parametrize("key", FIELDS)
def test_a_line_has_the_documented_name(key: str) -> None:
    assert json.loads(as_json("info", {key: "x"})) == {FIELDS[key].name: "x"}
