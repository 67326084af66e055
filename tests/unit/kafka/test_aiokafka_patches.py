"""What is replaced in aiokafka: still there to be replaced, and what the replacements do."""

import importlib.metadata
from types import SimpleNamespace

import pytest
from aiokafka.errors import NotEnoughReplicasAfterAppendError, NotEnoughReplicasError, RequestTimedOutError
from aiokafka.producer import sender
from aiokafka.producer.message_accumulator import BatchBuilder, MessageBatch
from aiokafka.record import MemoryRecords
from aiokafka.structs import TopicPartition

from bridge.errors import TopicPausedError
from bridge.kafka import aiokafka_patches
from bridge.kafka.aiokafka_patches import CHECKED_VERSION, GRACE_S, fail_under_replicated_batches
from bridge.kafka.errors import translate

LZ4 = 3
PLACE = TopicPartition("t", 0)


def test_the_patches_were_checked_against_the_installed_version() -> None:
    installed = importlib.metadata.version("aiokafka")
    assert installed.split(".")[:2] == CHECKED_VERSION.split("."), "see the docstring of bridge.kafka.aiokafka_patches"


def built(values: list[bytes]) -> bytes:
    builder = BatchBuilder(1 << 20, LZ4, is_transactional=0)
    for value in values:
        builder.append(timestamp=1, key=b"k", value=value, headers=[("h", b"v")])
    return bytes(builder._build())


def test_the_compiled_builder_uses_the_fast_level() -> None:
    calls: list[int] = []
    aiokafka_patches.use_fast_lz4()
    from aiokafka.record._crecords import default_records as compiled  # noqa: PLC0415 - what is replaced

    original = compiled.lz4_encode
    assert original is aiokafka_patches.lz4_encode

    def counting(payload: bytes) -> bytes:
        calls.append(len(payload))
        return aiokafka_patches.lz4_encode(payload)

    try:
        compiled.lz4_encode = counting
        built([b"x" * 5000])
    finally:
        compiled.lz4_encode = original
    assert calls, "aiokafka no longer looks its lz4 function up in this module: see bridge.kafka.aiokafka_patches"


def test_a_batch_is_read_back_as_it_was_written() -> None:
    aiokafka_patches.use_fast_lz4()
    values = [f"value {i} ".encode() * 50 for i in range(100)]
    raw = built(values)
    assert len(raw) < sum(map(len, values)) / 3
    records = MemoryRecords(raw)
    batch = records.next_batch()
    assert [record.value for record in batch] == values


async def answered(error: type[BaseException], age_s: float) -> tuple[MessageBatch, bool]:
    """A batch so old to which a broker answered with this error; and whether it will be sent again."""
    fail_under_replicated_batches()
    batch = MessageBatch(PLACE, BatchBuilder(1 << 14, 0, is_transactional=1), 0.0, 0.0)
    batch._ctime -= age_s
    transactional = SimpleNamespace(_txn_manager=object(), client=None, _retry_backoff=0.0)
    handler = sender.SendProduceReqHandler(transactional, {PLACE: batch})
    answer = SimpleNamespace(API_VERSION=2, topics=[("t", [(0, error.errno, -1, -1)])])  # type: ignore[attr-defined]
    handler.handle_response(answer)
    return batch, batch in handler._to_reenqueue


@pytest.mark.parametrize("error", [NotEnoughReplicasError, NotEnoughReplicasAfterAppendError])
async def test_a_batch_that_lacks_replicas_is_sent_again_for_a_while_and_then_blocks_its_topic_queue(
    error: type[BaseException],
) -> None:
    batch, again = await answered(error, 0.0)
    assert again
    assert not batch.future.done()
    batch, again = await answered(error, GRACE_S + 1)
    assert not again
    blocked = translate(batch.future.exception(), "t")
    assert isinstance(blocked, TopicPausedError)
    assert blocked.state == "leaderless"


async def test_what_a_slow_broker_answers_is_sent_again_as_long_as_the_batch_lives() -> None:
    batch, again = await answered(RequestTimedOutError, 3600.0)
    assert again
    assert not batch.future.done()
