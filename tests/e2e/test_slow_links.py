"""A backlog over a link that can't take a full slice within `call_timeout`: it drains, in order, exactly once."""

import asyncio
import datetime as dt
from pathlib import Path

import orjson
import pytest

from bridge.catalogue.samples import sample
from bridge.forward import Forwarder
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer
from tests.e2e.slow_link import slow_link
from tests.flow.running import until
from tests.kafka_broker import Broker, create_topics, read_records, unique
from tests.unit.journal.making import NOON_MS, open_journal, submission

pytestmark = pytest.mark.kafka

ENTRIES, SESSIONS = 200, 7


async def test_a_backlog_drains_over_a_slow_link_in_order_and_exactly_once(kafka: Broker, tmp_path: Path) -> None:
    prefix = unique("slow")
    settings = Settings.model_validate(
        {
            "kafka": {
                "bootstrap_servers": [kafka.bootstrap],
                "positions_topic": f"{prefix}.positions",
                "call_timeout": "800ms",
                "request_timeout": "800ms",
                "transaction_timeout": "5s",
                "compression": "none",
            },
            "sources": {"treble": {"auth": "none"}},
            "topics": {"default": f"{prefix}.{{event_type}}", "quarantine": f"{prefix}.quarantine"},
        }
    )
    topic = f"{prefix}.message.read"
    await create_topics(kafka.bootstrap, f"{prefix}.positions", config={"cleanup.policy": "compact"})
    await create_topics(kafka.bootstrap, topic, partitions=3)
    journal = open_journal(tmp_path / "journal", clock_ms=lambda: NOON_MS)
    bodies = [
        sample(
            "message.read",
            session_id=f"s-{number % SESSIONS}",
            at=dt.datetime(2026, 6, 22, tzinfo=dt.UTC) + dt.timedelta(seconds=number),
            sent_text=f"{number} {'x' * 4000}",
        )
        for number in range(ENTRIES)
    ]
    await asyncio.gather(*(journal.append(submission(orjson.dumps(body))) for body in bodies))
    async with slow_link(bytes_per_s=1_400_000):  # a slice with all of them has 1.8 MB
        forwarder = Forwarder(settings, journal, Preparer(settings, journal.id), Telemetry(), lambda: NOON_MS)
        forwarding = asyncio.create_task(forwarder.run())
        try:
            await until(lambda: not journal.usage().pending, "the end of the backlog", 50)
            assert not forwarder.status()["topics_behind"]
            assert forwarder.status()["producer_rebuilds"] >= 1, "the link is slow enough"
        finally:
            forwarder.request_stop()
            await asyncio.wait({forwarding}, timeout=10)
            await journal.close()
    records = await read_records(kafka.bootstrap, topic)
    numbers: dict[str, list[int]] = {}
    for record in records:
        event = orjson.loads(record.value or b"")
        numbers.setdefault(event["session_id"], []).append(int(event["data"]["sent_text"].split()[0]))
    assert numbers == {f"s-{rest}": list(range(rest, ENTRIES, SESSIONS)) for rest in range(SESSIONS)}
