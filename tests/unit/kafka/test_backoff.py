"""The pause between two tries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka.backoff import delay_s


def test_the_pause_doubles_up_to_its_cap() -> None:
    assert [delay_s(n, 0.2, 10, chance=0.0) for n in range(1, 9)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])


@given(st.integers(1, 10**9), st.floats(0.001, 5), st.floats(5, 3600), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_above_the_cap_nor_zero_however_many_tries_there_were(
    attempt: int, first: float, most: float, chance: float
) -> None:
    assert first / 2 <= delay_s(attempt, first, most, chance) <= most


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        delay_s(0, 1, 2, 0)
