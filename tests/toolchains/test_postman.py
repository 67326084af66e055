"""The Postman collection is today's, and newman runs it against the real bridge with every check passing."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bridge.catalogue import TABLE
from tests import postman_files
from tests.flow.running import TOKEN, BridgeProcess
from tests.toolchains import npm

PROJECT = Path(__file__).parent / "newman"
NEWMAN_S_MAX = 90


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[BridgeProcess]:
    """A bridge that does its work without Kafka."""
    document = {
        "server": {"listen": "127.0.0.1:0", "drain_deadline": "500ms"},
        "admin": {"listen": "127.0.0.1:0"},
        "journal": {"path": str(tmp_path / "journal")},
        "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
        "sources": {"treble": {"auth": [{"bearer": [TOKEN]}]}},
        "topics": {"create": "off"},
        "log": {"format": "json"},
    }
    config = tmp_path / "bridge.yaml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    process = BridgeProcess(config)
    try:
        asyncio.run(process.started())
        yield process
    finally:
        process.kill()


def test_the_files_are_not_stale() -> None:
    stale = "stale: run `python -m tests.postman_files`"
    assert {path.name: path.read_text(encoding="utf-8") for path in postman_files.FOLDER.iterdir()} == (
        postman_files.files()
    ), stale


def test_every_type_and_shape_is_in_the_collection_and_no_token() -> None:
    folder = postman_files.collection()["item"][0]["item"]
    assert [item["name"] for item in folder] == [
        f"{event_type}: {variant}" for event_type, row in TABLE.items() for variant in row.samples
    ]
    assert TOKEN not in json.dumps(postman_files.files())


def test_newman_runs_the_collection_and_all_checks_pass(bridge: BridgeProcess, tmp_path: Path) -> None:
    node = npm.node()
    packages = npm.installed(PROJECT)
    report = tmp_path / "report.json"
    folder = postman_files.FOLDER
    command = [
        *(node, str(packages / "node_modules/newman/bin/newman.js"), "run", str(folder / postman_files.COLLECTION)),
        *("--environment", str(folder / "local.postman_environment.json")),
        *("--env-var", f"url={bridge.url}", "--env-var", f"token={TOKEN}"),
        *("--reporters", "cli,json", "--reporter-json-export", str(report), "--color", "off"),
    ]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=NEWMAN_S_MAX, check=False
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr
    stats = json.loads(report.read_text(encoding="utf-8"))["run"]["stats"]
    shapes = sum(len(row.samples) for row in TABLE.values())
    assert stats["requests"]["total"] >= shapes + 15
    assert stats["assertions"]["total"] >= 2 * stats["requests"]["total"]
    assert stats["assertions"]["failed"] == stats["requests"]["failed"] == 0
    assert "Traceback" not in bridge.log.text
