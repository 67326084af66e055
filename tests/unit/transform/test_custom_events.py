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
    assert headers["ce_time"] == b"2026-06-22T15:19:08.000000Z"
    value = value_of(found)
    assert value["data"] == value["raw"] == ASSIGNED
    assert (value["type"], value["session_id"], value["contact"]["phone"]) == ("agent.assigned", "s1", "+573005550134")
    assert "notes" not in value, "which of its fields are known is nobody's claim"


def test_the_id_is_the_one_that_it_had_as_unknown() -> None:
    body = {name: part for name, part in ASSIGNED.items() if name != "event_id"}
    assert value_of(prepared(body))["id"] == value_of(prepared(body, {}))["id"]
    assert prepared(body).dedupe_key != prepared(body, {}).dedupe_key


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


def test_a_key_of_one_name_is_a_path_too_also_where_a_type_of_the_catalogue_has_a_key_of_that_name() -> None:
    found = prepared({**ASSIGNED, "template": "welcome"}, {"mine": {"when": {"agent": "*"}, "key": "template"}}).record
    assert found is not None
    assert found.key == b"welcome"


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


def test_its_raw_body_may_be_left_out_and_its_data_is_the_body_all_the_same() -> None:
    value = value_of(prepared(ASSIGNED, privacy={"topics": {"crm.agents": {"raw": "drop"}}}))
    assert "raw" not in value
    assert value["data"] == ASSIGNED


RULED = "privacy: {hash_key: a-key-of-some-length, topics: {TOPIC: {RULE}}}\n"


@pytest.mark.parametrize("topic", ["crm.agents", '"*"'])
@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("phone: mask", "phone"),
        ("fields: {data.agent: drop}", "fields"),
        ("phone: hash, raw: keep, fields: {session_keys.mail: hash}", "fields"),
    ],
)
def test_a_rule_that_would_hide_only_a_part_of_its_body_is_refused(topic: str, rule: str, key: str) -> None:
    text = f"{KAFKA}{SOURCES}{MAPPED}{RULED.replace('TOPIC', topic).replace('RULE', rule)}"
    found = error(text)
    assert found.startswith(f"{len(text.splitlines())}: privacy.topics.{topic.strip(chr(34))}.{key}: agent.assigned,")
    assert "nothing in it can be hidden; give it a topic of its own (events.agent.assigned.topic)" in found
    assert "raw: drop or raw: keep alone" in found


@pytest.mark.parametrize("raw", ["keep", "drop"])
def test_a_topic_of_its_own_that_says_raw_alone_is_no_part_of_a_rule_for_all_others(raw: str) -> None:
    rules = RULED.replace("TOPIC: {RULE}", f'crm.agents: {{raw: {raw}}}, "*": {{phone: mask}}')
    assert "agent.assigned" in loaded(f"{KAFKA}{SOURCES}{MAPPED}{rules}").settings.events


def test_a_rule_on_a_topic_that_it_is_not_sent_to_is_no_matter() -> None:
    rules = RULED.replace("TOPIC: {RULE}", '"*": {phone: mask}')
    dropped = "events: {mine: {when: {a: b}}}\ntopics: {map: {mine: {drop: true}}}\n"
    assert "mine" in loaded(f"{KAFKA}{SOURCES}{dropped}{rules}").settings.events


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


def test_all_digits_of_a_body_are_in_its_data_and_in_its_key() -> None:
    number = b"23793381286000782713695000063305975520000370"
    body = orjson.dumps(ASSIGNED).replace(b'"id":7', b'"id":%b,"rate":0.1234567890123456789' % number)
    found = prepared(body)
    assert found.record is not None
    assert found.record.key == number
    data, _, raw = found.record.value.partition(b'"raw":')
    for part in (data, raw):
        assert b'"agent":{"id":%b,"rate":0.1234567890123456789,"vip":true}' % number in part
