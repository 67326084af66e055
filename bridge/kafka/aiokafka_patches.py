"""What aiokafka has no public way for: its private names, in one place. Checked against the version below.

kill_producer                   its `stop()` waits for unsent records, and so hangs until the broker is back
fail_under_replicated_batches   its idempotent producer sends such a batch again for ever, without a word
use_fast_lz4                    its lz4 is at level 9, and no option says another

`transaction_markers` uses private names too. A test fails when another minor version is installed: then read aiokafka's
`producer.stop`, `SendProduceReqHandler._can_retry` and `codec.lz4_encode`, drop what is no longer needed, and run
`tests/e2e/test_kafka_facts.py` and `tests/e2e/test_two_replicas.py`.
"""

import asyncio
import time
from typing import Any, Final

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.errors import NotEnoughReplicasAfterAppendError, NotEnoughReplicasError
from aiokafka.producer import sender
from aiokafka.record._crecords import default_records

from bridge.kafka.client import close

CHECKED_VERSION: Final = "0.14"

GRACE_S: Final = 2.0
"""How long too few replicas may last: those that restart one after another are back by then."""

_CLOSE_TIMEOUT_S: Final = 1.0
_LZ4_LEVEL: Final = 1
_TOO_FEW: Final = (NotEnoughReplicasError, NotEnoughReplicasAfterAppendError)


async def kill_producer(producer: AIOKafkaProducer) -> None:
    """End the producer's task and connections within some seconds, whatever Kafka does. Never raises."""
    producer._closed = True  # noqa: SLF001 - what stop() would set
    task = producer._sender._sender_task  # noqa: SLF001
    if task is not None:
        task.cancel()
    await close(producer.client.close(), _CLOSE_TIMEOUT_S)
    if task is not None:
        await asyncio.wait({task}, timeout=_CLOSE_TIMEOUT_S)
    # A request that was under way may have opened a connection again while the others were being closed.
    await close(producer.client.close(), _CLOSE_TIMEOUT_S)
    _retrieve_all(producer)


def _retrieve_all(producer: AIOKafkaProducer) -> None:
    accumulator, transactions = producer._message_accumulator, producer._txn_manager  # noqa: SLF001
    batches: list[Any] = [batch for queue in accumulator._batches.values() for batch in queue]  # noqa: SLF001
    batches += accumulator._pending_batches  # noqa: SLF001
    futures = [future for batch in batches for future in (batch.future, batch._drain_waiter)]  # noqa: SLF001
    if transactions is not None:
        futures += [transactions._transaction_waiter, transactions._task_waiter]  # noqa: SLF001
    for future in futures:
        if future is not None and future.done():
            retrieve(future)


def retrieve(future: "asyncio.Future[Any]") -> None:
    """Take the outcome of what no caller waits for, so that asyncio does not report it as never retrieved."""
    if not future.cancelled():
        future.exception()


def fail_under_replicated_batches() -> None:
    """Let a batch that too few replicas can take fail after `GRACE_S`, for every producer of this process.

    Otherwise that looks like a slow link from outside, and metadata says nothing of it; but it is one topic's trouble,
    which has to be named. With `at_least_once` all other queues go on. A transaction that the topic is in can't end
    before its replicas are back, because Kafka marks its end in that topic as well; then all others go on.
    """
    sender.SendProduceReqHandler = _Handler


class _Handler(sender.SendProduceReqHandler):  # type: ignore[misc] # aiokafka has no types
    """What handles a broker's answer about batches."""

    def _can_retry(self, error: BaseException, batch: Any) -> bool:
        if isinstance(error, _TOO_FEW) and time.monotonic() - batch._ctime > GRACE_S:  # noqa: SLF001
            return False
        return bool(super()._can_retry(error, batch))


def use_fast_lz4() -> None:
    """Let aiokafka's batch builder use `lz4_encode` of this module."""
    default_records.lz4_encode = lz4_encode


def lz4_encode(payload: Any, level: int = _LZ4_LEVEL) -> bytes:
    """`payload` as an lz4 frame with independent blocks, the only kind that brokers take.

    Measured on 200 records of a `read` event (348 kB): 4.5 µs a record and 24.5 kB at aiokafka's level 9, 0.36 µs and
    25.8 kB at level 1.
    """
    compressor = cramjam.lz4.Compressor(level=level, content_checksum=False, block_linked=False)
    compressor.compress(payload)
    return bytes(compressor.finish())
