"""What an error of aiokafka's means to the forwarder, and the pause before the next try."""

import pytest
from aiokafka import errors as kafka
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ProducerLostError, SinkUnavailableError, TopicPausedError
from bridge.kafka import diagnosis
from bridge.kafka.errors import delay_s, translate
from bridge.kafka.producer import Producer
from bridge.kafka.sink import Sink
from bridge.settings.models import Kafka

INVALID_RECORD = 87


@pytest.mark.parametrize(
    "error",
    [kafka.for_code(INVALID_RECORD), kafka.PolicyViolationError, kafka.UnsupportedForMessageFormatError],
)
def test_a_topic_that_refuses_records_by_a_rule_of_its_own_holds_up_its_topic_queue_only(
    error: type[BaseException],
) -> None:
    found = translate(error(), "t")
    assert isinstance(found, TopicPausedError)
    assert (found.topic, found.state) == ("t", "refusing")
    assert isinstance(translate(error()), ProducerLostError), "where it is about no topic"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (kafka.TransactionalIdAuthorizationFailed(), "Write and Describe on its transactional id"),
        (kafka.InvalidTransactionTimeout(), "transaction_timeout"),
        (kafka.KafkaConnectionError("Unable to bootstrap"), "no connection to Kafka: a:1: nothing listens there"),
    ],
)
async def test_what_a_broker_answered_is_not_replaced_by_another_one_that_is_down(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, told: str
) -> None:
    async def start(producer: Producer) -> None:
        producer._inner._closed = True  # it was never started
        raise translate(error) from error

    async def one_is_down(*_: object) -> list[str]:
        return ["a:1: nothing listens there"]

    monkeypatch.setattr(Producer, "start", start)
    monkeypatch.setattr(diagnosis, "diagnose", one_is_down)
    sink = Sink(Kafka(bootstrap_servers=["a:1", "b:1"]), "journal")
    with pytest.raises(SinkUnavailableError, match=told):
        await sink.open(None)


def test_the_pause_doubles_up_to_its_cap() -> None:
    assert [delay_s(n, 0.2, 10, chance=0.0) for n in range(1, 9)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])


@given(st.integers(1, 10**9), st.floats(0.001, 5), st.floats(5, 3600), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_above_the_cap_nor_zero_however_many_tries_there_were(
    attempt: int, first: float, most: float, chance: float
) -> None:
    assert first / 2 <= delay_s(attempt, first, most, chance) <= most
