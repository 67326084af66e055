"""Which of a batch go out, and which are duplicates."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Prepared
from bridge.transform import dedupe

WINDOW_MS = 1000


def prepared(entry_id: int, dedupe_key: bytes | None, received_at_ms: int = 0) -> Prepared:
    return Prepared(entry_id, received_at_ms, "message.read", "topic", None, dedupe_key, "forwarded")


def split(batch: Sequence[Prepared], seen: Mapping[bytes, int]) -> tuple[list[Prepared], list[Prepared]]:
    return dedupe.split(batch, seen, lambda item: item.dedupe_key, lambda _: WINDOW_MS)


def test_of_copies_in_one_batch_the_first_goes_out() -> None:
    batch = [prepared(1, b"a"), prepared(2, b"b"), prepared(3, b"a"), prepared(4, b"a")]
    out, duplicates = split(batch, {})
    assert [item.entry_id for item in out] == [1, 2]
    assert [item.entry_id for item in duplicates] == [3, 4]


def test_what_was_seen_before_does_not_go_out_again() -> None:
    out, duplicates = split([prepared(1, b"a"), prepared(2, b"b")], {b"a": 0, b"z": 0})
    assert ([item.entry_id for item in out], [item.entry_id for item in duplicates]) == ([2], [1])


def test_what_has_no_dedupe_key_always_goes_out() -> None:
    batch = [prepared(1, None), prepared(2, None)]
    assert split(batch, {b"": 0}) == (batch, [])


@given(st.lists(st.one_of(st.none(), st.sampled_from([b"a", b"b", b"c"]))), st.sets(st.sampled_from([b"a", b"b"])))
def test_order_is_kept_and_nothing_is_lost(dedupe_keys: list[bytes | None], seen: set[bytes]) -> None:
    batch = [prepared(number, dedupe_key) for number, dedupe_key in enumerate(dedupe_keys)]
    out, duplicates = split(batch, dict.fromkeys(seen, 0))
    assert sorted([*out, *duplicates], key=lambda item: item.entry_id) == batch
    for part in (out, duplicates):
        assert [item.entry_id for item in part] == sorted(item.entry_id for item in part)
    going = [item.dedupe_key for item in out if item.dedupe_key is not None]
    assert len(going) == len(set(going))
    assert not seen & set(going)


def test_a_copy_is_one_that_arrived_within_the_window_of_the_one_that_went_out() -> None:
    batch = [prepared(1, b"a", 5000), prepared(2, b"a", 6000), prepared(3, b"a", 6001), prepared(4, b"a", 7001)]
    out, duplicates = split(batch, {b"a": 3999})
    assert ([item.entry_id for item in out], [item.entry_id for item in duplicates]) == ([1, 3], [2, 4])
    assert split(batch[:1], {b"a": 4000}) == ([], batch[:1])


@given(
    arrivals=st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.integers(0, 4000)), max_size=12),
    cuts=st.sets(st.integers(0, 12)),
)
def test_in_whatever_batches_they_come_the_same_go_out(arrivals: list[tuple[bytes, int]], cuts: set[int]) -> None:
    times = sorted(at_ms for _, at_ms in arrivals)
    everything = [prepared(n, arrivals[n][0], at_ms) for n, at_ms in enumerate(times)]
    at_once, _ = split(everything, {})
    in_parts: list[Prepared] = []
    seen: dict[bytes, int] = {}
    ends = [*sorted(cuts), len(everything)]
    for start, end in zip([0, *ends], ends, strict=False):
        out, _ = split(everything[start:end], seen)
        seen |= {item.dedupe_key: item.received_at_ms for item in out if item.dedupe_key is not None}
        in_parts += out
    assert in_parts == at_once
