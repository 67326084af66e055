"""A bridge as its own process for each module, with a source for each kind of credentials and short patience."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flow.running import TOKEN, BridgeProcess
from tests.fuzz.sturdy import Sturdy

PATIENCE = "1s"

SOURCES: dict[str, dict[str, Any]] = {
    "treble": {"auth": [{"bearer": [TOKEN]}]},
    "named": {"auth": [{"header": {"name": "X-API-Key", "value": "kéy"}}]},
    "basic": {"auth": [{"basic": {"username": "ana", "password": "pä:ss"}}]},
    "query": {"auth": [{"query": {"name": "token", "value": "a&b=c/ä"}}]},
    "inside": {"auth": [{"path_secret": "s3gment-0123456789"}]},
    "signed": {"auth": [{"hmac": {"header": "X-Sig", "secret": "k" * 32, "timestamp_header": "X-Time"}}]},
    "near": {"auth": [{"client_ip": ["10.0.0.0/8"]}]},
    "anyone": {"auth": "none"},
}


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sturdy]:
    """The bridge under fire. Kafka is a closed port: what is authentic stays in the journal, where it is looked for."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    document = {
        "server": {
            "listen": "127.0.0.1:0",
            "header_timeout": PATIENCE,
            "body_timeout": PATIENCE,
            "keepalive_timeout": PATIENCE,
            "trusted_proxies": ["127.0.0.1/32"],
            "drain_deadline": "500ms",
        },
        "admin": {"listen": "127.0.0.1:0"},
        "journal": {"path": str(folder / "journal")},
        "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
        "sources": SOURCES,
        "topics": {"create": "off"},
        "log": {"format": "json"},
    }
    config = folder / "bridge.yaml"
    config.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    process = BridgeProcess(config)
    try:
        asyncio.run(process.started())
        yield Sturdy(process, folder / "journal")
    finally:
        process.kill()


@pytest.fixture(autouse=True)
def unharmed(bridge: Sturdy) -> Iterator[None]:
    """After each test the bridge lives, has told no traceback, and serves the next one."""
    yield
    bridge.is_unharmed()
