"""A topic queue whose topic can't take records waits by itself."""

from bridge.errors import TopicPausedError
from bridge.forward.topic_queues import TopicQueues, remapped_types, sendable_prefix
from bridge.model import Positions, Prepared, Record
from bridge.transform.prepare import Preparer
from tests.unit.forward.running import READ, configured


def paused(topic: str = "a", state: str = "missing") -> TopicPausedError:
    return TopicPausedError(topic, state, f"{topic} is {state}")


def item(topic: str, event_type: str = "message.read", outcome: str = "forwarded") -> Prepared:
    return Prepared(1, 0, event_type, topic, Record(topic, b"k", b"{}", (), 0), None, outcome)


def test_a_blocked_topic_queue_is_due_again_after_the_probe_interval_and_later_each_time() -> None:
    queues = TopicQueues(probe_s=2, probe_max_s=8)
    now = 100.0
    waits = []
    for _ in range(5):
        queue = queues.pause(paused(), 1, now)
        assert queues.due(now) == []
        assert queue.retry_at_s is not None
        waits.append(queue.retry_at_s - now)
        now = queue.retry_at_s
        assert queues.due(now) == [queue]
    assert 1 <= waits[0] <= 2
    assert all(wait <= 8 for wait in waits)
    assert waits[-1] >= 4


def test_a_topic_queue_keeps_the_position_of_its_first_deferred_entry_while_it_waits() -> None:
    queues = TopicQueues(2, 8)
    queues.pause(paused(), 17, 0.0)
    queues.pause(paused(state="leaderless"), 99, 5.0)
    assert queues.positions(1, {}).behind == {"a": 17}
    assert [queue.state for queue in queues.all()] == ["leaderless"]


def test_a_topic_queue_that_moved_is_due_at_once_until_it_is_at_the_front() -> None:
    queues = TopicQueues(2, 8)
    queue = queues.pause(paused(), 1, 0.0)
    queues.moved(queue)
    assert queues.due(0.0) == [queue]
    assert queues.queue_of(item("a")) == "a"
    queues.at_front(queue)
    assert queues.queue_of(item("a")) is None
    assert queues.positions(1, {}).behind == {}


def test_a_recovery_keeps_what_is_known_of_a_waiting_topic_queue() -> None:
    queues = TopicQueues(2, 8)
    queues.pause(paused(), 1, 0.0)
    queues.restore(Positions(9, {"a": 4, "b": 2}), 1.0)
    assert queues.positions(1, {}).behind == {"a": 4, "b": 2}
    assert [queue.topic for queue in queues.due(0.5)] == ["b"], "a waits on; b, known from the journal only, is tried"


def test_a_topic_queue_found_blocked_by_a_batch_that_failed_stays_paused() -> None:
    queues = TopicQueues(2, 8)
    queues.pause(paused(), 1, 0.0)
    assert queues.restore(Positions(7), 0.1) == set()
    assert queues.positions(1, {}).behind == {"a": 7}, "what was committed meanwhile counts: a position never goes back"


def test_a_recovery_says_which_topic_queues_a_commit_without_an_answer_has_caught_up() -> None:
    queues = TopicQueues(2, 8)
    queues.moved(queues.pause(paused(), 1, 0.0))
    assert queues.restore(Positions(7), 0.1) == {"a"}
    assert queues.all() == []


def test_a_remapped_type_queues_up_until_its_old_queue_is_empty() -> None:
    queues = TopicQueues(2, 8)
    queue = queues.pause(paused("old"), 1, 0.0)
    queue.remapped = frozenset({"message.read"})
    assert queues.queue_of(item("new")) == "old"
    assert queues.queue_of(item("new", "message.delivered")) is None, "its order is not that of another type"
    assert queues.queue_of(item("quarantine", outcome="quarantined")) is None
    queues.at_front(queue)
    assert queues.queue_of(item("new")) is None


def test_remapped_is_what_is_known_to_go_elsewhere_today() -> None:
    preparer = Preparer(configured(topics={"map": {"message.delivered": READ, "message.sent": "drop"}}), "j")
    types = {"message.read", "message.delivered", "message.sent", "gone.since", ""}
    assert remapped_types(READ, types, preparer) == set()
    assert remapped_types("old", types, preparer) == {"message.read", "message.delivered"}


def test_what_can_go_ends_at_the_first_entry_whose_topic_can_not_take_it() -> None:
    items = [item("a"), item("b")._replace(record=None), item("b"), item("a")]
    assert sendable_prefix(items, {"b"}) == items[:2]
    assert sendable_prefix(items, set()) == items
    assert sendable_prefix(items, {"a"}) == []


def test_a_new_configuration_makes_every_topic_queue_due() -> None:
    queues = TopicQueues(2, 8)
    queue = queues.pause(paused(), 1, 0.0)
    assert queues.due(0.0) == []
    queues.retry_all()
    assert queues.due(0.0) == [queue]
    assert queue.waits
