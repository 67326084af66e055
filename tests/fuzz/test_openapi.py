"""The OpenAPI document is valid, and the real bridge holds to it whatever schemathesis makes of it."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import schemathesis

from bridge import schemas
from tests.flow.running import TOKEN
from tests.fuzz.sturdy import Sturdy

SEED = 20261124
EXAMPLES_MAX = 25


def test_the_document_is_valid_openapi() -> None:
    schemathesis.openapi.from_dict(orjson.loads(schemas.text(schemas.OPENAPI))).validate()


def test_schemathesis_finds_nothing_and_the_journal_holds_what_it_was_told(bridge: Sturdy, tmp_path: Path) -> None:
    bridge.newly_kept()
    har = tmp_path / "all.json"
    document = tmp_path / "openapi.json"
    document.write_text(schemas.text(schemas.OPENAPI), encoding="utf-8")
    options = {
        "--url": f"http://127.0.0.1:{bridge.port}",
        "--header": f"Authorization: Bearer {TOKEN}",
        "--phases": "examples,coverage,fuzzing",
        "--checks": "all",
        "--seed": str(SEED),
        "--max-examples": str(EXAMPLES_MAX),
        "--request-timeout": "10",
        "--report-har-path": str(har),
        "--output-sanitize": "false",
    }
    flat = [word for option in options.items() for word in option]
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(document), *flat]
    ran = subprocess.run(
        [*command, "--report-preserve-bytes", "--continue-on-failure", "--no-shrink"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = [_told(entry) for entry in orjson.loads(har.read_bytes())["log"]["entries"]]
    assert len(told) > 300
    bridge.has_kept(body for body, kept in told if kept)


def _told(entry: dict[str, Any]) -> tuple[bytes, bool]:
    """The body that was sent, and whether the answer says that it was kept."""
    sent, answered = entry["request"].get("postData", {}), entry["response"]
    kept = answered["status"] == 200
    if answered["status"] == 400:
        kept = orjson.loads(base64.b64decode(answered["content"]["text"]))["type"].endswith(":not-json")
    return base64.b64decode(sent.get("text", "")), kept
