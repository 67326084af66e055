"""What Treble adds tomorrow gets a name, a topic and a key from the configuration; what the catalogue knows stays."""

from typing import Any

import orjson
import pytest

from bridge.catalogue.samples import sample
from bridge.model import Event, Prepared, Rejected
from bridge.transform.prepare import Preparer
from tests.unit.settings.given import KAFKA, SOURCES, error, loaded
from tests.unit.webhooks import FLOW, entry, settings

ASSIGNED = {
    "event_type": "agent.assigned",
    "event_id": "e1",
    "timestamp": "2026-06-22T15:19:08Z",
    "agent": {"id": 7, "vip": True},
    **FLOW,
}
EVENTS = {"agent.assigned": {"when": {"event_type": "agent.assigned"}, "topic": "crm.agents", "key": "agent.id"}}


def prepared(body: Any, events: Any = None, hint: str = "", **sections: Any) -> Prepared:
    return Preparer(settings(events=EVENTS if events is None else events, **sections), "j1").prepare(entry(body, hint))


def value_of(found: Prepared) -> Any:
    assert found.record is not None
    return orjson.loads(found.record.value)


def test_an_unknown_event_type_gets_name_topic_and_key_and_carries_its_body() -> None:
    found = prepared(ASSIGNED)
    assert (found.event_type, found.topic, found.outcome) == ("agent.assigned", "crm.agents", "forwarded")
    assert found.record is not None
    assert found.record.key == b"7"
    headers = dict(found.record.headers)
    assert headers["ce_type"] == b"ai.treble.agent.assigned.v1"
    assert "ce_dataschema" not in headers
    assert headers["ce_time"] == b"2026-06-22T15:19:08Z"
    value = value_of(found)
    assert value["data"] == value["raw"] == ASSIGNED
    assert (value["type"], value["session_id"], value["contact"]["phone"]) == ("agent.assigned", "s1", "+573005550134")
    assert "notes" not in value, "which of its fields are known is nobody's claim"


def test_the_id_is_the_one_that_it_had_as_unknown() -> None:
    body = {name: part for name, part in ASSIGNED.items() if name != "event_id"}
    assert value_of(prepared(body))["id"] == value_of(prepared(body, {}))["id"]
    assert prepared(body).identity != prepared(body, {}).identity


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({"agent.id": "7"}, True),
        ({"agent.id": ["6", "7"]}, True),
        ({"agent.id": "8"}, False),
        ({"agent.id": "*"}, True),
        ({"agent.vip": "true"}, True),
        ({"agent": "*"}, True),
        ({"agent": "7"}, False),
        ({"agent.id.deeper": "*"}, False),
        ({"nothing": "*"}, False),
        ({"agent.id": "7", "nothing": "*"}, False),
    ],
)
def test_all_conditions_must_hold(when: Any, holds: bool) -> None:
    found = prepared(ASSIGNED, {"mine": {"when": when}})
    assert (found.event_type == "mine") is holds
    assert found.topic == ("treble.mine" if holds else "treble.unknown")


def test_a_body_that_nothing_tells_anything_about_is_mapped_by_its_fields() -> None:
    survey = {"survey": {"id": "q9"}, "session_id": "s1"}
    events = {"survey.answered": {"when": {"survey.id": "*"}}}
    assert prepared(survey, {}).outcome == "quarantined"
    found = prepared(survey, events)
    assert (found.event_type, found.outcome) == ("survey.answered", "forwarded")
    assert found.record is not None
    assert found.record.key == b"s1"
    assert prepared(survey, events, "read").hint_conflict, "fields are stronger than a hint"
    assert prepared(survey, events, "read").event_type == "survey.answered"


def test_what_the_catalogue_knows_is_never_mapped() -> None:
    events = {"mine": {"when": {"session_id": "*"}}, "closed": {"when": {"event_type": "session.close"}}}
    for name in ("message.read", "conversation.closed"):
        assert prepared(sample(name), events).event_type == name


def test_a_key_that_is_not_there_falls_back() -> None:
    for key, expected in (("agent", b"s1"), ("agent.absent", b"s1"), ("phone", b"+573005550134"), ("event_id", b"e1")):
        found = prepared(ASSIGNED, {"mine": {"when": {"agent": "*"}, "key": key}}).record
        assert found is not None
        assert found.key == expected


