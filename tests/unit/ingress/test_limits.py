"""The bucket of a source, and the bytes held in memory."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.ingress.limits import ByteBudget, TokenBucket, body_bytes_held_max
from bridge.settings.sources import RateLimit


def bucket(rate: str, burst: int) -> TokenBucket:
    return TokenBucket(RateLimit.model_validate({"rate": rate, "burst": burst}), 0.0)


def test_a_bucket_gives_its_burst_then_its_rate_and_says_when_the_next_token_is_there() -> None:
    tokens = bucket("2/s", 3)
    assert [tokens.take(0.0) for _ in range(4)] == [0, 0, 0, 1]
    assert tokens.take(0.4) == 1
    assert tokens.take(0.5) == 0
    assert [tokens.take(100.0) for _ in range(4)] == [0, 0, 0, 1], "no more than the burst is saved up"
    slow = bucket("1/h", 1)
    assert slow.take(0.0) == 0
    assert slow.take(1.0) == 3599
    assert slow.take(3600.0) == 0


@given(st.lists(st.floats(0, 5), max_size=200), st.integers(1, 20))
def test_a_bucket_never_gives_more_than_burst_and_rate_allow(pauses: list[float], burst: int) -> None:
    tokens, now_s, given_out = bucket("10/s", burst), 0.0, 0
    for pause in pauses:
        now_s += pause
        given_out += tokens.take(now_s) == 0
        assert given_out <= burst + now_s * 10 + 1e-6


def test_some_bodies_of_the_largest_size_always_fit_into_memory() -> None:
    assert body_bytes_held_max(1 << 20) == 64 << 20
    assert body_bytes_held_max(1 << 30) == 4 << 30
    budget = ByteBudget(10)
    assert [budget.take(6), budget.take(5), budget.take(4), budget.take(1)] == [True, False, True, False]
    budget.give_back(6)
    assert budget.take(6)
