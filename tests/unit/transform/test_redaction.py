"""What may not be stored is not in the record: not in the envelope, not in `raw`, not in the key, not in a header."""

import hashlib
import hmac
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from multidict import CIMultiDict

from bridge.catalogue import TABLE
from bridge.catalogue.samples import hint_for, sample
from bridge.diagnose.explain import Request, explain
from bridge.model import Event, Prepared
from bridge.schemas.event import event_schema
from bridge.transform.prepare import Preparer
from tests.unit.settings.given import KAFKA, SOURCES, error, warnings
from tests.unit.webhooks import FLOW, entry, settings

KEY = "a-key-of-some-length"
PHONE = "3005550134"
READ = {**FLOW, "read_at": "2026-06-22 15:19:08", "user_session_keys": [{"key": "mail", "value": "ana@example.com"}]}
CLOSED = sample("conversation.closed")


def preparer(rules: dict[str, Any], topic: str = "*", **sections: Any) -> Preparer:
    return Preparer(settings(privacy={"hash_key": KEY, "topics": {topic: rules}}, **sections), "j1")


def hashed(text: str) -> str:
    return "hmac-sha256:" + hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def value_of(prepared: Prepared) -> Any:
    assert prepared.record is not None
    return orjson.loads(prepared.record.value)


def whole(prepared: Prepared) -> str:
    assert prepared.record is not None
    return repr(tuple(prepared.record))


def test_without_raw_the_rest_of_the_event_is_as_it_was() -> None:
    plain = value_of(Preparer(settings(), "j1").prepare(entry(READ)))
    del plain["raw"]
    assert value_of(preparer({"raw": "drop"}).prepare(entry(READ))) == plain


@pytest.mark.parametrize("form", ["cloudevents-binary", "cloudevents-structured", "plain"])
@pytest.mark.parametrize("phone", ["hash", "mask", "drop"])
@pytest.mark.parametrize("name", TABLE)
def test_a_hidden_phone_is_nowhere_in_the_record(name: str, phone: str, form: str) -> None:
    hiding = preparer({"phone": phone}, kafka={"format": form}, topics={"map": {name: {"key": "phone"}}})
    found = hiding.prepare(entry(sample(name), hint_for(name)))
    assert found.outcome == "forwarded"
    assert PHONE not in whole(found)
    assert PHONE in whole(Preparer(settings(), "j1").prepare(entry(sample(name), hint_for(name)))) or "user" not in str(
        sample(name)
    )


def test_a_hashed_phone_can_be_joined_and_keeps_its_partition_key() -> None:
    routed = {"map": {"message.read": {"key": "phone"}}}
    found = preparer({"phone": "hash"}, topics=routed).prepare(entry(READ))
    assert value_of(found)["contact"] == {
        "phone": hashed("+573005550134"),
        "country_code": "57",
        "national_number": hashed(PHONE),
    }
    assert found.record is not None
    assert found.record.key.decode() == hashed("+573005550134")
    for other in ("mask", "drop"):
        same = preparer({"phone": other}, topics=routed).prepare(entry(READ)).record
        assert same is not None
        assert same.key == found.record.key, "one person, one partition, whatever the value says"


def test_a_masked_phone_shows_as_much_as_a_log_line() -> None:
    found = value_of(preparer({"phone": "mask"}).prepare(entry(READ)))
    assert found["contact"]["phone"] == "+57******34"


def test_fields_are_dropped_hashed_and_masked_where_they_stand() -> None:
    fields = {
        "session_keys.mail": "hash",
        "session_keys.absent": "drop",
        "data.read_at": "drop",
        "contact.country_code": "mask",
        "flow_id": "drop",
    }
    found = value_of(preparer({"fields": fields}).prepare(entry(READ)))
    assert found["session_keys"] == {"mail": hashed("ana@example.com")}
    assert found["data"] == {}
    assert found["contact"]["country_code"] == "***"
    assert "flow_id" not in found
    assert "raw" not in found, "raw would give away what the rules hide"


def test_a_path_goes_through_lists_and_a_star_is_every_member() -> None:
    found = value_of(
        preparer({"fields": {"data.messages.text": "drop", "session_keys.*": "mask"}}).prepare(entry(CLOSED))
    )
    assert found["data"]["messages"]
    assert all("text" not in message for message in found["data"]["messages"])
    assert set((found.get("session_keys") or {"": "***"}).values()) == {"***"}
    masked = value_of(preparer({"fields": {"data.messages": "mask"}}).prepare(entry(CLOSED)))
    assert {text for message in masked["data"]["messages"] for text in message.values() if isinstance(text, str)} == {
        "***"
    }


