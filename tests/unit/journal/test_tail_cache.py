"""What a forwarder at the front reads from memory is what the disk holds."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.journal.tail_cache import CACHE_BYTES_MAX, TailCache
from bridge.model import Entry


def submission(number: int, size: int = 10) -> Entry:
    return Entry(0, number, "treble", "read", b"", bytes(size))


commits = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=5), min_size=1, max_size=8)


@given(commits, st.integers(1, 45), st.integers(1, 12), st.integers(0, 200), st.integers(1, 45))
def test_a_slice_is_what_was_committed_or_none_when_its_start_is_gone(
    sizes: list[list[int]], from_id: int, max_entries: int, max_bytes: int, passed: int
) -> None:
    cache, model, next_id = TailCache(), [], 1
    for commit in sizes:
        submissions = [submission(next_id + i, size) for i, size in enumerate(commit)]
        cache.committed(next_id, submissions)
        model += [s._replace(id=next_id + i) for i, s in enumerate(submissions)]
        next_id += len(commit)
    cache.passed(passed)
    found = cache.read(from_id, max_entries, max_bytes)
    if found is None:
        assert from_id < passed or passed >= next_id
        return
    expected: list[Entry] = []
    for entry in model:
        taken = sum(len(e.body) for e in expected)
        if (
            entry.id >= from_id
            and len(expected) < max_entries
            and (not expected or taken + len(entry.body) <= max_bytes)
        ):
            expected.append(entry)
        elif entry.id >= from_id:
            break
    assert found == expected


def test_a_backlog_does_not_stay_in_memory() -> None:
    cache = TailCache()
    for number in range(1, 101):
        cache.committed(number, [submission(number, 1 << 20)])
    assert cache.read(1, 10, 1 << 30) is None
    newest = cache.read(99, 10, 1 << 30)
    assert newest is not None
    assert [entry.id for entry in newest] == [99, 100]
    assert cache._bytes <= CACHE_BYTES_MAX


def test_an_entry_larger_than_all_of_the_memory_is_not_kept() -> None:
    cache = TailCache()
    cache.committed(1, [submission(1, CACHE_BYTES_MAX)])
    assert cache.read(1, 10, 10) is None