def test_what_is_nested_too_deep_is_quarantined_all_the_same() -> None:
    deep: Any = "x"
    for _ in range(250):
        deep = [deep]
    assert prepared({**ASSIGNED, "deep": deep}).reason == "invalid"


def test_its_topic_is_one_of_those_that_are_made_and_its_route_may_say_more() -> None:
    routed = settings(events=EVENTS, topics={"map": {"agent.assigned": {"partitions": 3}}})
    assert Preparer(routed, "j1").topics()["crm.agents"].partitions == 3
    assert prepared(ASSIGNED, {"mine": {"when": {"agent": "*"}}}, topics={"map": {"mine": {"drop": True}}}).outcome == (
        "dropped"
    )


def test_a_hidden_phone_is_hidden_in_the_body_that_it_carries() -> None:
    rules = {"hash_key": "a-key-of-some-length", "topics": {"*": {"phone": "drop"}}}
    events = {"mine": {"when": {"agent": "*"}, "key": "cellphone"}}
    found = prepared(ASSIGNED, events, privacy=rules)
    assert "3005550134" not in repr(tuple(found.record or ()))


HASHED = {"hash_key": "a-key-of-some-length"}
SURVEY = {
    "event_type": "survey.answered",
    "event_id": "e1",
    "customer": {"document": "CC-1020304050"},
    "user": {"country_code": "+57", "cellphone": "3005550134"},
    "conversation_id": 48213,
    "user_session_keys": [
        {"key": "mail", "value": "ana@example.com", "type": None},
        {"key": "order", "value": "1042"},
        {"key": 77, "value": "seven"},
        {"name": "mail", "text": "ana@example.com"},
        "ana@example.com",
    ],
}
BY_DOCUMENT = {"survey": {"when": {"event_type": "survey.answered"}, "key": "customer.document"}}


def surveyed(fields: dict[str, str], body: Any = None, events: Any = None) -> Prepared:
    rules = {**HASHED, "topics": {"*": {"fields": fields}}}
    return prepared(SURVEY if body is None else body, events or BY_DOCUMENT, privacy=rules)


@pytest.mark.parametrize(
    "path", ["data.customer.document", "data.customer", "data", "data.*.document", "data.customer.document.digits"]
)
@pytest.mark.parametrize("action", ["hash", "mask", "drop"])
def test_a_key_by_a_path_that_a_rule_hides_is_its_hash(path: str, action: str) -> None:
    found = surveyed({path: action}).record
    other = surveyed({path: action}, {**SURVEY, "customer": {"document": "CC-2"}}).record
    assert found is not None
    assert other is not None
    assert found.key.startswith(b"hmac-sha256:")
    assert found.key != other.key
    assert surveyed({path: "mask"}).record == surveyed({path: "mask"}).record


def test_a_key_by_a_path_that_no_rule_hides_stays() -> None:
    for path in ("data.customer.name", "data.agent", "session_keys.*", "flow_id"):
        found = surveyed({path: "hash"}).record
        assert found is not None
        assert found.key == b"CC-1020304050"


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("conversation_id", "flow_id"),
        ("user.country_code", "contact.country_code"),
        ("user_session_keys.mail", "session_keys.mail"),
        ("user_session_keys.mail", "session_keys"),
    ],
)
def test_a_key_by_the_path_of_a_hidden_field_of_the_event_is_its_hash(path: str, rule: str) -> None:
    body = {**SURVEY, "user_session_keys": {"mail": "ana@example.com"}}
    events = {"survey": {"when": {"event_type": "survey.answered"}, "key": path}}
    found = surveyed({rule: "hash"}, body, events).record
    assert found is not None
    assert found.key.startswith(b"hmac-sha256:")


@pytest.mark.parametrize("action", ["hash", "mask", "drop"])
@pytest.mark.parametrize("rule", ["session_keys.mail", "session_keys.*", "session_keys", "session_keys.mail.part"])
@pytest.mark.parametrize("form", ["list", "object", "text"])
def test_a_hidden_session_key_is_hidden_in_the_body_that_is_carried(rule: str, action: str, form: str) -> None:
    forms = {"list": SURVEY["user_session_keys"], "object": {"mail": "ana@example.com"}, "text": "mail=ana@example.com"}
    found = surveyed({rule: action}, {**SURVEY, "user_session_keys": forms[form]})
    if not rule.endswith("part"):  # of text, the event's own session keys have no part
        assert "ana@example.com" not in repr(found.record and tuple(found.record))
    assert "ana@example.com" not in repr(value_of(found)["data"])


