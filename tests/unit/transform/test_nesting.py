"""JSON that is deeper than the parser reads is told from what is no JSON at all."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.transform.json_body import LOOKED_AT_CHARS_MAX, PARSER_DEPTH, is_too_deep


def within(inner: str, levels: int = 2000) -> str:
    """A text inside so many arrays."""
    return "[" * levels + inner + "]" * levels


@pytest.mark.parametrize(
    "text",
    [
        within(""),
        within("{}"),
        within(' {"a" : [1, -2.5e+3, true, false, null, "[\\"\\u00e9"] , "b":{}}\r\n\t'),
        '{"a":' * 2000 + "1" + "}" * 2000,
        '[1,{"a":"]","b":' * 1000 + "[]" + "}]" * 1000,
        within('"\\ud83d"'),
    ],
)
def test_well_formed_json_is_too_deep(text: str) -> None:
    assert is_too_deep(text)


@pytest.mark.parametrize(
    "inner",
    ["1,", ",1", "1 2", "01", "1.", "-", "+1", "tru", "nulltrue", '"a', 'a"', '"\\q"', '"\\u12"', '"\x01"', "\x02",
     "{1:2}", '{"a"}', '{"a":}', '{"a":1,}', "{,}", '{"a":1 "b":2}', '{"a":1:2}', '["a":1]', "{]", "[}", "٣", "NaN",
     "[]{}", ":", "\x0c"],
)  # fmt: skip
def test_what_is_no_json_is_not_too_deep(inner: str) -> None:
    assert not is_too_deep(within(inner))


@pytest.mark.parametrize("text", ["[" * 3000, "]" * 3000, within("") + "]", within("") + "[]", within("") * 2, ""])
def test_brackets_that_do_not_match_are_not_too_deep(text: str) -> None:
    assert not is_too_deep(text)


def test_what_has_many_brackets_side_by_side_is_not_too_deep() -> None:
    assert not is_too_deep("[" + ",".join(["[]"] * 3000) + "]")
    assert not is_too_deep('["' + "[" * 3000 + '"]')
    assert not is_too_deep(within("", PARSER_DEPTH))
    assert is_too_deep(within("", PARSER_DEPTH + 1))


def test_what_would_hold_up_others_for_long_is_not_looked_at() -> None:
    assert is_too_deep(within("", LOOKED_AT_CHARS_MAX // 2))
    assert not is_too_deep(within("", LOOKED_AT_CHARS_MAX // 2 + 1))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=10,
    ),
    st.integers(0, 200),
)
def test_it_agrees_with_a_parser_on_what_is_inside(value: object, cut: int) -> None:
    text = json.dumps(value, indent=1)
    assert is_too_deep(within(text))
    part = text[:cut] + text[cut + 1 :]
    try:
        json.loads(f"[{part}]")
    except ValueError:
        assert not is_too_deep(within(part))
    else:
        assert is_too_deep(within(part))


@pytest.mark.parametrize("text", ["[" * 1_000_000, within("", 500_000), '["a' * 300_000, "[" * 2000 + '"\\q' * 300_000])
def test_it_takes_time_in_proportion_to_the_size(text: str) -> None:
    began = time.process_time()
    is_too_deep(text)
    assert time.process_time() - began < 5.0
