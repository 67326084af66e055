"""A lane whose topic can't take records waits by itself."""

from bridge.errors import LaneBlockedError
from bridge.forward.topic_queues import Lanes
from bridge.model import Positions


def blocked(topic: str = "a", state: str = "missing") -> LaneBlockedError:
    return LaneBlockedError(topic, state, f"{topic} is {state}")


def test_a_blocked_lane_is_due_again_after_the_probe_interval_and_later_each_time() -> None:
    lanes = Lanes(probe_s=2, probe_max_s=8)
    now = 100.0
    waits = []
    for _ in range(5):
        lane = lanes.block(blocked(), 1, now)
        assert lanes.due(now) == []
        assert lane.retry_at_s is not None
        waits.append(lane.retry_at_s - now)
        now = lane.retry_at_s
        assert lanes.due(now) == [lane]
    assert 1 <= waits[0] <= 2
    assert all(wait <= 8 for wait in waits)
    assert waits[-1] >= 4


def test_a_lane_keeps_the_position_of_its_first_parked_entry_while_it_waits() -> None:
    lanes = Lanes(2, 8)
    lanes.block(blocked(), 17, 0.0)
    lanes.block(blocked(state="leaderless"), 99, 5.0)
    assert lanes.positions() == {"a": 17}
    lane = lanes.get("a")
    assert lane is not None
    assert lane.state == "leaderless"


def test_a_lane_that_moved_is_due_at_once_until_it_is_at_the_front() -> None:
    lanes = Lanes(2, 8)
    lane = lanes.block(blocked(), 1, 0.0)
    lanes.moved(lane, 5)
    assert lanes.due(0.0) == [lane]
    assert lanes.is_behind("a")
    lanes.at_front(lane)
    assert not lanes.is_behind("a")
    assert lanes.positions() == {}


def test_a_recovery_keeps_what_is_known_of_a_waiting_lane() -> None:
    lanes = Lanes(2, 8)
    lanes.block(blocked(), 1, 0.0)
    lanes.restore(Positions(9, {"a": 4, "b": 2}), 1.0)
    assert lanes.positions() == {"a": 4, "b": 2}
    assert [lane.topic for lane in lanes.due(0.5)] == ["b"], "a waits on; b, known from the journal only, is tried"


def test_a_lane_found_blocked_by_a_batch_that_failed_stays_blocked() -> None:
    lanes = Lanes(2, 8)
    lanes.block(blocked(), 1, 0.0)
    lanes.restore(Positions(7), 0.1)
    assert lanes.is_behind("a")
    assert lanes.positions() == {"a": 7}, "what was committed meanwhile counts: a position never goes back"


def test_what_is_new_for_a_topic_queues_up_behind_what_waits_for_it_under_another_name() -> None:
    lanes = Lanes(2, 8)
    lane = lanes.block(blocked("mispelt"), 1, 0.0)
    assert lanes.queue_of("right") is None
    lane.heirs = frozenset({"right"})
    assert lanes.queue_of("right") == lanes.queue_of("mispelt") == "mispelt"
    assert lanes.queue_of("other") is None
    assert not lanes.is_behind("right"), "it works: only the queue is another's"
    lanes.at_front(lane)
    assert lanes.queue_of("right") is None


def test_a_new_configuration_makes_every_lane_due() -> None:
    lanes = Lanes(2, 8)
    lane = lanes.block(blocked(), 1, 0.0)
    assert lanes.due(0.0) == []
    lanes.retry_all()
    assert lanes.due(0.0) == [lane]
    assert lane.waits
