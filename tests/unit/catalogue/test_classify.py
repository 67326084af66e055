"""Which type a body is: its own evidence decides, by rank; without any, the hint does."""

import itertools
from typing import Any

import pytest

from bridge.catalogue import HINTS, TABLE, classify
from bridge.catalogue.definition import Scene
from bridge.catalogue.table import evidence_in

AT = "2026-06-22 15:19:08"
ANSWER = {"text": "Yes"}
SAMPLES = [
    (name, make(Scene()))
    for name, event_type in TABLE.items()
    for shape, make in event_type.samples.items()
    if (name, shape) != ("message.responded", "observed")  # it holds no evidence at all
]


def type_of(body: Any, hint: str = "") -> str | None:
    return classify(body, hint).event_type


@pytest.mark.parametrize(("name", "body"), SAMPLES)
def test_a_body_with_evidence_has_the_same_type_on_every_url(name: str, body: dict[str, Any]) -> None:
    for hint, meant in {**HINTS, "": "", "misspelt": ""}.items():
        found = classify(body, hint)
        assert found.event_type == name
        assert found.hint_conflict == (meant not in {"", name})


def test_the_body_wins_over_the_hint_and_the_contradiction_is_flagged() -> None:
    found = classify({"read_at": AT}, "delivered")
    assert (found.event_type, found.evidence, found.hint_conflict) == ("message.read", "read_at", True)


def test_a_timeout_on_the_response_url_is_a_timeout() -> None:
    found = classify({"session_id": "s", "timeout_at": AT}, "response")
    assert (found.event_type, found.hint_conflict) == ("message.timed_out", True)


@pytest.mark.parametrize(("hint", "meant"), HINTS.items())
def test_without_evidence_the_hint_decides(hint: str, meant: str) -> None:
    found = classify({"session_id": "s"}, hint)
    assert (found.event_type, found.evidence, found.hint_conflict) == (meant, "hint", False)


@pytest.mark.parametrize("hint", ["", "misspelt", "READ"])
def test_without_evidence_and_hint_nothing_decides(hint: str) -> None:
    found = classify({"session_id": "s"}, hint)
    assert (found.event_type, found.evidence, found.hint_conflict) == (None, "", False)


@pytest.mark.parametrize("body", [[], [{"read_at": AT}], "read_at", 7, None, True])
def test_what_is_no_object_has_no_type_whatever_the_hint(body: Any) -> None:
    assert type_of(body, "read") is None


@pytest.mark.parametrize("empty", [None, "", False, 0, {}, [], True, [AT]])
@pytest.mark.parametrize("field", ["read_at", "delivered_at", "responded_at", "timeout_at", "actual_response"])
def test_an_empty_or_senseless_discriminator_is_no_evidence(field: str, empty: Any) -> None:
    assert type_of({field: empty}) is None
    assert type_of({field: empty}, "timeout") == "message.timed_out"


RANKED = [
    ("contact.opted_out", {"reason": "OPTOUT", "classified_answer": ANSWER}),
    ("condition.evaluated", {"condition": {"operator": "EQ"}, "variable": {"name": "a"}}),
    ("message.responded", {"responded_at": AT}),
    ("message.timed_out", {"timeout_at": AT}),
    ("message.responded", {"actual_response": "yes"}),
    ("message.read", {"read_at": AT}),
    ("message.delivered", {"delivered_at": AT}),
]


@pytest.mark.parametrize(("higher", "lower"), list(itertools.combinations(RANKED, 2)))
def test_of_two_kinds_of_evidence_the_later_stage_wins_in_either_order(higher: Any, lower: Any) -> None:
    assert type_of({**higher[1], **lower[1]}) == higher[0]
    assert type_of({**lower[1], **higher[1]}) == higher[0]


def test_a_message_that_was_read_was_delivered_before_so_reading_wins() -> None:
    assert type_of({"delivered_at": AT, "read_at": AT}, "delivered") == "message.read"


def test_an_answer_without_its_time_is_weaker_than_a_timeout() -> None:
    assert type_of({"timeout_at": AT, "classified_answer": ANSWER}) == "message.timed_out"


def test_a_reason_that_is_new_leaves_an_answer_to_the_hint() -> None:
    body = {"reason": "STOPPED", "classified_answer": ANSWER, "actual_response": "stop"}
    assert type_of(body) is None
    assert type_of(body, "opt-out") == "contact.opted_out"
    assert type_of(body, "response") == "message.responded"


def test_the_time_of_an_answer_is_evidence_whatever_the_reason_says() -> None:
    assert type_of({"reason": "STOPPED", "responded_at": AT}) == "message.responded"


@pytest.mark.parametrize("reason", [None, "", 0, False])
def test_an_empty_reason_is_no_reason(reason: Any) -> None:
    assert type_of({"reason": reason, "classified_answer": ANSWER}) == "message.responded"


def test_a_condition_needs_its_variable() -> None:
    assert type_of({"condition": {"operator": "EQ"}}) is None
    assert type_of({"variable": {"name": "a"}}) is None


@pytest.mark.parametrize("name", ["agent.assigned", "Session.Close", "session.close ", "read"])
def test_another_event_type_is_unknown_even_beside_evidence_of_a_flow(name: str) -> None:
    found = classify({"event_type": name, "read_at": AT}, "read")
    assert (found.event_type, found.evidence, found.hint_conflict) == ("unknown", "event_type", True)


@pytest.mark.parametrize("value", [None, "", "  ", 5, {"a": 1}, ["session.close"], True])
def test_an_event_type_that_is_no_text_is_no_evidence(value: Any) -> None:
    assert type_of({"event_type": value}) is None
    assert type_of({"event_type": value, "read_at": AT}) == "message.read"


def test_all_evidence_can_be_listed_what_decides_first() -> None:
    found = evidence_in({"delivered_at": AT, "read_at": AT, "actual_response": "yes"})
    assert [one.evidence for one in found] == ["actual_response", "read_at", "delivered_at"]
    assert evidence_in({}) == evidence_in([]) == ()
