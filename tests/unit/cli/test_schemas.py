"""`treble-bridge schemas` prints the documents and writes them to files."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.catalogue import TABLE
from bridge.cli import cli
from bridge.schemas import text

CONFIG = """\
kafka: {bootstrap_servers: ["kafka.example:9092"]}
sources: {treble: {auth: [{bearer: "a-secret-token"}]}}
topics: {map: {message.read: crm.reads}}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "bridge.yaml"
    path.write_text(CONFIG)
    return str(path)


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["schemas", *words])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def test_the_list_names_each_schema_and_what_records_call_it() -> None:
    rows = {row["name"]: row["schema"] for row in json.loads(run("list", "--json"))}
    assert rows.keys() == {*TABLE, "quarantine"}
    assert rows["message.read"] == "urn:treble-bridge:schema:message.read:v1"
    assert all(f"{name} " in run("list") for name in rows)


def test_a_schema_is_printed_as_it_is_shipped() -> None:
    assert run("show", "message.read") == text("message.read")
    assert "expected one of condition.evaluated, " in run("show", "message.red", code=2)


def test_asyncapi_is_printed_as_shipped_or_for_a_configuration_and_openapi_as_shipped(config: str) -> None:
    assert run("asyncapi") == text("asyncapi")
    assert run("openapi") == text("openapi")
    mine = json.loads(run("asyncapi", "--config", config))
    assert mine["channels"]["crm.reads"]["messages"].keys() == {"message.read"}
    assert mine["servers"]["kafka-0"]["host"] == "kafka.example:9092"
    assert "a-secret" not in run("asyncapi", "--config", config)


def test_all_of_them_are_written_into_a_folder(tmp_path: Path, config: str) -> None:
    out = tmp_path / "made" / "here"
    written = json.loads(run("export", "--out", str(out), "--json"))
    assert sorted(path.stem for path in out.iterdir()) == sorted([*TABLE, "quarantine", "asyncapi", "openapi"])
    assert written["message.read"] == str(out / "message.read.json")
    run("export", "--out", str(out), "--config", config)
    assert "crm.reads" in (out / "asyncapi.json").read_text()
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "can't write" in run("export", "--out", str(blocked / "below"), code=2)
