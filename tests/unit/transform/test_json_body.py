"""Bytes to JSON: what is JSON comes through as sent; what isn't has one bounded reason."""

import json
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.transform.json_body import NotJson, decode


def test_a_body_keeps_the_bytes_that_were_sent() -> None:
    raw = b' {"b": 1.50, "a": "\\u00e9", "a": 2}\n'
    assert decode(raw) == ({"b": 1.5, "a": 2}, raw, ())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b'{"a": "\xff"}', "not_utf8"),
        (b'"\xed\xa0\xbd"', "not_utf8"),  # a surrogate written as if it were a character
        ('{"a": 1}'.encode("utf-16"), "not_utf8"),
        (b"{", "syntax"),
        (b"{} {}", "syntax"),
        (b"01", "syntax"),
        (b"NaN", "syntax"),
        (b"[Infinity]", "syntax"),
        (b'{"a": "\x00"}', "syntax"),
        (b"{1e999: 1}", "syntax"),
        (b"01e999", "syntax"),
        (b"a=1&b=2", "syntax"),
        ("٣".encode(), "syntax"),
        (b"[" * 5000 + b"]" * 5000, "too_deep"),
    ],
)
def test_what_is_no_json_says_why_in_one_word(raw: bytes, reason: str) -> None:
    with pytest.raises(NotJson) as caught:
        decode(raw)
    assert caught.value.reason == reason


def test_the_reason_never_holds_a_part_of_the_body() -> None:
    with pytest.raises(NotJson) as caught:
        decode(b'{"cellphone": 3005550134')
    assert "3005550134" not in repr(caught.value)


def test_a_byte_order_mark_is_left_out_and_noted() -> None:
    assert decode(b'\xef\xbb\xbf{"a": 1}') == ({"a": 1}, b'{"a": 1}', ("byte_order_mark",))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (rb'{"a": "x \ud83d y"}', {"a": "x \ufffd y"}),
        (rb'{"a": "\ude00\ud83d"}', {"a": "\ufffd\ufffd"}),
        (rb'{"\ud83d": 1}', {"\ufffd": 1}),
        (rb'{"a": "\ud83d\ude00 \uD83D"}', {"a": "😀 \ufffd"}),
        (rb'{"a": "\\ud83d \ud83d"}', {"a": r"\ud83d " + "\ufffd"}),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character(raw: bytes, value: object) -> None:
    body = decode(raw)
    assert body.value == value
    assert body.notes == ("lone_surrogate",)
    assert orjson.loads(body.text) == value


def test_a_number_beyond_a_double_becomes_the_largest_one() -> None:
    body = decode(b'[1e999, -1e999, "1e999", 1.5]')
    assert body.value == [1.7976931348623157e308, -1.7976931348623157e308, "1e999", 1.5]
    assert body.notes == ("number_out_of_range",)
    assert decode(b"9" * 5000).notes == ("number_out_of_range",)


@pytest.mark.parametrize("raw", [b'"' * 500_000, b'"\\"' * 200_000, b"\\ud83d" * 100_000, b"1e9" * 200_000])
def test_repairing_takes_time_in_proportion_to_the_size(raw: bytes) -> None:
    began = time.process_time()
    with pytest.raises(NotJson):
        decode(raw)
    assert time.process_time() - began < 5.0


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_json_that_reads_back_or_not_json(raw: bytes) -> None:
    try:
        body = decode(raw)
    except NotJson:
        return
    assert orjson.loads(body.text) == body.value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec=None)),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=10,
    )
)  # fmt: skip
def test_whatever_python_writes_as_json_is_json(value: object) -> None:
    body = decode(json.dumps(value).encode())
    assert body.notes in {(), ("lone_surrogate",)}
    assert body.notes or body.value == value
