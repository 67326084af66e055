"""What is repaired in a text that the parser refused, and what that may cost: webhooks are answered meanwhile."""

import contextlib
import json
import time
from collections.abc import Callable

import pytest

from bridge.transform.json_body import PLACES_MAX, NotJson, decode, repaired

MEBIBYTE = 1 << 20
ORDINARY = "[" + "1," * (MEBIBYTE // 2 - 1) + "1]"
LARGEST = "1.7976931348623157e308"


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
        "-" * MEBIBYTE,
        r'["\ud800",' + ORDINARY[1:],
        "[1e999," + ORDINARY[1:],
        "[1e999," + ("1" * 199 + ",") * (MEBIBYTE // 200) + "1]",
        "[" + "9e999," * (MEBIBYTE // 6) + "1]",
        "[" + "9e999," * PLACES_MAX + ORDINARY[1:],
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


def test_more_faults_than_any_sender_makes_are_left_as_they_are() -> None:
    for fault in ("1e999", r'"\ud800"'):
        mended, notes = repaired("[" + ",".join([fault] * PLACES_MAX) + "]")
        assert len(notes) == 1
        assert json.loads(mended)
        too_many = "[" + ",".join([fault] * (PLACES_MAX + 1)) + "]"
        assert repaired(too_many) == (too_many, [])


@pytest.mark.parametrize(
    ("text", "mended", "notes"),
    [
        ('["1e999", 1e999, "\\"", -2E+400]', f'["1e999", {LARGEST}, "\\"", -{LARGEST}]', ["number_out_of_range"]),
        ('["\\\\", 1e999]', f'["\\\\", {LARGEST}]', ["number_out_of_range"]),
        ('["\\\\\\"1e999", "x"]', '["\\\\\\"1e999", "x"]', []),
        ("[1e308, 1e-999, 1e0000007]", "[1e308, 1e-999, 1e0000007]", []),
        ("[" + "9" * 400 + "]", f"[{LARGEST}]", ["number_out_of_range"]),
        (r'["\ud83d\ud83d\ude00\ude00"]', r'["\ufffd\ud83d\ude00\ufffd"]', ["lone_surrogate"]),
        (r'["\\\ud83d", "\\ud83d"]', r'["\\\ufffd", "\\ud83d"]', ["lone_surrogate"]),
        (r'[1e999, "\ud83d", 1e999]', rf'[{LARGEST}, "\ufffd", {LARGEST}]', ["number_out_of_range", "lone_surrogate"]),
    ],
)
def test_what_is_repaired_is_only_what_is_wrong(text: str, mended: str, notes: list[str]) -> None:
    assert repaired(text) == (mended, notes)
