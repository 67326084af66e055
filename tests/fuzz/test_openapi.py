"""The OpenAPI document is today's, is valid, and the real bridge holds to it whatever schemathesis makes of it."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import schemathesis

from bridge.catalogue import HINTS
from bridge.schemas import openapi
from bridge.settings.models import Settings
from tests.flow.running import TOKEN
from tests.fuzz.conftest import SOURCES
from tests.fuzz.sturdy import Sturdy

SEED = 20261124
EXAMPLES_MAX = 25


def test_the_shipped_document_is_not_stale() -> None:
    stale = "stale: run `python -m bridge.schemas.openapi`"
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text(openapi.shipped()), stale


def every_kind() -> dict[str, Any]:
    sources: dict[str, Any] = {name: {**source, "path": f"/in/{name}"} for name, source in SOURCES.items()}
    sources["both"] = {"auth": [{"bearer": ["a"], "query": {"name": "q", "value": "b"}}, {"path_secret": ["c"]}]}
    return openapi.document(Settings.model_validate({"kafka": {"bootstrap_servers": ["k:1"]}, "sources": sources}))


@pytest.mark.parametrize("document", [openapi.shipped(), every_kind()], ids=["shipped", "every kind of credentials"])
def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()


def test_the_document_of_a_configuration_names_paths_and_credentials_and_no_secret() -> None:
    document = every_kind()
    paths = document["paths"]
    assert {f"/in/treble/{hint}" for hint in HINTS} < paths.keys()
    assert paths["/in/treble/read"]["post"]["security"] == [{"treble.bearer": []}]
    assert paths["/in/inside/{secret}/read"]["post"]["security"] == [{}]
    assert "/in/inside/read" not in paths
    assert paths["/in/anyone"]["post"]["security"] == []
    assert paths["/webhooks/both"]["post"]["security"] == [{"both.bearer": [], "both.query.q": []}]
    assert paths["/webhooks/both/{secret}"]["post"]["security"] == [{}]
    text = json.dumps(document, ensure_ascii=False)
    assert not [
        secret for secret in (TOKEN, "kéy", "pä:ss", "a&b=c/ä", "s3gment-0123456789", "k" * 32) if secret in text
    ]


def test_schemathesis_finds_nothing_and_the_journal_holds_what_it_was_told(bridge: Sturdy, tmp_path: Path) -> None:
    bridge.newly_kept()
    har = tmp_path / "all.json"
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
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(openapi.FILE), *flat]
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
