"""A record that Kafka refuses for its own sake goes to the quarantine with the reason; all others pass."""

import json
import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from bridge.catalogue.samples import sample
from bridge.cli import cli
from tests.e2e.bridge_process import Bridge
from tests.e2e.conftest import MakeBridge
from tests.e2e.delivered import assert_exactly_once, delivered, value_of
from tests.e2e.load import Load, Name, Webhook, webhook
from tests.kafka_broker import ReadRecord, create_topics, read_records

pytestmark = pytest.mark.kafka

READS = "message.read"


def large(session: str, number: int, size: int) -> Webhook:
    """A webhook whose text no compression makes smaller than half."""
    chance = random.Random(number)
    body = sample(READS, session_id=session, sent_text=chance.randbytes(size // 2).hex())
    return Webhook(Name(READS, session, number), "/webhooks/treble/read", orjson.dumps(body))


async def run_into_limit(bridge: Bridge, larges: list[Webhook]) -> set[Name]:
    """400 webhooks with the large ones among them, accepted as one backlog; those that aren't large."""
    small = [webhook(f"s-{number % 10}", number) for number in range(400)]
    mixed = list(small)
    for place, one in enumerate(larges):
        mixed.insert(50 + place * 90, one)
    load = Load(bridge.port)
    await load.in_order(mixed)
    assert load.statuses() == {200}
    return {one.name for one in small}


async def quarantined(bridge: Bridge) -> list[ReadRecord]:
    return await read_records(bridge.bootstrap, bridge.quarantine)


async def test_a_record_too_large_for_its_topic_is_quarantined_and_all_others_pass_in_order(
    make_bridge: MakeBridge,
) -> None:
    bridge = make_bridge()
    await create_topics(bridge.bootstrap, bridge.topic(READS), config={"max.message.bytes": "6000"})
    await bridge.start()
    await bridge.connected()
    larges = [large("s-3", number, 40_000) for number in range(3)]
    small = await run_into_limit(bridge, larges)
    await bridge.drained()
    assert_exactly_once(await delivered(bridge, READS), small)
    records = await quarantined(bridge)
    assert sorted(value_of(record)["raw"].encode() for record in records) == sorted(one.body for one in larges)
    for record in records:
        value = value_of(record)
        assert value["reason"] == "refused_by_kafka"
        assert bridge.topic(READS) in value["problems"][0]["message"]
        assert "MessageSizeTooLarge" in value["problems"][0]["message"]
        assert not value["truncated"]
    assert await bridge.metric('quarantined_total{reason="refused_by_kafka"}') == 3


async def test_what_even_the_quarantine_refuses_is_cut_short_there_and_kept_whole_in_the_journal(
    make_bridge: MakeBridge,
) -> None:
    bridge = make_bridge(kafka={"compression": "none"}, journal={"retain": "0s"})
    await create_topics(bridge.bootstrap, bridge.topic(READS), bridge.quarantine, config={"max.message.bytes": "30000"})
    await bridge.start()
    await bridge.connected()
    one = large("s-3", 1, 100_000)
    small = await run_into_limit(bridge, [one])
    await bridge.drained()
    assert_exactly_once(await delivered(bridge, READS), small)
    (record,) = await quarantined(bridge)
    value = value_of(record)
    assert value["truncated"]
    assert one.body.startswith(value["raw"].encode())
    assert value["raw_bytes"] == len(one.body)
    kept = journal_show(bridge.journal, value["entry_id"])
    assert kept["pinned"]
    assert kept["body"].encode() == one.body


def journal_show(journal: Path, entry_id: int) -> Any:
    shown = CliRunner().invoke(cli, ["journal", "show", str(journal), str(entry_id), "--json"])
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.output)