def test_a_hashed_session_is_hashed_as_key_and_subject_too() -> None:
    found = preparer({"fields": {"session_id": "hash"}}).prepare(entry(READ)).record
    assert found is not None
    assert found.key.decode() == dict(found.headers)["ce_subject"].decode() == hashed("s1")
    assert orjson.loads(found.value)["session_id"] == hashed("s1")


def test_a_hidden_template_is_hidden_as_the_key_too() -> None:
    changed = sample("hsm.status_changed")
    found = preparer({"fields": {"data.template": "drop"}}).prepare(entry(changed)).record
    assert found is not None
    assert found.key.decode() == hashed(changed["name"])
    without = settings(privacy={"topics": {"*": {"fields": {"data.*": "mask"}}}})
    unkeyed = Preparer(without, "j1").prepare(entry(changed)).record
    assert unkeyed is not None
    assert unkeyed.key.decode() == changed["event_id"], "with nothing to hash it with, it can't be the key"


@pytest.mark.parametrize("phone", ["keep", "hash", "mask", "drop"])
@pytest.mark.parametrize("action", ["hash", "mask"])
@pytest.mark.parametrize("path", ["data", "data.*", "data.messages", "data.messages.*", "data.sent_at"])
def test_what_is_hidden_keeps_to_the_schema(path: str, action: str, phone: str) -> None:
    fields = {path: action, "session_keys.*": action, "contact.country_code": action, "flow_id": action}
    hiding = preparer({"phone": phone, "fields": fields})
    for name, event_type in TABLE.items():
        schema = Draft202012Validator(event_schema(event_type), format_checker=FormatChecker())
        for variant in event_type.samples:
            found = value_of(hiding.prepare(entry(sample(name, variant=variant), hint_for(name))))
            assert [one.message for one in schema.iter_errors(found)] == []


def test_a_time_that_a_rule_would_hash_or_mask_is_left_out() -> None:
    body = {**READ, "sent_at": "2026-06-22 15:19:06", "sent_text": "hi"}
    for path, left in {"data.sent_at": {"read_at", "sent_text"}, "data.*": {"sent_text"}}.items():
        for action in ("hash", "mask"):
            assert set(value_of(preparer({"fields": {path: action}}).prepare(entry(body)))["data"]) == left
    found = value_of(preparer({"fields": {"data.messages": "mask"}}).prepare(entry(CLOSED)))["data"]
    assert "closed_at" in found
    assert all("created_at" not in message for message in found["messages"])


def test_rules_are_for_one_topic_and_a_star_for_the_others() -> None:
    two = settings(
        privacy={
            "hash_key": KEY,
            "topics": {"treble.message.read": {"raw": "keep", "phone": "drop"}, "*": {"raw": "drop"}},
        }
    )
    read = value_of(Preparer(two, "j1").prepare(entry(READ)))
    assert "raw" in read
    assert read["contact"] == {"country_code": "57"}
    delivered = value_of(Preparer(two, "j1").prepare(entry(sample("message.delivered"))))
    assert "raw" not in delivered
    assert delivered["contact"]["national_number"] == PHONE


def test_hiding_changes_neither_the_id_nor_what_the_window_remembers() -> None:
    plain, hidden = Preparer(settings(), "j1").prepare(entry(READ)), preparer({"phone": "drop"}).prepare(entry(READ))
    assert hidden.dedupe_key == plain.dedupe_key
    assert value_of(hidden)["id"] == value_of(plain)["id"]


FAILED = {**sample("deployment.failed"), "event_id": None}
RESPONDED = {**sample("message.responded"), "actual_response": "803144"}
CLOSED_WITHOUT_ID = {**CLOSED, "event_id": None}
NO_TIME = sample("message.responded", variant="observed")
HIDING_IDS: list[tuple[Any, str, dict[str, Any]]] = [
    (FAILED, "", {"phone": "hash"}),
    (FAILED, "", {"phone": "mask"}),
    (FAILED, "", {"fields": {"contact": "drop"}}),
    (FAILED, "", {"fields": {"contact.country_code": "mask"}}),
    (FAILED, "", {"fields": {"data.failure_reason": "drop"}}),
    (CLOSED_WITHOUT_ID, "", {"phone": "drop"}),
    (CLOSED_WITHOUT_ID, "", {"fields": {"data.closed_at": "drop"}}),
    (RESPONDED, "", {"fields": {"data.actual_response": "mask"}}),
    (RESPONDED, "", {"fields": {"data.*": "hash"}}),
    (RESPONDED, "", {"fields": {"data.question": "drop"}}),
    (RESPONDED, "", {"fields": {"session_id": "hash"}}),
    (RESPONDED, "", {"fields": {"flow_id": "drop"}}),
    (NO_TIME, "response", {"fields": {"session_keys.answer": "mask"}}),
    (NO_TIME, "response", {"phone": "mask"}),
    (NO_TIME, "response", {"raw": "drop"}),
]


