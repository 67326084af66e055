"""Which time a record carries, and what a refusal of it teaches."""

import pytest
from aiokafka.errors import InvalidTimestampError
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LaneBlockedError, TimestampRefusedError
from bridge.kafka.batches import AGE_MIN_MS, REMEMBER_S, Sizing, Times, Timestamps, assemble
from bridge.kafka.errors import translate
from bridge.model import Prepared, Record
from tests.fakes.client import ScriptedClient
from tests.unit.journal.making import HOUR_MS, NOON_MS, Clock


def refusal(oldest_ms: int | None, topic: str = "t") -> TimestampRefusedError:
    error = TimestampRefusedError(topic, "its time")
    error.oldest_ms = oldest_ms
    return error


def prepared(entry_id: int, at_ms: int, topic: str = "t") -> Prepared:
    return Prepared(entry_id, at_ms, "message.read", topic, Record(topic, b"k", b"{}", (), at_ms), None, "forwarded")


def test_a_record_carries_its_own_time_unless_that_is_still_to_come() -> None:
    times = Timestamps(Clock()).times()
    assert times.of("t", NOON_MS - 30 * 24 * HOUR_MS) == NOON_MS - 30 * 24 * HOUR_MS
    assert times.of("t", 0) == 0
    assert times.of("t", NOON_MS) == times.of("t", NOON_MS + 1) == times.of("t", NOON_MS + 2 * HOUR_MS) == NOON_MS


def test_the_batches_hold_those_times_and_know_the_earliest() -> None:
    items = [prepared(1, NOON_MS - 5), prepared(2, NOON_MS - 9), prepared(3, NOON_MS + HOUR_MS)]
    (batch,) = assemble(ScriptedClient(), items, {"t": 1}, Sizing(), Times(NOON_MS))
    assert batch.builder.times_ms == [NOON_MS - 5, NOON_MS - 9, NOON_MS]
    assert batch.oldest_ms == NOON_MS - 9


def test_a_refused_time_is_no_refused_record() -> None:
    error = translate(InvalidTimestampError(), "t", 3)
    assert isinstance(error, TimestampRefusedError)
    assert error.topic == "t"


def test_after_a_refusal_old_records_of_that_topic_carry_the_time_of_sending() -> None:
    timestamps = Timestamps(Clock())
    error = refusal(NOON_MS - 20 * HOUR_MS)
    assert timestamps.refused(error, timestamps.times()) is error
    times = timestamps.times()
    assert times.of("t", NOON_MS - 20 * HOUR_MS) == times.of("t", NOON_MS - 10 * HOUR_MS) == NOON_MS
    assert times.of("t", NOON_MS - 9 * HOUR_MS) == NOON_MS - 9 * HOUR_MS
    assert times.of("other", NOON_MS - 20 * HOUR_MS) == NOON_MS - 20 * HOUR_MS


@pytest.mark.parametrize("oldest_ms", [None, NOON_MS])
def test_a_topic_that_refuses_the_present_time_blocks_its_lane(oldest_ms: int | None) -> None:
    blocked = Timestamps(Clock()).refused(refusal(oldest_ms), Times(NOON_MS))
    assert isinstance(blocked, LaneBlockedError)
    assert (blocked.topic, blocked.state) == ("t", "clock")
    assert "message.timestamp.before.max.ms" in str(blocked)


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(0, 10**12))
def test_whatever_age_a_topic_refuses_is_found_in_some_tries_and_half_of_it_keeps_its_own_time(
    ages_ms: list[int], age_max_ms: int
) -> None:
    timestamps, tries = Timestamps(Clock()), 0
    while True:
        times = timestamps.times()
        oldest_ms = min(times.of("t", NOON_MS - age_ms) for age_ms in ages_ms)
        if NOON_MS - oldest_ms <= age_max_ms:
            break
        error = refusal(oldest_ms)
        assert timestamps.refused(error, times) is error
        tries += 1
        assert tries < 30
    half_ms = NOON_MS - age_max_ms // 2
    assert age_max_ms < 2 * AGE_MIN_MS or times.of("t", half_ms + 1) == half_ms + 1


def test_what_was_found_out_is_tried_again_after_a_while() -> None:
    seconds = 0.0
    timestamps = Timestamps(Clock(), lambda: seconds)
    timestamps.refused(refusal(NOON_MS - 1), timestamps.times())
    assert timestamps.times().of("t", NOON_MS - 1) == NOON_MS
    seconds = REMEMBER_S
    assert timestamps.times().of("t", NOON_MS - 1) == NOON_MS - 1
