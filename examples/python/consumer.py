"""Reads events of treble-bridge from Kafka, and prints a line for each: a consumer to start your own from.

Order: events of one session share a key, so inside a topic they come in the order in which they arrived. Between two
topics there is no order: where the story counts, sort by `occurred_at`, or route those types to one topic.
"""

import asyncio
import os
import signal
import sys
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import events as e
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import CommitFailedError
from pydantic import Field, TypeAdapter, ValidationError

Event = Annotated[
    e.ConditionEvaluatedEvent
    | e.ContactOptedOutEvent
    | e.ConversationClosedEvent
    | e.DeploymentFailedEvent
    | e.HsmStatusChangedEvent
    | e.MessageDeliveredEvent
    | e.MessageReadEvent
    | e.MessageRespondedEvent
    | e.MessageTimedOutEvent
    | e.UnknownEvent,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class Remembered:
    """The last events that were handled. It forgets the oldest, and all of them when the process ends.

    A real service keeps the ids where its work goes: a table with a unique key on (source, type, id), written in the
    same database transaction as the work, so that neither is there without the other.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._ids: OrderedDict[tuple[bytes, ...], None] = OrderedDict()
        self._most = most

    def __contains__(self, event_id: tuple[bytes, ...]) -> bool:
        return event_id in self._ids

    def add(self, event_id: tuple[bytes, ...]) -> None:
        self._ids[event_id] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)


async def main(topics: list[str]) -> None:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
        group_id=os.environ.get("GROUP_ID", "treble-events-example"),
        isolation_level="read_committed",  # the bridge's transactions: what it took back is never seen
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    remembered = Remembered()
    await consumer.start()
    try:
        while not stopping.is_set():
            batches = await consumer.getmany(timeout_ms=500)
            for records in batches.values():
                for record in records:
                    take(record, remembered)
            if batches:
                await commit(consumer)
    finally:
        await consumer.stop()  # leaves the group, so that its partitions move on at once
    print("stopped", file=sys.stderr)


async def commit(consumer: AIOKafkaConsumer) -> None:
    """Say how far we are, after the work: after a crash before this line the same records come again."""
    try:
        await consumer.commit()
    except CommitFailedError:
        print("the partitions went to another member, which reads the last records again", file=sys.stderr)


def take(record: ConsumerRecord, remembered: Remembered) -> None:
    """Handle one record, once."""
    headers = dict(record.headers)
    event_id = tuple(headers.get(name, b"") for name in ("ce_source", "ce_type", "ce_id"))
    if event_id in remembered:
        return
    try:
        event = EVENT.validate_json(record.value)
    except ValidationError as error:
        # A type of a later version, or no event at all: a real service sets it aside in a topic of its own.
        # The error's own text would show the values.
        where = f"{record.topic}/{record.partition}@{record.offset}"
        print(f"skipped {where}: {error.error_count()} problems", file=sys.stderr)
        return
    work(event)
    if any(event_id):  # in the format `plain` there is none: use the envelope's own
        remembered.add(event_id)


def work(event: Event) -> None:
    """What your service is for."""
    at = event.occurred_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    phone = event.contact.phone if event.contact else None
    print(at, event.type, masked(phone), told(event), flush=True)


def told(event: Event) -> str:  # noqa: PLR0911 - one a type
    """What the type's own fields say. Most of them may be absent."""
    match event:
        case e.MessageDeliveredEvent(data=data):
            return f"after={seconds(data.sent_at, data.delivered_at)}"
        case e.MessageReadEvent(data=data):
            return f"after={seconds(data.sent_at, data.read_at)}"
        case e.MessageRespondedEvent():
            return f"answer={event.data.classified_answer or event.data.actual_response}"
        case e.MessageTimedOutEvent():
            return f"question={event.data.question.text if event.data.question else None}"
        case e.ContactOptedOutEvent():
            return f"reason={event.data.reason}"
        case e.ConditionEvaluatedEvent(data=data) if data.variable and data.condition:
            return f"{data.variable.name}={data.variable.value} {data.condition.operator} {data.condition.value}"
        case e.ConversationClosedEvent():
            return f"messages={len(event.data.messages or ())}"
        case e.HsmStatusChangedEvent():
            return f"template={event.data.template} status={event.data.status}"
        case e.DeploymentFailedEvent():
            return f"reason={event.data.failure_reason}"
        case _:
            return ""


def seconds(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start) // timedelta(seconds=1)}s" if start and end else "?"


def masked(phone: str | None) -> str:
    """`+573005550134` → `+57******34`."""
    return f"{phone[:3]}******{phone[-2:]}" if phone and len(phone) > 6 else "-"


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: python consumer.py TOPIC...")
    asyncio.run(main(sys.argv[1:]))
