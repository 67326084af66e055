"""Finding the record that Kafka refuses: its answer names only the batch."""

from collections.abc import Sequence

from bridge.errors import RecordRefusedError
from bridge.forward.rejected import Refusals


def refusal(ids: Sequence[int], size_bytes: int = 1000) -> RecordRefusedError:
    error = RecordRefusedError("t", 0, "too large")
    error.entry_ids, error.size_bytes = tuple(ids), size_bytes
    return error


def batches(refusals: Refusals, ids: Sequence[int]) -> list[list[int]]:
    """Consecutive entries of one group share a batch."""
    made: list[list[int]] = []
    last: int | None = -1
    for entry_id in ids:
        group = refusals.sizing.groups.get(entry_id)
        if group != last or not made:
            made.append([])
        made[-1].append(entry_id)
        last = group
    return made


def test_halving_finds_the_one_record_that_is_refused() -> None:
    refusals, culprit, rounds = Refusals(), 713, 0
    ids = list(range(1, 1001))
    while True:
        rounds += 1
        batch = next(b for b in batches(refusals, ids) if culprit in b)
        found = refusals.note(refusal(batch))
        if found is not None:
            break
    assert found == culprit
    assert rounds <= 11
    assert refusals.times(culprit) == (1, "too large")
    assert refusals.times(1) == (0, "")


def test_a_topic_that_takes_only_small_batches_gets_smaller_ones_from_then_on() -> None:
    refusals = Refusals()
    refusals.note(refusal(range(1, 51), 5000))
    refusals.note(refusal(range(1, 26), 2500))
    refusals.passed(range(1, 51))
    assert refusals.sizing.topic_bytes_max == {"t": 2250}
    assert refusals.sizing.groups == {}


def test_a_single_large_record_does_not_make_later_batches_smaller() -> None:
    refusals = Refusals()
    refusals.note(refusal([1, 2], 5000))
    assert refusals.note(refusal([2], 4900)) == 2
    refusals.passed([1, 2])
    assert refusals.sizing.topic_bytes_max == {}
    assert refusals.times(2) == (0, "")


def test_what_is_known_of_one_lane_outlives_a_batch_of_another() -> None:
    refusals = Refusals()
    refusals.note(refusal(range(1, 5)))
    refusals.note(refusal([4]))
    refusals.passed([7, 8])
    assert set(refusals.sizing.groups) == {1, 2, 3, 4}
    assert refusals.times(4)[0] == 1
    assert refusals.sizing.topic_bytes_max == {}


def test_a_record_refused_again_as_a_quarantine_record_is_counted() -> None:
    refusals = Refusals()
    refusals.note(refusal([7]))
    refusals.note(refusal([7]))
    assert refusals.times(7)[0] == 2
