"""Drop an aiokafka producer without its `stop()`, which hangs until the broker is back when records are unsent.

With replicas.py and ends.py, what touches aiokafka's private names; `tests/e2e/test_kafka_facts.py` fails when they
change.

lz4 as fast as it is meant to be.

aiokafka 0.14 compresses lz4 at level 9 and offers no way to say another. Measured on 200 records of a `read` event
(348 kB): 4.5 µs a record and 24.5 kB at level 9, 0.36 µs and 25.8 kB at level 1. So its function is replaced by one
with level 1, in the modules that build batches. Frames are the same format; a test reads them back.

A batch that too few replicas can take is given back after a while.

aiokafka's idempotent producer sends such a batch again for ever, without a word to whoever waits for it. From outside
that looks like a slow link, and metadata says nothing of it; but it is one topic's trouble, which has to be named.
With `at_least_once` all other lanes go on. A transaction that the topic is in can't end before its replicas are back:
Kafka marks its end in that topic as well. Then all others go on.
"""

import asyncio
import contextlib
import time
from typing import Any, Final

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.errors import NotEnoughReplicasAfterAppendError, NotEnoughReplicasError
from aiokafka.producer import sender

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


LEVEL: Final = 1


def lz4_encode(payload: Any, level: int = LEVEL) -> bytes:
    """`payload` as an lz4 frame with independent blocks, the only kind that brokers take."""
    compressor = cramjam.lz4.Compressor(level=level, content_checksum=False, block_linked=False)
    compressor.compress(payload)
    return bytes(compressor.finish())


def use_fast_lz4() -> None:
    """Let aiokafka's batch builders, the compiled and the plain one, use `lz4_encode` of this module."""
    from aiokafka.record import default_records as plain  # noqa: PLC0415 - only who builds batches needs it

    plain.lz4_encode = lz4_encode
    try:
        from aiokafka.record._crecords import default_records as compiled  # noqa: PLC0415
    except ImportError:  # built without its extension: slower, and the plain one does all
        return
    compiled.lz4_encode = lz4_encode


GRACE_S: Final = 2.0
"""How long it may last: replicas that restart one after another are back by then."""

_TOO_FEW: Final = (NotEnoughReplicasError, NotEnoughReplicasAfterAppendError)


class _Handler(sender.SendProduceReqHandler):  # type: ignore[misc] # aiokafka has no types
    """What handles a broker's answer about batches."""

    def _can_retry(self, error: BaseException, batch: Any) -> bool:
        if isinstance(error, _TOO_FEW) and time.monotonic() - batch._ctime > GRACE_S:  # noqa: SLF001 - as abandon.py
            return False
        return bool(super()._can_retry(error, batch))


def give_back_what_lacks_replicas() -> None:
    """Let the futures of such batches fail, for every producer of this process."""
    sender.SendProduceReqHandler = _Handler