@pytest.mark.parametrize("held", [{}, {"value": None}, {"value": "***"}, {"value": ""}])
@pytest.mark.parametrize("action", ["hash", "mask", "drop"])
def test_of_a_hidden_session_key_nothing_but_name_and_type_stays(held: dict[str, Any], action: str) -> None:
    pair = {"key": "mail", "type": None, "text": "ana@example.com", **held}
    found = value_of(surveyed({"session_keys.mail": action}, {**SURVEY, "user_session_keys": [pair]}))
    assert "ana@example.com" not in repr(found["data"])


def test_other_session_keys_stay_in_the_body_that_is_carried() -> None:
    found = value_of(surveyed({"session_keys.mail": "hash", "session_keys.77": "mask"}))
    mail, order, seven = found["data"]["user_session_keys"]
    assert mail == {"key": "mail", "value": found["session_keys"]["mail"], "type": None}
    assert order == {"key": "order", "value": "1042"}
    assert seven == {"key": 77, "value": "***"}
    (kept,) = value_of(surveyed({"session_keys.mail": "drop", "session_keys.77": "drop"}))["data"]["user_session_keys"]
    assert kept == order


@pytest.mark.parametrize("rule", ["contact", "contact.country_code", "flow_id"])
def test_a_hidden_field_of_the_event_is_hidden_in_the_body_that_is_carried(rule: str) -> None:
    sent = {**SURVEY, "country_code": "+57"}
    found = value_of(surveyed({rule: "drop"}, sent))
    assert ("48213" not in repr(found)) == (rule == "flow_id")
    assert ("country_code" not in repr(found)) == (rule != "flow_id")
    assert ("3005550134" not in repr(found)) == (rule == "contact")


def test_a_key_that_a_rule_hides_needs_something_to_hash_it_with() -> None:
    text = (
        f"{KAFKA}{SOURCES}events: {{mine: {{when: {{a: b}}, key: customer.document}}}}\n"
        'privacy: {topics: {"*": {fields: {data.customer: drop}}}}\n'
    )
    assert "events.mine.key: needs privacy.hash_key: a rule of treble.mine hides it" in error(text)
    for other in (text.replace("data.customer", "data.agent"), text.replace("key: customer.document", "key: session")):
        assert "mine" in loaded(other).settings.events


def test_the_same_bytes_give_the_same_result() -> None:
    preparer = Preparer(settings(events=EVENTS), "j1")
    first, second = preparer.examine(entry(ASSIGNED)), preparer.examine(entry(ASSIGNED))
    assert first == second
    assert isinstance(first[1], Event | Rejected)


MAPPED = "events: {agent.assigned: {when: {event_type: agent.assigned}, topic: crm.agents}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("events: {message.read: {when: {a: b}}}", "events.message.read: this version knows this event type itself"),
        ("events: {Mine: {when: {a: b}}}", "expected a name such as agent.assigned"),
        ("events: {unclassified: {when: {a: b}}}", "expected a name such as agent.assigned"),
        ("events: {mine: {when: {}}}", "events.mine.when"),
        ("events: {mine: {when: {a..b: c}}}", "expected a dotted path"),
        ("events: {mine: {when: {a: b}, topic: treble.quarantine}}", "expected another topic"),
        (
            "events: {mine: {when: {a: b}, topic: treble.bridge.positions}}",
            "events.mine.topic: treble.bridge.positions",
        ),
        (f"{MAPPED}topics: {{map: {{agent.assigned: other}}}}", "topics.map.agent.assigned says another"),
        (f"{MAPPED}topics: {{map: {{agent.assigned: {{drop: true}}}}}}", "says drop"),
        ("topics: {map: {agent.assigned: other}}", "unknown event type"),
        (
            "events: {message.raed: {when: {a: b}}}\nsources: {t: {auth: none, responses: {message.raed: {}}}}",
            "unknown",
        ),
    ],
)
def test_what_can_not_be_is_an_error_that_names_its_key(text: str, message: str) -> None:
    sources = "" if "sources:" in text else SOURCES
    assert message in error(f"{KAFKA}{sources}{text}\n")


def test_a_mapped_type_may_be_routed_like_any_other() -> None:
    text = f"{KAFKA}{SOURCES}{MAPPED}topics: {{map: {{agent.assigned: {{partitions: 3}}}}}}\n"
    assert loaded(text).settings.routing.topic_of("agent.assigned") == "crm.agents"
