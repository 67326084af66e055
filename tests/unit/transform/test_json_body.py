"""Bytes to JSON: what is JSON comes through as sent; what isn't has one bounded reason; neither costs much."""

import contextlib
import json
import time
from collections.abc import Callable
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.transform.json_body import NotJson, decode

MEBIBYTE = 1 << 20
ORDINARY = "[" + "1," * (MEBIBYTE // 2 - 1) + "1]"
LARGEST = 1.7976931348623157e308


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
        (b"nan", "syntax"),
        (b"[+Infinity]", "syntax"),
        (b"{NaN: 1}", "syntax"),
        (b"[NaN", "syntax"),
        (b"\x00{}", "syntax"),
        (b'{"a": "\x01"}', "syntax"),
        (b"[\\u0000]", "syntax"),
        (b'"\xff\\u0000"', "not_utf8"),
        (b"{1e999: 1}", "syntax"),
        (b"01e999", "syntax"),
        (b"a=1&b=2", "syntax"),
        ("٣".encode(), "syntax"),
        (b"[1e999, NaN,]", "syntax"),
        (b'["\\ud83d", -Infinity', "syntax"),
        (b'["\\ud83d", ]', "syntax"),
        (b'["\\ud83d", "\x02"]', "syntax"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "syntax"),
        (b"[" * 5000 + b"]" * 5000, "syntax"),
        (b"[" * 1100 + b"1e999" + b"]" * 1100, "syntax"),
        (b'{"a":' * 5000, "syntax"),
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


@pytest.mark.parametrize(
    ("raw", "value", "notes"),
    [
        (b'[1e999, -1e999, "1e999", 1.5]', [LARGEST, -LARGEST, "1e999", 1.5], ("number_out_of_range",)),
        (b'["\\"", -2E+400, "\\\\"]', ['"', -LARGEST, "\\"], ("number_out_of_range",)),
        (b"[1e308, 1e-999, 1e0000007, 1e999]", [1e308, 0.0, 1e7, LARGEST], ("number_out_of_range",)),
        (b"[" + b"9" * 400 + b"]", [LARGEST], ("number_out_of_range",)),
        (b"-" + b"9" * 5000, -LARGEST, ("number_out_of_range",)),
        (b"[1e999, " + b"9" * 309 + b"]", [LARGEST, LARGEST], ("number_out_of_range",)),
        (rb'[1e999, "\ud83d", 1e999]', [LARGEST, "\ufffd", LARGEST], ("number_out_of_range", "lone_surrogate")),
        (b'\xef\xbb\xbf["\\ud83d"]', ["\ufffd"], ("byte_order_mark", "lone_surrogate")),
        (rb'["\\\ud83d", "\\ud83d"]', ["\\\ufffd", "\\ud83d"], ("lone_surrogate",)),
        (b"NaN", None, ("number_out_of_range",)),
        (b"[NaN, Infinity, -Infinity, 1]", [None, LARGEST, -LARGEST, 1], ("number_out_of_range",)),
        (b'{"NaN": NaN, "a": "-Infinity, NaN"}', {"NaN": None, "a": "-Infinity, NaN"}, ("number_out_of_range",)),
        (rb'["\u0000", NaN]', ["\ufffd", None], ("number_out_of_range", "nul_character")),
        (rb'{"a\u0000": "\u0000\u0000b"}', {"a\ufffd": "\ufffd\ufffdb"}, ("nul_character",)),
        (b'{"a\x00": "b\x00"}', {"a\ufffd": "b\ufffd"}, ("nul_character",)),
        (rb'["\\u0000", "\\\u0000"]', ["\\u0000", "\\\ufffd"], ("nul_character",)),
        (rb'["\u0000 \udc00"]', ["\ufffd \ufffd"], ("lone_surrogate", "nul_character")),
    ],
)
def test_what_is_mended_is_only_what_is_wrong(raw: bytes, value: object, notes: tuple[str, ...]) -> None:
    body = decode(raw)
    assert (body.value, body.notes) == (value, notes)
    assert orjson.loads(body.text) == value


@pytest.mark.parametrize(
    "number",
    [
        "12345678901234567890123",
        "9" * 300,
        "0." + "3" * 15,
        "0." + "3" * 40,
        "-0.0",
        "1e-5",
        "1e-400",
        "9007199254740993.0",
    ],
)
@pytest.mark.parametrize("fault", [rb'"\ud83d"', rb'"\u0000"', b"1e999", b"NaN"])
def test_a_number_beside_a_fault_keeps_its_digits(number: str, fault: bytes) -> None:
    body = decode(b"[%b,%b]" % (fault, number.encode()))
    assert Decimal(body.text.decode().removesuffix("]").rpartition(",")[2]) == Decimal(number)
    assert len(body.notes) == 1


def test_a_text_in_which_only_characters_were_mended_is_otherwise_as_it_was_sent() -> None:
    assert decode(rb' {"a": 1.50, "a": "\u00e9\u0000"}').text == rb' {"a": 1.50, "a": "\u00e9\ufffd"}'


def test_any_number_of_faults_is_mended() -> None:
    body = decode(b"[" + b",".join([b"1e999", rb'"\ud800"'] * 5000) + b"]")
    assert body.value == [LARGEST, "\ufffd"] * 5000
    assert body.notes == ("number_out_of_range", "lone_surrogate")


def test_hundreds_of_levels_are_mended_too() -> None:
    for fault in (b"1e999", rb'"\ud800"'):
        assert len(decode(b"[" * 300 + fault + b"]" * 300).notes) == 1


def cpu_s(work: Callable[[], object]) -> float:
    """The least processor time of three runs, in seconds."""
    found = []
    for _ in range(3):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


@pytest.mark.parametrize(
    "text",
    [
        "0" * MEBIBYTE,
        "9" * MEBIBYTE,
        "-" * MEBIBYTE,
        "[" * MEBIBYTE,
        '{"a":' * (MEBIBYTE // 5),
        "[" * (MEBIBYTE // 2) + "]" * (MEBIBYTE // 2),
        r'["\ud800",' + ORDINARY[1:],
        r'["\u0000",' + ORDINARY[1:],
        '"' + r"\u0000" * (MEBIBYTE // 6) + '"',
        "[NaN," + ORDINARY[1:],
        "[" + "NaN," * (MEBIBYTE // 4) + "1]",
        "[1e999," + "0.12345678901234567890," * (MEBIBYTE // 23) + "1]",
        "[1e999," + ORDINARY[1:],
        "[1e999," + ORDINARY[1:-1] + ",]",
        "[1e999," + ("1" * 199 + ",") * (MEBIBYTE // 200) + "1]",
        "[" + ("9" * 308 + ",") * (MEBIBYTE // 309) + "9e999]",
        "[" + ("9" * 4000 + ",") * (MEBIBYTE // 4000) + "1]",
        "[" + "9e999," * (MEBIBYTE // 6) + "1]",
        r'["\ud800",' + '"9e999",' * (MEBIBYTE // 8) + "1]",
        '"' + r"\ud800" * (MEBIBYTE // 6) + '"',
        '"' + r"\ud83d\ude00" * (MEBIBYTE // 12),
        '"' * MEBIBYTE,
        '"\\' * (MEBIBYTE // 2),
        '["\\ud800"' + ',""' * (MEBIBYTE // 3) + "]",
        "e000" * (MEBIBYTE // 4),
    ],
    ids=lambda text: text[:12],
)
def test_no_text_costs_much_more_than_reading_it_as_json(text: str) -> None:
    raw = text.encode()

    def judge() -> None:
        with contextlib.suppress(NotJson):
            decode(raw)

    assert cpu_s(judge) < 5 * cpu_s(lambda: json.loads(ORDINARY))


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
    assert set(body.notes) <= {"lone_surrogate", "nul_character"}
    assert body.notes or body.value == value
