"""The schemas and the AsyncAPI document as others' tools take them: ajv for JSON Schema, AsyncAPI's own parser."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.catalogue import TABLE
from bridge.schemas import ASYNCAPI, names, text
from bridge.schemas.asyncapi import asyncapi
from bridge.schemas.examples import examples, quarantine_example
from bridge.transform.cloudevents import Format
from bridge.transform.prepare import Preparer
from tests.toolchains.npm import installed, node
from tests.unit.webhooks import settings

PROJECT = Path(__file__).parent / "schemas_node"
FORMATS: tuple[Format, ...] = ("cloudevents-binary", "cloudevents-structured", "plain")

pytestmark = pytest.mark.timeout(360)  # the first run installs packages


def run(**given: Any) -> dict[str, Any]:
    program = node()
    asked = json.dumps({"schemas": {}, "values": [], "asyncapi": None, **given})
    validate = installed(PROJECT) / "validate.mjs"
    done = subprocess.run([program, validate], input=asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@cache
def schemas() -> dict[str, Any]:
    return {name: orjson.loads(text(name)) for name in names()}


def test_ajv_takes_every_schema_in_strict_mode_and_every_sample_fits() -> None:
    preparer = Preparer(settings(), "j")
    values = [[name, one.value] for name, event_type in TABLE.items() for one in examples(event_type, preparer)]
    values.append(["quarantine", quarantine_example(preparer).value])
    found = run(schemas=schemas(), values=values)
    assert found["values"] == [[]] * len(values)


def test_ajv_finds_what_is_wrong() -> None:
    (good,) = examples(TABLE["message.read"], Preparer(settings(), "j"))
    wrong = [
        {**good.value, "type": "message.delivered"},
        {**good.value, "occurred_at": "2026-06-22 15:19:08"},
        {**good.value, "contact": {"phone": "3005550134"}},
        {name: part for name, part in good.value.items() if name != "session_id"},
    ]
    found = run(schemas=schemas(), values=[["message.read", value] for value in wrong])
    assert all(found["values"]), found["values"]


@pytest.mark.parametrize("record_format", FORMATS)
def test_asyncapi_s_parser_finds_no_error_and_no_warning(record_format: Format) -> None:
    own = {"agent.assigned": {"when": {"event_type": "agent.assigned"}}}
    routes = {"map": {"message.read": "crm.reads"}}
    secure = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-256", "username": "u", "password": "p"}
    document = asyncapi(settings(kafka={"format": record_format, "security": secure}, topics=routes, events=own))
    found = run(asyncapi=document)
    assert found["asyncapi"] == []
    assert sorted(found["channels"]) == sorted(document["channels"])


def test_asyncapi_s_parser_takes_the_shipped_document() -> None:
    found = run(asyncapi=orjson.loads(text(ASYNCAPI)))
    assert found["asyncapi"] == []
    assert len(found["channels"]) == len(TABLE) + 1
