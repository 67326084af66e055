"""The real bridge, as its own process, on the session's broker; and its sink alone."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.bridge_process import Bridge
from tests.e2e.sinks import Lab
from tests.kafka_broker import Broker, create_topics, unique

MakeBridge = Callable[..., Bridge]


@pytest.fixture
async def make_bridge(tmp_path: Path, kafka: Broker) -> AsyncIterator[MakeBridge]:
    """Make a bridge that isn't started yet; `sections` go into its configuration. Killed with the test."""
    made: list[Bridge] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:

        def make(**sections: dict[str, Any]) -> Bridge:
            bridge = Bridge(tmp_path / f"bridge-{len(made) + 1}", kafka.bootstrap, http, **sections)
            made.append(bridge)
            return bridge

        yield make
        for bridge in made:
            bridge.kill()
            print(bridge.tail())  # shown when the test failed


@pytest.fixture
async def lab(kafka: Broker) -> AsyncIterator[Lab]:
    """A positions topic, and sinks for it that are closed with the test."""
    positions_topic = unique("positions")
    await create_topics(kafka.bootstrap, positions_topic, config={"cleanup.policy": "compact"})
    lab = Lab(kafka, positions_topic)
    yield lab
    for sink in lab.sinks:
        await sink.close(healthy=False)
