"""The whole service for a test: as its own process, or inside the test's loop with a scripted sink.

Unless a test says otherwise, Kafka's address is a closed port: the bridge must do its work without.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.fakes.sink import ScriptedSink
from tests.flow.running import TOKEN, BridgeInside, BridgeProcess

Configure = Callable[..., Path]
StartProcess = Callable[..., BridgeProcess]
StartInside = Callable[..., Any]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Write a configuration file: a small one, with sections replaced or extended by keyword."""

    def write(**sections: dict[str, Any]) -> Path:
        document: dict[str, Any] = {
            "server": {"listen": "127.0.0.1:0", "drain_deadline": "500ms"},
            "admin": {"listen": "127.0.0.1:0"},
            "journal": {"path": str(tmp_path / "journal")},
            "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},  # a port that nothing listens on
            "sources": {"treble": {"auth": [{"bearer": [TOKEN]}]}},
            "topics": {"create": "off"},
            "log": {"format": "json"},
        }
        for name, section in sections.items():
            document[name] = {**document.get(name, {}), **section}
        path = tmp_path / "bridge.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return write


@pytest.fixture
def start_process(configure: Configure) -> Iterator[StartProcess]:
    """Start `treble-bridge run` on a configuration; ended with the test."""
    started: list[BridgeProcess] = []

    def start(path: Path | None = None, **sections: dict[str, Any]) -> BridgeProcess:
        bridge = BridgeProcess(path or configure(**sections))
        started.append(bridge)
        return bridge

    yield start
    for bridge in started:
        bridge.kill()


@pytest.fixture
async def start_inside(configure: Configure) -> AsyncIterator[StartInside]:
    """Start the service in the test's own loop, on a `ScriptedSink` where one is given; ended with the test."""
    started: list[BridgeInside] = []

    async def start(path: Path | None = None, *, sink: ScriptedSink | None = None, **sections: Any) -> BridgeInside:
        bridge = BridgeInside(path or configure(**sections), sink)
        started.append(bridge)
        await bridge.start()
        return bridge

    yield start
    for bridge in started:
        await bridge.end()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session
