"""Batches that too few replicas can take: sent again for a while, then given back."""

from types import SimpleNamespace

import pytest
from aiokafka.errors import NotEnoughReplicasAfterAppendError, NotEnoughReplicasError, RequestTimedOutError
from aiokafka.producer import sender
from aiokafka.producer.message_accumulator import BatchBuilder, MessageBatch
from aiokafka.structs import TopicPartition

from bridge.errors import LaneBlockedError
from bridge.kafka.aiokafka_patches import GRACE_S, give_back_what_lacks_replicas
from bridge.kafka.errors import translate

PLACE = TopicPartition("t", 0)


async def answered(error: type[BaseException], age_s: float) -> tuple[MessageBatch, bool]:
    """A batch so old to which a broker answered with this error; and whether it will be sent again."""
    give_back_what_lacks_replicas()
    batch = MessageBatch(PLACE, BatchBuilder(1 << 14, 0, is_transactional=1), 0.0, 0.0)
    batch._ctime -= age_s
    transactional = SimpleNamespace(_txn_manager=object(), client=None, _retry_backoff=0.0)
    handler = sender.SendProduceReqHandler(transactional, {PLACE: batch})
    answer = SimpleNamespace(API_VERSION=2, topics=[("t", [(0, error.errno, -1, -1)])])  # type: ignore[attr-defined]
    handler.handle_response(answer)
    return batch, batch in handler._to_reenqueue


@pytest.mark.parametrize("error", [NotEnoughReplicasError, NotEnoughReplicasAfterAppendError])
async def test_a_batch_that_lacks_replicas_is_sent_again_for_a_while_and_then_blocks_its_lane(
    error: type[BaseException],
) -> None:
    batch, again = await answered(error, 0.0)
    assert again
    assert not batch.future.done()
    batch, again = await answered(error, GRACE_S + 1)
    assert not again
    blocked = translate(batch.future.exception(), "t", 0)
    assert isinstance(blocked, LaneBlockedError)
    assert blocked.state == "leaderless"


async def test_what_a_slow_broker_answers_is_sent_again_as_long_as_the_batch_lives() -> None:
    batch, again = await answered(RequestTimedOutError, 3600.0)
    assert again
    assert not batch.future.done()
