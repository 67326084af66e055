"""Drop an aiokafka producer without its `stop()`, which hangs until the broker is back when records are unsent.

With replicas.py and ends.py, what touches aiokafka's private names; `tests/e2e/test_kafka_facts.py` fails when they
change.
"""

import asyncio
import contextlib
from typing import Any, Final

from aiokafka import AIOKafkaProducer

CLOSE_TIMEOUT_S: Final = 1.0


async def abandon(producer: AIOKafkaProducer) -> None:
    """End the producer's task and connections within some seconds, whatever Kafka does. Never raises."""
    producer._closed = True  # noqa: SLF001 - what stop() would set
    sender = producer._sender._sender_task  # noqa: SLF001
    if sender is not None:
        sender.cancel()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await producer.client.close()
    if sender is not None:
        await asyncio.wait({sender}, timeout=CLOSE_TIMEOUT_S)
    # A request that was under way may have opened a connection again while the others were being closed.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await producer.client.close()
    _retrieve_all(producer)


def _retrieve_all(producer: AIOKafkaProducer) -> None:
    """Take the outcome of everything nobody waits for any more, so that it isn't reported as forgotten."""
    accumulator, transactions = producer._message_accumulator, producer._txn_manager  # noqa: SLF001
    batches: list[Any] = [batch for queue in accumulator._batches.values() for batch in queue]  # noqa: SLF001
    batches += accumulator._pending_batches  # noqa: SLF001
    futures = [future for batch in batches for future in (batch.future, batch._drain_waiter)]  # noqa: SLF001
    if transactions is not None:
        futures += [transactions._transaction_waiter, transactions._task_waiter]  # noqa: SLF001
    for future in futures:
        if future is not None and future.done() and not future.cancelled():
            future.exception()
