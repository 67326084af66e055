"""Of many equal lines one is written in a while, with the count of the others."""

from bridge.telemetry.logs import RateLimitedLogger


def test_the_first_is_written_the_next_are_held_back_and_counted() -> None:
    throttle = RateLimitedLogger(every_s=30)
    assert [throttle.held_back("lost", now) for now in (0, 1, 29.9, 30, 31, 100)] == [0, None, None, 2, None, 1]


def test_keys_do_not_hold_each_other_back() -> None:
    throttle = RateLimitedLogger(every_s=30)
    assert [throttle.held_back(key, 0) for key in ("a", "b", "a")] == [0, 0, None]


def test_its_memory_is_bounded_and_the_oldest_key_is_forgotten() -> None:
    throttle = RateLimitedLogger(every_s=1e9, keys_max=3)
    for key in range(1000):
        assert throttle.held_back(key, key) == 0
    assert len(throttle._written) == 3
    assert throttle.held_back(999, 1000) is None
    assert throttle.held_back(0, 1000) == 0
