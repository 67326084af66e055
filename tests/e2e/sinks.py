"""The sink that forwards to Kafka, on its own: with a journal's id and a positions topic, but without a journal."""

import json
from collections.abc import Sequence

from bridge.kafka.batches import Sizing
from bridge.kafka.positions import Instance
from bridge.kafka.sink import Sink, TransactionalSink
from bridge.model import Positions, Prepared, Record
from bridge.settings.models import Kafka
from tests.kafka_broker import Broker, read_records, unique


def prepared(
    entry_id: int, topic: str, value: bytes = b"{}", key: bytes = b"k", at_ms: int = 1_700_000_000_000
) -> Prepared:
    record = Record(topic, key, value, (), at_ms + entry_id)
    return Prepared(entry_id, 0, "message.read", topic, record, None, "forwarded")


class Lab:
    """A positions topic and a journal id of their own on the session's broker."""

    def __init__(self, broker: Broker, positions_topic: str) -> None:
        self.broker = broker
        self.bootstrap = broker.bootstrap
        self.journal_id = unique("journal")
        self._settings = {
            "bootstrap_servers": [broker.bootstrap],
            "positions_topic": positions_topic,
            "call_timeout": "5s",
            "request_timeout": "1s",
            "compression": "none",
        }
        self.kafka = Kafka.model_validate(self._settings)
        self.sinks: list[Sink] = []

    def sink(self, instance: str = "a", **settings: str) -> TransactionalSink:
        """A new one, closed with the test. `settings` go before the lab's own."""
        kafka = Kafka.model_validate({**self._settings, **settings})
        sink = TransactionalSink(kafka, self.journal_id, Instance(instance, f"host-{instance}", 1), list)
        self.sinks.append(sink)
        return sink

    async def positions(self) -> list[int]:
        """`next` of every committed position record of this journal."""
        records = await read_records(self.bootstrap, self.kafka.positions_topic)
        return [json.loads(r.value or b"")["next"] for r in records if r.key == self.journal_id.encode()]


async def send(sink: Sink, items: Sequence[Prepared], next_id: int, sizing: Sizing | None = None) -> None:
    counts = await sink.partition_counts(sorted({item.topic for item in items}))
    partitions = {topic: count for topic, count in counts.items() if isinstance(count, int)}
    await sink.send(items, Positions(next_id), partitions, sizing or Sizing())
