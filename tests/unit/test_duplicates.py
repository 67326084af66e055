"""Which of a batch go out, and which are duplicates."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.duplicates import split
from bridge.model import Prepared


def prepared(entry_id: int, identity: bytes | None) -> Prepared:
    return Prepared(entry_id, 0, "message.read", "topic", None, identity, "forwarded")


def test_of_copies_in_one_batch_the_first_goes_out() -> None:
    batch = [prepared(1, b"a"), prepared(2, b"b"), prepared(3, b"a"), prepared(4, b"a")]
    out, duplicates = split(batch, set())
    assert [item.entry_id for item in out] == [1, 2]
    assert [item.entry_id for item in duplicates] == [3, 4]


def test_what_was_seen_before_does_not_go_out_again() -> None:
    out, duplicates = split([prepared(1, b"a"), prepared(2, b"b")], {b"a", b"z"})
    assert ([item.entry_id for item in out], [item.entry_id for item in duplicates]) == ([2], [1])


def test_what_has_no_identity_always_goes_out() -> None:
    batch = [prepared(1, None), prepared(2, None)]
    assert split(batch, {b""}) == (batch, [])


@given(st.lists(st.one_of(st.none(), st.sampled_from([b"a", b"b", b"c"]))), st.sets(st.sampled_from([b"a", b"b"])))
def test_order_is_kept_and_nothing_is_lost(identities: list[bytes | None], seen: set[bytes]) -> None:
    batch = [prepared(number, identity) for number, identity in enumerate(identities)]
    out, duplicates = split(batch, seen)
    assert sorted([*out, *duplicates], key=lambda item: item.entry_id) == batch
    for part in (out, duplicates):
        assert [item.entry_id for item in part] == sorted(item.entry_id for item in part)
    going = [item.identity for item in out if item.identity is not None]
    assert len(going) == len(set(going))
    assert not seen & set(going)
