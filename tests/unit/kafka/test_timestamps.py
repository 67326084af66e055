"""Which time a record carries, and what a rejection of it teaches."""

from aiokafka.errors import InvalidTimestampError

from bridge.errors import TimestampRejectedError, TopicPausedError
from bridge.kafka.batches import RESTAMP_S, Sizing, Timestamps, assemble
from bridge.kafka.errors import translate
from bridge.model import Prepared, Record
from tests.fakes.client import ScriptedClient
from tests.unit.journal.making import HOUR_MS, NOON_MS, Clock

REJECTED = TimestampRejectedError("t", "its time")


def prepared(entry_id: int, at_ms: int, topic: str = "t") -> Prepared:
    return Prepared(entry_id, at_ms, "message.read", topic, Record(topic, b"k", b"{}", (), at_ms), None, "forwarded")


def test_a_record_carries_its_own_time_unless_that_is_still_to_come() -> None:
    times = Timestamps(Clock())
    assert times.of("t", NOON_MS - 30 * 24 * HOUR_MS) == NOON_MS - 30 * 24 * HOUR_MS
    assert times.of("t", 0) == 0
    assert times.of("t", NOON_MS) == times.of("t", NOON_MS + 1) == times.of("t", NOON_MS + 2 * HOUR_MS) == NOON_MS


def test_the_batches_hold_those_times() -> None:
    items = [prepared(1, NOON_MS - 5), prepared(2, NOON_MS - 9), prepared(3, NOON_MS + HOUR_MS)]
    (batch,) = assemble(ScriptedClient().create_batch, items, {"t": 1}, Sizing(), Timestamps(Clock()))
    assert batch.builder.times_ms == [NOON_MS - 5, NOON_MS - 9, NOON_MS]


def test_a_rejected_time_is_no_rejected_record() -> None:
    error = translate(InvalidTimestampError(), "t")
    assert isinstance(error, TimestampRejectedError)
    assert error.topic == "t"


def test_a_topic_that_rejected_a_time_gets_the_time_of_sending_for_an_hour() -> None:
    seconds = 0.0
    timestamps = Timestamps(Clock(), lambda: seconds)
    assert timestamps.rejected(REJECTED) is REJECTED
    assert timestamps.of("t", NOON_MS - 1) == NOON_MS
    assert timestamps.of("other", NOON_MS - 1) == NOON_MS - 1
    seconds = RESTAMP_S
    assert timestamps.of("t", NOON_MS - 1) == NOON_MS - 1


def test_a_topic_that_rejects_the_time_of_sending_blocks_its_topic_queue() -> None:
    timestamps = Timestamps(Clock())
    timestamps.rejected(REJECTED)
    blocked = timestamps.rejected(REJECTED)
    assert isinstance(blocked, TopicPausedError)
    assert (blocked.topic, blocked.state) == ("t", "clock")
    assert "message.timestamp.before.max.ms" in str(blocked)
