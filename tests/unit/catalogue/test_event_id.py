"""The same event has the same id in every replica and after every restart; two events never share one.

The golden values are a contract: a consumer that remembers ids sees every event again when one of them changes.
"""

import hashlib
import json
from typing import Any

import pytest

from bridge.catalogue import TABLE
from bridge.catalogue.event_id import EventIdMaker
from tests.unit.webhooks import FLOW, event, rejected

FLOW_AT_A_MESSAGE = {
    **FLOW,
    "question": {"type": "closed", "text": "Ready?", "answers": [{"text": "Yes"}]},
    "sent_at": "2026-06-22 15:19:06.473256",
}
USER = {"user": {"country_code": "+52", "cellphone": "9993543628"}}
AT = "2026-06-22 15:19:08"
ZULU = "2026-06-22T15:19:08.120Z"

GOLDEN: list[tuple[str, dict[str, Any], list[Any], str]] = [
    (
        "read",
        {**FLOW_AT_A_MESSAGE, "read_at": AT},
        ["treble", "message.read", "s1", "7", "Ready?", "2026-06-22 15:19:06.473256", AT],
        "5c886910196d970c5b227ce9d8fe0f512e7a41c7df1939a49bf39d51698d83f8",
    ),
    (
        "delivered",
        {**FLOW_AT_A_MESSAGE, "delivered_at": AT},
        ["treble", "message.delivered", "s1", "7", "Ready?", "2026-06-22 15:19:06.473256", AT],
        "d011dc793c4f0eea8e8fb56ade5836185c711f9b5c024ca80b5e60b11ef982d2",
    ),
    (
        "response",
        {
            **FLOW_AT_A_MESSAGE,
            "responded_at": AT,
            "actual_response": "sí",
            "classified_answer": {"text": "Yes"},
        },
        ["treble", "message.responded", "s1", "7", "Ready?", "2026-06-22 15:19:06.473256", AT, "sí", "Yes"],
        "05dd32635b9f125f2152d535fc43f5be6af1f04eff42b689b486c82febc329e5",
    ),
    (
        "timeout",
        {**FLOW, "question": {"text": "Ready?"}, "timeout_at": AT},
        ["treble", "message.timed_out", "s1", "7", "Ready?", AT],
        "e46ac1ca7ca6f27cd1e9d0a9f0076d451b4de7d8e24e80058de1245c70132fd2",
    ),
    (
        "opt-out",
        {**FLOW_AT_A_MESSAGE, "classified_answer": {"text": "Stop"}, "reason": "OPTOUT"},
        ["treble", "contact.opted_out", "s1", "7", "Ready?", "2026-06-22 15:19:06.473256", "Stop", "OPTOUT"],
        "6a3b042b4fd73c1c518a8b4a51f18295e1992f70e988772188b9fbdebcbc1a9f",
    ),
    (
        "hsm-status",
        {"event_type": "hsm.status", "name": "welcome", "status": "PAUSED", "timestamp": ZULU},
        ["treble", "hsm.status_changed", "welcome", "PAUSED", ZULU],
        "22ab2eff416b56c7afc9e45f79aa2ba0b4ce49543a2eb5934cd75c7ec5931da8",
    ),
    (
        "session-close",
        {"event_type": "session.close", "session": {"external_id": "s1", "closed_at": ZULU}, **USER},
        ["treble", "conversation.closed", "s1", "+52", "9993543628", ZULU, None],
        "7cb9d037f98d01313d84165f423a5dc98dde124a7b34dae51529357af347e2a3",
    ),
    (
        "deployment-failure",
        {"event_type": "deployment.failure", "failure_reason": "REVOKED", "failed_at": ZULU, **USER},
        ["treble", "deployment.failed", "+52", "9993543628", ZULU, None, "REVOKED"],
        "bb76659b40f83ed8d26714626f526d8aaa9606b8662e5ad2499042bcf8a41783",
    ),
]