@pytest.mark.parametrize(("body", "hint", "rules"), HIDING_IDS)
def test_an_id_made_of_what_is_hidden_is_a_keyed_hash(body: Any, hint: str, rules: dict[str, Any]) -> None:
    plain = Preparer(settings(), "j1").prepare(entry(body, hint))
    routed = {"map": {plain.event_type: {"key": "event_id"}}}
    found = preparer(rules, topics=routed).prepare(entry(body, hint))
    inner = value_of(plain)["id"]
    assert found.record is not None
    assert value_of(found)["id"] == found.record.key.decode() == dict(found.record.headers)["ce_id"].decode()
    assert value_of(found)["id"] == hashed(inner)
    assert inner not in whole(found)
    assert found.dedupe_key == plain.dedupe_key, "the window of duplicates knows it as before"


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        (RESPONDED, {"phone": "hash"}),
        (RESPONDED, {"fields": {"session_keys.*": "drop", "data.sent_text": "mask", "data.question.type": "drop"}}),
        (RESPONDED, {"raw": "drop"}),
        (RESPONDED, {"raw": "keep", "fields": {"data.actual_response": "mask"}}),
        (sample("deployment.failed"), {"phone": "hash", "fields": {"data.*": "mask"}}),
        (CLOSED, {"phone": "drop"}),
    ],
)
def test_an_id_made_of_nothing_that_is_hidden_stays(body: Any, rules: dict[str, Any]) -> None:
    plain = value_of(Preparer(settings(), "j1").prepare(entry(body)))["id"]
    assert value_of(preparer(rules).prepare(entry(body)))["id"] == plain


def test_the_id_of_an_own_event_type_stays_since_its_data_is_what_it_is_made_of() -> None:
    events = {"mine": {"when": {"agent": "*"}}}
    body = {**FLOW, "agent": {"id": 7}}
    plain = value_of(Preparer(settings(events=events), "j1").prepare(entry(body)))["id"]
    assert value_of(preparer({"raw": "drop"}, events=events).prepare(entry(body)))["id"] == plain


def test_without_a_key_the_id_stays_and_a_warning_says_what_can_be_found_by_trying() -> None:
    masked = settings(privacy={"topics": {"*": {"fields": {"data.actual_response": "mask"}}}})
    plain = value_of(Preparer(settings(), "j1").prepare(entry(RESPONDED)))["id"]
    assert value_of(Preparer(masked, "j1").prepare(entry(RESPONDED)))["id"] == plain
    section = 'topics: {"*": {fields: {data.actual_response: mask}}}'
    (found,) = warnings(f"{KAFKA}{SOURCES}privacy: {{{section}}}\n")
    assert "can be found by trying" in found
    assert warnings(f"{KAFKA}{SOURCES}privacy: {{hash_key: 0123456789abcdef, {section}}}\n") == []


def test_an_event_has_one_id_wherever_it_is_named() -> None:
    hiding = preparer({"phone": "hash"})
    given = entry(FAILED)
    prepared = hiding.prepare(given)
    name = value_of(prepared)["id"]
    rejected = hiding.rejected(given, prepared, "too large")
    assert value_of(rejected)["id"] == name
    assert rejected.record is not None
    assert rejected.record.key.decode() == name
    _, event = hiding.examine(given)
    assert isinstance(event, Event)
    assert hiding.published(event).id == name
    found = explain(
        settings(privacy={"hash_key": KEY, "topics": {"*": {"phone": "hash"}}}),
        Request("/webhooks/treble", given.body, CIMultiDict()),
        given.received_at_ms,
    )
    assert found.event_id == name


def test_the_id_of_a_hidden_body_is_a_keyed_hash_in_the_quarantine() -> None:
    broken = entry({"read_at": "soon", "cellphone": PHONE})
    plain = value_of(Preparer(settings(), "j1").prepare(broken))["id"]
    hidden = preparer({"raw": "drop"}).prepare(broken)
    assert value_of(hidden)["id"] == hashed(plain)
    assert plain not in whole(hidden)
    assert value_of(preparer({"phone": "drop"}, "treble.message.read").prepare(broken))["id"] == plain


