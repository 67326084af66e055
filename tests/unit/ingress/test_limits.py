"""Bounds: the bucket of a source, and what is kept of headers."""

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ingress.headers import HeaderKeeper
from bridge.ingress.limits import ByteBudget, TokenBucket, body_bytes_held_max
from bridge.ingress.listener import connections_that_fit
from bridge.settings.models import RateLimit


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


def test_kept_headers_are_remembered_within_a_bound() -> None:
    keeper = HeaderKeeper(frozenset({"user-agent"}))
    kept = {keeper.keep({"x-request-id": str(n), "user-agent": "secret"}) for n in range(1000)}
    assert len(kept) == 1000
    assert b"secret" not in b"".join(kept)
    assert len(keeper._cache) <= 256
    long = keeper.keep({"content-type": "x" * 10_000})
    assert long == b'{"content-type":"' + b"x" * 512 + b'"}'
    assert all(sum(len(each) for each in key if each) <= 1024 for key in keeper._cache)


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "fit"),
    [
        (1024, 4096, 2128, 2000),
        (1024, 1024, None, 896),
        (1024, 1500, 1500, 1372),
        (1024, -1, 2128, 2000),
        (65536, 65536, None, 2000),
        (64, 64, None, 32),
        (-1, -1, None, 2000),
    ],
)
def test_connections_leave_descriptors_for_the_journal_and_kafka(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None, fit: int
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    assert connections_that_fit(2000) == fit
    assert set_to == ([] if raised is None else [(raised, hard)])


def test_some_bodies_of_the_largest_size_always_fit_into_memory() -> None:
    assert body_bytes_held_max(1 << 20) == 64 << 20
    assert body_bytes_held_max(1 << 30) == 4 << 30
    budget = ByteBudget(10)
    assert [budget.take(6), budget.take(5), budget.take(4), budget.take(1)] == [True, False, True, False]
    budget.give_back(6)
    assert budget.take(6)
