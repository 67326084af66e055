"""A lane whose topic can't take records waits by itself."""

from bridge.errors import LaneBlockedError
from bridge.forward.topic_queues import Lanes, remapped_types, sendable_prefix
from bridge.model import Positions, Prepared, Record
from bridge.transform.prepare import Preparer
from tests.unit.forward.running import READ, configured


def blocked(topic: str = "a", state: str = "missing") -> LaneBlockedError:
    return LaneBlockedError(topic, state, f"{topic} is {state}")


def item(topic: str, event_type: str = "message.read", outcome: str = "forwarded") -> Prepared:
    return Prepared(1, 0, event_type, topic, Record(topic, b"k", b"{}", (), 0), None, outcome)


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
    assert [lane.state for lane in lanes.all()] == ["leaderless"]


def test_a_lane_that_moved_is_due_at_once_until_it_is_at_the_front() -> None:
    lanes = Lanes(2, 8)
    lane = lanes.block(blocked(), 1, 0.0)
    lanes.moved(lane, 5)
    assert lanes.due(0.0) == [lane]
    assert lanes.queue_of(item("a")) == "a"
    lanes.at_front(lane)
    assert lanes.queue_of(item("a")) is None
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
    assert lanes.restore(Positions(7), 0.1) == set()
    assert lanes.positions() == {"a": 7}, "what was committed meanwhile counts: a position never goes back"


def test_a_recovery_says_which_lanes_a_commit_without_an_answer_has_caught_up() -> None:
    lanes = Lanes(2, 8)
    lanes.moved(lanes.block(blocked(), 1, 0.0), 5)
    assert lanes.restore(Positions(7), 0.1) == {"a"}
    assert lanes.all() == []


def test_a_remapped_type_queues_up_until_its_old_queue_is_empty() -> None:
    lanes = Lanes(2, 8)
    lane = lanes.block(blocked("old"), 1, 0.0)
    lane.remapped = frozenset({"message.read"})
    assert lanes.queue_of(item("new")) == "old"
    assert lanes.queue_of(item("new", "message.delivered")) is None, "its order is not that of another type"
    assert lanes.queue_of(item("quarantine", outcome="quarantined")) is None
    lanes.at_front(lane)
    assert lanes.queue_of(item("new")) is None


def test_remapped_is_what_is_known_to_go_elsewhere_today() -> None:
    preparer = Preparer(configured(topics={"map": {"message.delivered": READ, "message.sent": "drop"}}), "j")
    types = {"message.read", "message.delivered", "message.sent", "gone.since", ""}
    assert remapped_types(READ, types, preparer) == set()
    assert remapped_types("old", types, preparer) == {"message.read", "message.delivered"}


def test_what_can_go_ends_at_the_first_entry_whose_topic_can_not_take_it() -> None:
    missing = blocked("b")
    items = [item("a"), item("b")._replace(record=None), item("b"), item("a")]
    assert sendable_prefix(items, {"a": 3, "b": missing}) == (2, missing)
    assert sendable_prefix(items, {"a": 3, "b": 1}) == (4, None)


def test_a_new_configuration_makes_every_lane_due() -> None:
    lanes = Lanes(2, 8)
    lane = lanes.block(blocked(), 1, 0.0)
    assert lanes.due(0.0) == []
    lanes.retry_all()
    assert lanes.due(0.0) == [lane]
    assert lane.waits