def hashed(parts: list[Any]) -> str:
    """The rule, told without the code under test."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


@pytest.mark.parametrize(("hint", "body", "parts", "golden"), GOLDEN)
def test_the_id_is_the_hash_of_the_identifying_fields(
    hint: str, body: dict[str, Any], parts: list[Any], golden: str
) -> None:
    assert event(body, hint).id == hashed(parts) == golden


def test_the_id_of_a_condition_is_the_hash_of_the_whole_body() -> None:
    body = {**FLOW, "variable": {"name": "age", "value": "18"}, "condition": {"operator": "EQ", "value": "18"}}
    whole = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    variable, condition = {"name": "age", "value": "18"}, {"operator": "EQ", "value": "18"}
    expected = hashed(["treble", "condition.evaluated", "s1", "7", variable, condition, whole])
    assert event(body).id == expected == "7c518c808d3415b2bad9305a3dd3f7d509577814c6d2471395d2df2342719469"


def test_trebles_event_id_is_the_id() -> None:
    body = {"event_type": "agent.assigned", "event_id": "evt-1"}
    assert event(body).id == "evt-1"
    assert event({**FLOW, "read_at": AT, "event_id": "evt-2"}).id == "evt-2"


def test_a_number_as_event_id_is_the_same_id_as_its_text() -> None:
    found = event({"event_type": "agent.assigned", "event_id": 12345})
    assert found.id == "12345"
    assert "event_id_was_number" in found.notes


@pytest.mark.parametrize("sent", ["a\u0000b", "line\nbreak", "x" * 201, "a\u2028b"])
def test_an_event_id_that_fits_no_header_is_hashed(sent: str) -> None:
    found = event({"event_type": "agent.assigned", "event_id": sent})
    assert found.id == hashlib.sha256(sent.encode()).hexdigest()
    assert "event_id_was_hashed" in found.notes


@pytest.mark.parametrize("sent", [None, "", "  ", {"a": 1}, [1], True, 1e300])
def test_an_event_id_that_is_none_falls_back_to_the_fields(sent: Any) -> None:
    body = {**FLOW, "read_at": AT}
    assert event({**body, "event_id": sent}).id == event(body).id


READ = {**FLOW_AT_A_MESSAGE, "read_at": AT}


@pytest.mark.parametrize(
    "change",
    [
        {"session_id": "s2"},
        {"conversation_id": 8},
        {"question": {"text": "Ready now?"}},
        {"sent_at": "2026-06-22 15:19:06.473257"},
        {"read_at": "2026-06-22 15:19:09"},
    ],
)
def test_a_difference_in_an_identifying_field_makes_another_event(change: dict[str, Any]) -> None:
    assert event({**READ, **change}).id != event(READ).id


@pytest.mark.parametrize(
    "change",
    [
        {"conversation_id": "7"},
        {"cellphone": 3005550134},
        {"user_session_keys": [{"key": "stage", "value": "2"}]},
        {"sent_text": "Ready, Ana?"},
        {"added_tomorrow": True},
    ],
)
def test_a_repetition_that_differs_in_other_fields_is_the_same_event(change: dict[str, Any]) -> None:
    assert event({**READ, **change}).id == event(READ).id


def test_equal_texts_read_in_the_same_second_are_two_events() -> None:
    """Whoever opens a chat reads all reminders in it at once; only the times of sending differ."""
    assert event({**READ, "sent_at": "2026-06-22 14:00:00"}).id != event({**READ, "sent_at": "2026-06-22 15:00:00"}).id


def test_the_zone_setting_of_a_source_changes_no_id() -> None:
    assert event(READ).id == event(READ, zone="America/Bogota").id


def test_another_source_makes_another_event() -> None:
    assert event(READ).id != event(READ, source="second").id


def test_fields_cannot_run_into_each_other() -> None:
    one = {**FLOW, "session_id": 'a","b', "conversation_id": "c", "read_at": AT}
    two = {**FLOW, "session_id": "a", "conversation_id": 'b","c', "read_at": AT}
    assert event(one).id != event(two).id


OBSERVED = {**FLOW, "business_scope_id": "b1", "user_session_keys": [{"key": "answer", "value": "yes"}]}


def test_a_body_without_a_time_is_told_by_the_whole_of_it() -> None:
    other = {**OBSERVED, "user_session_keys": [{"key": "answer", "value": "no"}]}
    assert event(OBSERVED, "response").id != event(other, "response").id
    assert event(OBSERVED, "response").id == event(dict(reversed(OBSERVED.items())), "response").id


def test_two_bodies_that_differ_only_in_digits_that_a_double_loses_are_two_events() -> None:
    body = b'{"session_id": "s1", "user": 100000000000000000000000%d, "x": 1e2}'
    assert event(body % 1, "response").id != event(body % 2, "response").id


@pytest.mark.parametrize("text", ["x:5e07", "https://h:8e3f/x", "[1e9", 'a \\" ,2e+3 "', '"'])
def test_text_that_looks_like_a_number_makes_the_order_of_keys_count_for_nothing(text: str) -> None:
    body = {**OBSERVED, "user_session_keys": [{"key": "link", "value": text, "type": None}], text: 1}
    spread = json.dumps(dict(reversed(body.items())), indent=1, ensure_ascii=False).encode()
    assert event(spread, "response").id == event(body, "response").id
    whole = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert event(body, "response").id == hashed(["treble", "message.responded", "s1", "7", *[None] * 5, whole])


def test_neither_order_nor_white_space_counts_beside_a_number_that_a_double_does_not_hold() -> None:
    body = b'{"session_id": "s1", "user": [1000000000000000000000001, "1e2", 1e2, {"a": true, "b": null}], "x": "y"}'
    same = b'{"x":"y","user":[1000000000000000000000001,"1e2",1e2,{"b":null,"a":true}],"session_id":"s1"}'
    assert event(body, "response").id == event(same, "response").id
    for other in (same.replace(b'"1e2"', b"1e2"), same.replace(b"0001,", b"0002,"), same.replace(b'"y"', b'"z"')):
        assert event(other, "response").id != event(same, "response").id


def test_a_bare_answer_identifies_as_one_in_its_object_does() -> None:
    body = {**FLOW_AT_A_MESSAGE, "responded_at": AT}
    assert (
        event({**body, "classified_answer": "Yes"}).id
        == event({**body, "classified_answer": {"text": "Yes"}}).id
        != event({**body, "classified_answer": "No"}).id
    )


@pytest.mark.parametrize(
    "body",
    [
        {"event_type": "hsm.status", "name": "welcome", "status": "PAUSED"},
        {"event_type": "session.close"},
        {"event_type": "session.close", "session": {"external_id": ""}, **USER},
        {"event_type": "session.close", "timestamp": ZULU},
        {"event_type": "deployment.failure", "failure_reason": "REVOKED", **USER},
        {"event_type": "deployment.failure", "timestamp": ZULU, "user": {"country_code": "+52"}},
    ],
)
def test_a_global_event_without_id_needs_the_fields_that_tell_it_from_others(body: dict[str, Any]) -> None:
    found = rejected(body)
    assert found.reason == "invalid"
    assert [problem.pointer for problem in found.problems] == ["/event_id"]


@pytest.mark.parametrize("nothing", ["   ", "\t", {}, {"$oid": ""}, [], ["s1"], False, True, 10**23 + 0.0])
def test_a_field_that_holds_no_text_and_no_number_tells_no_event_from_another(nothing: Any) -> None:
    closing = {"event_type": "session.close", "session": {"external_id": nothing}, **USER}
    assert [problem.pointer for problem in rejected(closing).problems] == ["/event_id"]
    later = {**closing, "timestamp": "2026-06-22T15:20:00.000Z"}
    assert event({**closing, "timestamp": ZULU}).id != event(later).id


@pytest.mark.parametrize("nothing", [" ", {}, [], False])
def test_a_flow_webhook_whose_telling_field_holds_nothing_is_told_by_the_whole_of_it(nothing: Any) -> None:
    body = {**FLOW, "reason": "OPTOUT", "sent_at": nothing}
    assert event({**body, "sent_text": "one"}).id != event({**body, "sent_text": "two"}).id


def test_a_number_tells_events_apart_as_its_text_does() -> None:
    closing = {"event_type": "session.close", "session": {"external_id": 41}}
    assert event(closing).id == event({**closing, "session": {"external_id": "41"}}).id
    assert event(closing).id != event({**closing, "session": {"external_id": 42}}).id


@pytest.mark.parametrize(
    "body",
    [
        {"event_type": "session.close", "session": {"external_id": "s1"}},
        {"event_type": "session.close", "session": {"external_id": ""}, "timestamp": ZULU, **USER},
        {"event_type": "deployment.failure", "timestamp": ZULU, **USER},
    ],
)
def test_a_global_event_without_id_is_accepted_when_something_tells_it_from_others(body: dict[str, Any]) -> None:
    assert len(event(body).id) == 64


def test_people_can_ask_what_an_id_comes_from() -> None:
    assert event({**READ, "event_id": "e1"}).id_from == "event_id"
    assert event(READ).id_from == "fields"
    rule = EventIdMaker("message.read", TABLE["message.read"].event_id)
    assert rule.fields(READ, None)["question.text"] == "Ready?"
    assert event({"session_id": "s1"}, "read").id_from == "body"
