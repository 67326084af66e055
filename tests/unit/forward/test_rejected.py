"""Finding the record that Kafka rejects: its answer names only the batch."""

from collections.abc import Sequence

from bridge.errors import RecordRejectedError
from bridge.forward.rejected import RejectedRecords


def rejection(ids: Sequence[int], size_bytes: int = 1000) -> RecordRejectedError:
    error = RecordRejectedError("t", "too large")
    error.entry_ids, error.size_bytes = tuple(ids), size_bytes
    return error


def batches(rejected: RejectedRecords, ids: Sequence[int]) -> list[list[int]]:
    """Consecutive entries of one group share a batch."""
    made: list[list[int]] = []
    last: int | None = -1
    for entry_id in ids:
        group = rejected.sizing.groups.get(entry_id)
        if group != last or not made:
            made.append([])
        made[-1].append(entry_id)
        last = group
    return made


def test_halving_finds_the_one_record_that_is_rejected() -> None:
    rejected, culprit, rounds = RejectedRecords(), 713, 0
    ids = list(range(1, 1001))
    while True:
        rounds += 1
        batch = next(b for b in batches(rejected, ids) if culprit in b)
        found = rejected.note(rejection(batch))
        if found is not None:
            break
    assert found == culprit
    assert rounds <= 11
    assert rejected.rejections(culprit) == (1, "too large")
    assert rejected.rejections(1) == (0, "")


def test_a_topic_that_takes_only_small_batches_gets_smaller_ones_from_then_on() -> None:
    rejected = RejectedRecords()
    rejected.note(rejection(range(1, 51), 5000))
    rejected.note(rejection(range(1, 26), 2500))
    rejected.on_delivered(range(1, 51))
    assert rejected.sizing.topic_bytes_max == {"t": 2250}
    assert rejected.sizing.groups == {}


def test_a_single_large_record_does_not_make_later_batches_smaller() -> None:
    rejected = RejectedRecords()
    rejected.note(rejection([1, 2], 5000))
    assert rejected.note(rejection([2], 4900)) == 2
    rejected.on_delivered([1, 2])
    assert rejected.sizing.topic_bytes_max == {}
    assert rejected.rejections(2) == (0, "")


def test_what_is_known_of_one_topic_queue_outlives_a_batch_of_another() -> None:
    rejected = RejectedRecords()
    rejected.note(rejection(range(1, 5)))
    rejected.note(rejection([4]))
    rejected.on_delivered([7, 8])
    assert set(rejected.sizing.groups) == {1, 2, 3, 4}
    assert rejected.rejections(4)[0] == 1
    assert rejected.sizing.topic_bytes_max == {}


def test_a_record_rejected_again_as_a_quarantine_record_is_counted() -> None:
    rejected = RejectedRecords()
    rejected.note(rejection([7]))
    rejected.note(rejection([7]))
    assert rejected.rejections(7)[0] == 2
