"""A flow that fires twice, on a real broker: one event, also when the bridge is killed in between."""

from typing import Any

import orjson
import pytest

from bridge.catalogue.samples import sample
from tests.e2e.conftest import MakeBridge
from tests.flow.running import TOKEN
from tests.kafka_broker import read_records

pytestmark = pytest.mark.kafka


def fired(second: int, text: str = "yes") -> dict[str, Any]:
    return {
        **sample("message.responded"),
        "responded_at": f"2026-06-22 15:19:{second:02}",
        "actual_response": text,
    }


async def test_a_flow_that_fires_twice_is_one_event_also_across_a_kill(make_bridge: MakeBridge) -> None:
    bridge = make_bridge(duplicates={"semantic_window": {"message.responded": "1h"}})
    await bridge.start()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for body in (fired(1), fired(3), fired(3, "no")):
        async with bridge._http.post(
            f"http://127.0.0.1:{bridge.port}/webhooks/treble/response", json=body, headers=headers
        ) as answer:
            assert answer.status == 200
    await bridge.drained()
    bridge.kill()
    await bridge.start()
    await bridge.connected()
    async with bridge._http.post(
        f"http://127.0.0.1:{bridge.port}/webhooks/treble/response", json=fired(9), headers=headers
    ) as answer:
        assert answer.status == 200
    await bridge.drained()
    records = await read_records(bridge.bootstrap, bridge.topic("message.responded"))
    assert sorted(orjson.loads(record.value or b"")["data"]["actual_response"] for record in records) == ["no", "yes"]