def test_the_quarantine_keeps_bodies_unless_it_is_told_not_to() -> None:
    broken = entry({"read_at": "soon", "cellphone": PHONE})
    assert PHONE in whole(preparer({"phone": "drop"}, "treble.message.read").prepare(broken))
    hidden = preparer({"phone": "drop"}).prepare(broken)
    assert PHONE not in whole(hidden)
    assert not hidden.truncated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('topics: {"*": {phone: hash}}', "needs privacy.hash_key"),
        ('topics: {"*": {phone: drop}}', "needs privacy.hash_key"),
        ('topics: {"*": {fields: {data.text: hash}}}', "needs privacy.hash_key"),
        ('{topics: {"*": {fields: {contact.phone: drop}}}}', "expected `contact: …` beside fields"),
        ('{topics: {"*": {fields: {id: drop}}}}', "expected a field of the event"),
        ('{hash_key: 0123456789abcdef, topics: {"*": {fields: {session_id: drop}}}}', "expected hash"),
        ('{hash_key: 0123456789abcdef, topics: {"*": {fields: {contact: mask}}}}', "expected drop"),
        ("topics: {treble.message.raed: {raw: drop}}", "no event goes to this topic"),
        ("topics: {treble.quarantine: {fields: {data.text: mask}}}", "expected raw alone"),
        ('topics: {"a b": {raw: drop}}', "expected a legal topic name"),
    ],
)
def test_rules_that_would_not_hide_are_errors(text: str, message: str) -> None:
    section = text if text.startswith("{") else f"{{{text}}}"
    assert message in error(f"{KAFKA}{SOURCES}privacy: {section}\n")


def test_a_key_that_can_be_guessed_is_refused_and_never_shown() -> None:
    found = error(f"{KAFKA}{SOURCES}privacy: {{hash_key: hunter2}}\n")
    assert "privacy.hash_key" in found
    assert "hunter2" not in found


def test_a_quarantine_that_still_gets_whole_bodies_is_worth_a_warning() -> None:
    (found,) = warnings(f"{KAFKA}{SOURCES}privacy: {{topics: {{treble.message.read: {{raw: drop}}}}}}\n")
    assert "treble.quarantine still gets whole bodies" in found
    assert warnings(f'{KAFKA}{SOURCES}privacy: {{topics: {{"*": {{raw: drop}}}}}}\n') == []


def test_a_hash_of_a_number_is_of_all_its_digits() -> None:
    def hashed(latitude: str) -> Any:
        pairs = [{"key": "place", "type": "location", "value": f'{{"latitude": {latitude}}}'}]
        found = preparer({"fields": {"session_keys.*": "hash"}}).prepare(entry({**READ, "user_session_keys": pairs}))
        return value_of(found)["session_keys"]["place"]["latitude"]

    assert len({hashed("4.1234567890123456789"), hashed("4.1234567890123456788"), hashed("4.123456789012346")}) == 3


PERSON = {"business_scope_id": "CO.134", "username": "ana.c"}


@pytest.mark.parametrize("action", ["hash", "mask", "drop"])
@pytest.mark.parametrize(
    "body",
    [
        {"session_id": "s1", "read_at": "2026-06-22 15:19:08", **PERSON},
        {"session_id": "s1", "read_at": "2026-06-22 15:19:08", "cellphone": "CO.ENT.134", "username": "ana.c"},
        {"event_type": "deployment.failure", "event_id": "e1", "user": PERSON},
        {"event_type": "deployment.failure", "failed_at": "2026-06-22T15:19:08Z", "user": PERSON},
    ],
)
def test_a_hidden_person_is_nowhere_in_the_record_with_or_without_a_phone(body: dict[str, Any], action: str) -> None:
    record = preparer({"contact": action}).prepare(entry(body)).record
    assert record is not None
    assert not [part for part in ("134", "ana") if part.encode() in record.value.partition(b'"session_id"')[0]]
    said = b" ".join([record.key, record.value.replace(b"hmac-sha256:", b""), *(value for _, value in record.headers)])
    assert b"CO." not in said
    assert b"ana.c" not in said


def test_a_hashed_person_without_a_phone_keeps_one_partition_key() -> None:
    failure = {"event_type": "deployment.failure", "event_id": "e1", "user": PERSON}
    keys = {preparer({"contact": "hash"}).prepare(entry({**failure, "event_id": id_})).record.key for id_ in "ab"}  # type: ignore[union-attr]
    assert keys == {hashed("CO.134").encode()}


def test_phone_is_the_older_name_of_contact_and_check_says_so() -> None:
    older, newer = (preparer({name: "mask"}).prepare(entry(READ)).record for name in ("phone", "contact"))
    assert older == newer
    text = 'privacy: {hash_key: "a-key-of-some-length", topics: {"*": {phone: mask}}}\n'
    assert any("contact: mask is its name now" in warning for warning in warnings(KAFKA + SOURCES + text))
    assert "expected contact alone" in error(
        KAFKA + SOURCES + text.replace("phone: mask", "phone: mask, contact: hash")
    )
