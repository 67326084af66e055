"""Where to go on, given the journal's positions and Kafka's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.forward.recovery import merge
from bridge.model import Positions

CASES = [
    ("nothing known to Kafka", Positions(5), None, Positions(5)),
    ("the same", Positions(5, {"a": 3}), Positions(5, {"a": 3}), Positions(5, {"a": 3})),
    ("died after the commit", Positions(5), Positions(9), Positions(9)),
    ("positions topic lost", Positions(9), Positions(1), Positions(9)),
    ("a lane drained in Kafka only", Positions(9, {"a": 3}), Positions(9), Positions(9)),
    ("a lane moved in Kafka only", Positions(9, {"a": 3}), Positions(9, {"a": 7}), Positions(9, {"a": 7})),
    ("a lane fell behind in Kafka's last commit", Positions(5), Positions(9, {"a": 6}), Positions(9, {"a": 6})),
    ("a lane fell behind in the journal only", Positions(9, {"a": 6}), Positions(5), Positions(9, {"a": 6})),
    ("an older Kafka has the lane further than it could", Positions(9, {"a": 6}), Positions(8), Positions(9, {"a": 8})),
]


@pytest.mark.parametrize(("ours", "kafkas", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_larger_position_of_each_lane_counts(
    ours: Positions, kafkas: Positions | None, expected: Positions
) -> None:
    assert merge(ours, kafkas) == expected


def test_a_lane_whose_entries_go_again_stays_behind_what_kafka_said_and_the_journal_has_noted() -> None:
    ours, kafkas = Positions(9, {"a": 6, "b": 7}), Positions(9, {"b": 8, "c": 8})
    assert merge(ours, kafkas, noted=True) == Positions(9, {"a": 6, "b": 7})
    assert merge(ours, kafkas) == Positions(9, {"b": 8})


positions = st.builds(
    lambda next_id, behind: Positions(next_id, {t: p for t, p in behind.items() if p < next_id}),
    st.integers(1, 20),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 20)),
)


@given(positions, positions)
def test_no_lane_ever_goes_back(ours: Positions, kafkas: Positions) -> None:
    truth = merge(ours, kafkas)
    for topic in "abcd":
        assert truth.of(topic) == max(ours.of(topic), kafkas.of(topic))
