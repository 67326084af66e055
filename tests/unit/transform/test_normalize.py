"""An entry becomes an event, or all that is wrong with it is said. Quirks seen on real calls are each a test."""

import hashlib
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from bridge.catalogue import TABLE
from bridge.catalogue.definition import Scene, data_schema
from bridge.catalogue.numbers import as_sent
from bridge.catalogue.reading import meaning
from bridge.catalogue.samples import hint_for, sample
from bridge.model import Contact, Event, Problem
from bridge.transform.cloudevents import envelope
from tests.unit.webhooks import FLOW, event, rejected

AT = "2026-06-22 15:19:08"
READ = {**FLOW, "read_at": AT}
SHAPES = [(name, variant) for name, event_type in TABLE.items() for variant in event_type.samples]
RECEIVED = "2026-06-22T15:19:09.104000Z"


@pytest.mark.parametrize(("name", "variant"), SHAPES)
@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_every_sample_becomes_an_event_of_its_type_with_strict_data(name: str, variant: str, seed: int | None) -> None:
    found = event(sample(name, seed, variant=variant), hint_for(name))
    assert found.type == name
    assert found.contact is not None or name == "hsm.status_changed"
    Draft202012Validator(data_schema(TABLE[name])).validate(orjson.loads(orjson.dumps(found.data)))


@pytest.mark.parametrize(("name", "variant"), SHAPES)
def test_a_documented_body_needs_no_leniency(name: str, variant: str) -> None:
    notes = event(sample(name, variant=variant), hint_for(name)).notes
    assert (notes == ()) == (variant not in {"observed", "invented"} or name.startswith(("conv", "depl")))


@pytest.mark.parametrize("name", TABLE)
def test_every_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(data_schema(TABLE[name]))


# what comes out, type by type


PERSON = {"contact": "+573005550134", "phone": "+573005550134"}


def test_a_read_message_has_all_its_fields() -> None:
    scene = Scene()
    found = event(sample("message.read"), "read")
    assert found.occurred_at == "2026-06-22T15:19:08.000000Z"
    assert found.contact == Contact("+573005550134", "57", "3005550134")
    assert (found.session_id, found.flow_id, found.session_keys) == (scene.session_id, "48213", {})
    assert found.data == {
        "question": {"type": "open", "text": scene.question},
        "sent_at": "2026-06-22T15:19:06.473256Z",
        "sent_text": scene.question,
        "read_at": "2026-06-22T15:19:08.000000Z",
    }
    assert found.key_fields == {"event_id": found.id, "session": scene.session_id, **PERSON}


def test_an_answer_has_what_was_written_and_what_it_was_taken_for() -> None:
    found = event(sample("message.responded"))
    assert found.data["question"]["answers"] == ["Yes, all day", "Another day"]
    assert found.data["actual_response"] == "yes, we are here"
    assert found.data["classified_answer"] == "Yes, all day"
    assert found.session_keys is not None
    assert found.session_keys["place"] == {"latitude": 4.6512, "longitude": -74.0557, "address": "Calle 72 #10-34"}


def test_an_opt_out_has_its_reason_and_happened_when_it_arrived() -> None:
    found = event(sample("contact.opted_out", reason="OPTOUT"))
    assert (found.data["reason"], found.data["classified_answer"]) == ("OPTOUT", "No more messages")
    assert (found.occurred_at, found.notes) == (RECEIVED, ())


def test_a_condition_has_its_operator_and_operands() -> None:
    found = event(sample("condition.evaluated"))
    assert found.data == {
        "variable": {"name": "orders", "value": "3"},
        "condition": {"operator": "GTEQ", "value": "2"},
    }
    assert (found.occurred_at, found.notes) == (RECEIVED, ())


def test_a_closed_conversation_has_its_messages_on_one_level() -> None:
    found = event(sample("conversation.closed"))
    assert found.occurred_at == "2026-06-22T15:21:08.000000Z"
    assert found.data["template"] == "order_on_its_way"
    assert found.data["messages"][1:] == [
        {"sender": "user", "kind": "text", "text": "yes, we are here", "created_at": "2026-06-22T15:19:08.000000Z"},
        {
            "sender": "user",
            "kind": "image",
            "media": {"url": "https://media.example/8c1f.jpg", "caption": "the blue door"},
            "created_at": "2026-06-22T15:19:38.000000Z",
        },
    ]


def closed_with(*messages: Any) -> Event:
    return event({"event_type": "session.close", "event_id": "e1", "timestamp": RECEIVED, "messages": list(messages)})


def test_a_message_whose_payload_is_bare_text_keeps_it() -> None:
    found = closed_with(
        {"sender": "user", "type": "text", "text": "hola"},
        {"sender": "company", "type": "hsm", "hsm": "Ready?"},
        {"sender": "user", "type": "image", "image": "https://media.example/8c1f.jpg"},
    )
    assert found.data["messages"] == [
        {"sender": "user", "kind": "text", "text": "hola"},
        {"sender": "company", "kind": "hsm", "text": "Ready?"},
        {"sender": "user", "kind": "image", "media": {"url": "https://media.example/8c1f.jpg"}},
    ]
    assert found.notes == ("messages[].text_was_string", "messages[].hsm_was_string", "messages[].image_was_string")


@pytest.mark.parametrize("payload", [["hola"], 5, True, 0.5])
def test_a_message_whose_payload_cannot_be_read_is_noted(payload: Any) -> None:
    assert closed_with({"sender": "user", "type": "text", "text": payload}).notes == ("unreadable:messages[].text",)


def test_bare_text_of_a_kind_that_nobody_knows_is_noted_not_guessed() -> None:
    found = closed_with({"type": "stic ker", "stic ker": "https://media.example/1.webp"})
    assert found.data["messages"] == [{"kind": "stic ker"}]
    assert found.notes == ("unreadable:messages[].stic_ker",)
    assert closed_with({"type": "text", "text": None}, {"type": "sender"}, {"type": "image"}).notes == ()


def test_what_a_location_holds_beside_scalars_is_noted() -> None:
    place = '{"coordinates":{"latitude":1},"bounds":[1,2],"name":null,"latitude":1.5,"open":false}'
    found = event({**READ, "user_session_keys": [{"key": "place", "value": place, "type": "location"}]})
    assert found.session_keys == {"place": {"latitude": 1.5, "open": False}}
    assert found.notes == (
        "unreadable:user_session_keys[].value.coordinates",
        "unreadable:user_session_keys[].value.bounds",
    )


def test_a_template_change_has_the_flows_that_it_affects_as_texts() -> None:
    found = event(sample("hsm.status_changed"))
    assert found.data["affected_flow_ids"] == ["48213", "48220"]
    assert (found.session_id, found.contact) == (None, None)
    assert found.key_fields["template"] == found.data["template"] == "order_on_its_way"


def test_a_failed_deployment_has_its_reason_and_the_phone_as_key() -> None:
    found = event(sample("deployment.failed"))
    assert found.data["failure_reason"] == "FAILURE_BY_HUMAN_HANDOVER"
    assert found.key_fields["phone"] == "+573005550134"


def test_an_unknown_event_keeps_what_everyone_has() -> None:
    found = event(sample("unknown"))
    assert found.data["event_type"] == "agent.assigned"
    assert found.session_id == Scene().session_id
    assert found.contact == Contact("+573005550134", "57", "3005550134")
    assert found.occurred_at == "2026-06-22T15:19:08.000000Z"


def test_an_unknown_event_of_the_flow_family_keeps_its_session_too() -> None:
    found = event({**READ, "event_type": "message.reaction"})
    assert (found.type, found.session_id, found.flow_id) == ("unknown", "s1", "7")
    assert found.contact == Contact("+573005550134", "57", "3005550134")


# quirks of real calls


def test_a_response_with_hardly_a_field_is_a_response_by_its_hint() -> None:
    found = event(sample("message.responded", variant="observed"), "response")
    assert found.type == "message.responded"
    assert found.occurred_at == RECEIVED
    assert found.notes == ("occurred_at_is_received_at",)
    assert found.data == {"business_scope_id": "CO.1349120865531"}
    assert found.contact == Contact("+573005550134", "57", "3005550134", bsuid="CO.1349120865531")
    assert found.session_keys == {"answer": "yes, we are here"}


def test_a_timeout_that_arrives_on_the_response_url_is_a_timeout() -> None:
    assert event(sample("message.timed_out"), "response").type == "message.timed_out"


def test_a_body_with_only_a_business_scope_id_has_no_contact() -> None:
    found = event({"session_id": "s1", "business_scope_id": "b1", "read_at": AT})
    assert (found.contact, "phone" in found.key_fields) == (None, False)


def test_a_flow_id_is_a_text_whether_it_came_as_number_or_text() -> None:
    assert event({**READ, "conversation_id": 7}).flow_id == event({**READ, "conversation_id": "7"}).flow_id == "7"
    assert event({**READ, "conversation_id": 7}).notes == event({**READ, "conversation_id": "7"}).notes == ()
    assert event({**READ, "conversation_id": None}).flow_id is event({**READ, "conversation_id": ""}).flow_id is None


def test_a_session_id_that_came_as_a_number_is_a_text_and_noted() -> None:
    found = event({**READ, "session_id": 1234})
    assert (found.session_id, found.notes) == ("1234", ("session_id_was_number",))


def test_an_empty_external_id_leaves_the_session_out() -> None:
    found = event(sample("conversation.closed", fields={"session.external_id": ""}))
    assert found.session_id is None
    assert "session" not in found.key_fields
    assert found.key_fields["phone"] == "+573005550134"


def test_micros_or_none_come_out_as_they_were_sent() -> None:
    assert event({**FLOW, "timeout_at": "2021-10-07 08:53:22.572123"}).occurred_at == "2021-10-07T08:53:22.572123Z"
    assert event({**FLOW, "timeout_at": "2021-10-07 08:53:22"}).occurred_at == "2021-10-07T08:53:22.000000Z"


@pytest.mark.parametrize("code", ["+57", "57", 57])
def test_a_country_code_with_or_without_plus_makes_the_same_phone(code: Any) -> None:
    found = event({**READ, "country_code": code})
    assert found.contact is not None
    assert found.contact.phone == "+573005550134"


@pytest.mark.parametrize("keys", [None, [], [{"key": None, "value": None, "type": None}]])
def test_null_session_keys_are_no_keys(keys: Any) -> None:
    assert not event({**READ, "user_session_keys": keys}).session_keys


def test_a_byte_order_mark_is_left_out_of_raw() -> None:
    found = event(b"\xef\xbb\xbf" + orjson.dumps(READ))
    assert (found.raw, found.notes) == (orjson.dumps(READ), ("byte_order_mark",))


def test_half_an_emoji_makes_an_event_that_consumers_can_read() -> None:
    found = event(orjson.dumps({**READ, "sent_text": "EMOJI"}).replace(b"EMOJI", b"hi \\ud83d"))
    assert found.data["sent_text"] == "hi \ufffd"
    assert orjson.loads(found.raw)["sent_text"] == "hi \ufffd"
    assert found.notes == ("lone_surrogate",)


def test_raw_is_the_text_as_it_was_sent() -> None:
    body = b' {"session_id":"s1",  "read_at": "2026-06-22 15:19:08", "x": 1.10, "x": 2}\n'
    assert event(body).raw == body


def test_texts_that_came_as_numbers_are_noted_by_field() -> None:
    found = event({**FLOW, "cellphone": 3005550134, "responded_at": AT, "actual_response": 5, "sent_text": True})
    assert (found.data["actual_response"], found.data["sent_text"]) == ("5", "true")
    assert found.notes == ("cellphone_was_number", "sent_text_was_boolean", "actual_response_was_number")


def test_enums_are_open() -> None:
    assert event(sample("hsm.status_changed", status="IN_LIMBO")).data["status"] == "IN_LIMBO"
    assert event(sample("contact.opted_out", reason="SPAM"), "opt-out").data["reason"] == "SPAM"
    closed = sample("conversation.closed", messages=[{"sender": "bot", "type": "poll", "poll": {"message": "?"}}])
    assert event(closed).data["messages"] == [{"sender": "bot", "kind": "poll", "text": "?"}]


def test_what_cannot_be_read_is_left_out_and_noted() -> None:
    found = event({**READ, "question": "?", "sent_at": "soon", "sent_text": ["a"], "user_session_keys": "none"})
    assert set(found.data) == {"read_at"}
    assert found.notes == (
        "unreadable:user_session_keys",
        "unreadable:question",
        "unreadable:sent_at",
        "unreadable:sent_text",
    )


@pytest.mark.parametrize("spelt", ["+573005550177", "57 300 555 0177", "57.300.555.0177", "5\u200b7300\u20115550177"])
def test_a_phone_number_that_is_a_name_in_the_body_is_masked_in_the_notes(spelt: str) -> None:
    keys = [{"key": f"k {spelt}", "value": "1"}, {"key": f"k {spelt}", "value": "2"}]
    body = {**READ, spelt: 1, f"{'x' * 33}{spelt}": 1, "user_session_keys": keys}
    notes = event(body).notes
    assert {note.partition(":")[0] for note in notes} == {"unknown_field", "session_key_repeated"}
    for note in notes:
        assert "555" not in note
        assert "300" not in note
    assert any(note.endswith("57******77") for note in notes)


def test_unknown_fields_are_noted_by_name_at_every_level_in_the_order_of_the_body() -> None:
    body = {**READ, "plan": 1, "question": {"text": "?", "id": 9}, "answer options": []}
    assert event(body).notes == ("unknown_field:question.id", "unknown_field:plan", "unknown_field:answer_options")
    closed = sample("conversation.closed", fields={"user.name": "Ana", "session.agent": "x"})
    assert set(event(closed).notes) == {"unknown_field:user.name", "unknown_field:session.agent"}


def test_notes_are_few_and_short_whatever_a_body_brings() -> None:
    body = {**READ, **{f"{number}-{'x' * 500}\n": 0 for number in range(1000)}}
    notes = event(body).notes
    assert len(notes) == 11
    assert notes[-1] == "more_notes"
    assert all(len(note) <= 60 and note.isprintable() for note in notes)


def test_every_note_has_a_meaning() -> None:
    body = {
        **FLOW,
        "cellphone": 3005550134,
        "sent_text": 5,
        "plan": 1,
        "question": {"answers": ["a"]},
        "user_session_keys": {},
    }
    notes = event(body, "read").notes
    assert len(notes) == 6
    assert all(meaning(note) for note in notes)


# what is required


@pytest.mark.parametrize("session", [None, "", "  ", {}, [], True, 1e300])
@pytest.mark.parametrize("name", [name for name, event_type in TABLE.items() if event_type.family.name == "flow"])
def test_a_flow_webhook_without_a_session_is_rejected(name: str, session: Any) -> None:
    found = rejected(sample(name) | {"session_id": session}, hint_for(name))
    assert found.reason == "invalid"
    assert [problem.pointer for problem in found.problems] == ["/session_id"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (
            "deployment.failure",
            ", or ".join(
                f"user.cellphone (or user.business_scope_id) and {time}" for time in ("failed_at", "timestamp")
            ),
        ),
        ("hsm.status", "name and timestamp"),
    ],
)
def test_a_global_event_that_nothing_tells_from_others_is_rejected_with_the_fields_that_would(
    name: str, fields: str
) -> None:
    bare = {"event_type": name, "name": "a_template"}
    assert Problem("/event_id", f"expected an id, or without one {fields}") in rejected(bare).problems


@pytest.mark.parametrize("template", [None, "", " ", {}])
def test_a_template_change_without_the_templates_name_is_rejected(template: Any) -> None:
    found = rejected(sample("hsm.status_changed", name=template) | {"name": template})
    assert [problem.pointer for problem in found.problems] == ["/name"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = rejected({"read_at": "yesterday", "session_id": ""})
    assert found.problems == (
        Problem("/session_id", "expected the conversation's id, a text that is not empty"),
        Problem("/read_at", "expected a time, such as 2026-06-22 15:19:08"),
    )


@pytest.mark.parametrize(("moment", "note"), [(None, ()), ("", ("empty:read_at",))])
def test_the_own_time_may_be_absent_where_the_hint_decided(moment: Any, note: tuple[str, ...]) -> None:
    found = event({**FLOW, "read_at": moment}, "read")
    assert found.occurred_at == RECEIVED
    assert found.notes == (*note, "occurred_at_is_received_at")


@pytest.mark.parametrize("moment", ["yesterday", 7, 20210622151908, "20210622151908", {"at": AT}, [AT], True])
def test_an_own_time_that_cannot_be_read_is_rejected(moment: Any) -> None:
    assert [p.pointer for p in rejected({**FLOW, "read_at": moment}, "read").problems] == ["/read_at"]


def test_the_first_time_that_is_there_decides_when_a_global_event_happened() -> None:
    body = sample("conversation.closed")
    assert event(body | {"timestamp": "soon"}).occurred_at == "2026-06-22T15:21:08.000000Z"
    assert event(body | {"session": {"external_id": "s1"}}).occurred_at == "2026-06-22T15:21:08.000000Z"
    late = body | {"session": {"external_id": "s1", "closed_at": "soon"}}
    assert [problem.pointer for problem in rejected(late).problems] == ["/session/closed_at"]


def test_an_unknown_event_is_not_rejected_for_a_time_that_means_something_else() -> None:
    found = event({"event_type": "agent.assigned", "timestamp": {"from": AT}})
    assert (found.occurred_at, "unreadable:timestamp" in found.notes) == (RECEIVED, True)


@pytest.mark.parametrize("body", [[READ], [], "text", 7, None, True])
def test_what_is_no_object_is_rejected_whatever_the_hint(body: Any) -> None:
    found = rejected(body, "read")
    assert found.reason == "not_object"
    assert ("array" in found.problems[0].message) == isinstance(body, list)


def test_what_is_neither_told_by_body_nor_url_is_rejected() -> None:
    assert rejected({"session_id": "s1"}).reason == "unclassified"
    assert rejected({}, "misspelt").reason == "unclassified"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 3000])
def test_what_is_no_json_is_rejected(body: bytes) -> None:
    assert rejected(body, "read").reason == "not_json"


@pytest.mark.parametrize(("levels", "reason"), [(900, "invalid"), (1100, "not_json"), (3000, "not_json")])
def test_what_is_json_deeper_than_the_parser_reads_is_no_json(levels: int, reason: str) -> None:
    body = b'{"session_id":"s","read_at":"2026-06-22 15:19:08","z":' + b"[" * levels + b"]" * levels + b"}"
    assert rejected(body, "read").reason == reason


@pytest.mark.parametrize(
    "place",
    ["extra", "question", "sent_text", "user_session_keys", "country_code", "event_type", "event_id", "read_at"],
)
def test_what_is_nested_deeper_than_consumers_read_is_rejected(place: str) -> None:
    deep: Any = "x"
    for _ in range(250):
        deep = {"a": deep}
    assert rejected({**FLOW, place: deep}, "read").problems[0].message == "nested deeper than 200 levels"
    assert event({**READ, "extra": [[]] * 500}).type == "message.read"


@pytest.mark.parametrize(("name", "variant"), SHAPES)
def test_no_field_of_any_type_lets_something_deep_pass(name: str, variant: str) -> None:
    deep: Any = []
    for _ in range(230):
        deep = [deep, {"text": deep}] if len(str(deep)) < 50 else [deep]
    body = sample(name, variant=variant)
    inner = [f"{field}.{member}" for field, held in body.items() if isinstance(held, dict) for member in held]
    for path in (*body, *inner, "event_id", "event_type", "tomorrow"):
        found = rejected(sample(name, variant=variant, fields={path: deep}), hint_for(name) or "read")
        assert (found.reason, found.problems[0].message) == ("invalid", "nested deeper than 200 levels"), path


def test_a_zone_applies_to_times_without_one() -> None:
    found = event({**READ, "sent_at": "2026-06-22T10:00:00Z"}, zone="America/Bogota")
    assert found.occurred_at == "2026-06-22T20:19:08.000000Z"
    assert found.data["sent_at"] == "2026-06-22T10:00:00.000000Z"


# what replies of WhatsApp look like in a closed conversation


@pytest.mark.parametrize(
    ("kind", "payload", "text", "noted"),
    [
        ("interactive", {"type": "button_reply", "button_reply": {"title": "Later"}}, "Later", ()),
        (
            "interactive",
            {"type": "list_reply", "list_reply": {"id": "r7", "title": "Blue", "description": "the door"}},
            "Blue",
            ("interactive.list_reply.id", "interactive.list_reply.description"),
        ),
        (
            "interactive",
            {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{}"}},
            "Sent",
            ("interactive.nfm_reply.name", "interactive.nfm_reply.response_json"),
        ),
        ("button", {"text": "Yes", "payload": "p1"}, "Yes", ("button.payload",)),
        ("reaction", {"emoji": "\U0001f44d", "message_id": "m1"}, "\U0001f44d", ("reaction.message_id",)),
        ("reaction", {"emoji": None, "message_id": "m1"}, None, ("reaction.message_id", "reaction.emoji")),
        ("text", {"body": "hola"}, "hola", ()),
        ("hsm", {"message": "Ready?", "title": "Casa Verde"}, "Ready?", ("hsm.title",)),
        ("list reply", {"title": "Blue"}, "Blue", ()),
        ("location", {"latitude": 4.65}, None, ("location.latitude",)),
        ("document", {"title": "bill", "message": "here"}, "here", ("document.title",)),
    ],
)
def test_a_reply_has_its_text_and_notes_name_what_is_in_the_body(
    kind: str, payload: Any, text: str | None, noted: tuple[str, ...]
) -> None:
    found = closed_with({"sender": "user", "type": kind, kind: payload})
    assert found.data["messages"] == [{"sender": "user", "kind": kind} | ({"text": text} if text else {})]
    assert set(found.notes) == {f"unknown_field:messages[].{path}" for path in noted}


def test_a_number_in_a_payload_is_noted_by_its_path_and_by_a_bounded_word() -> None:
    assert closed_with({"type": "image", "image": {"caption": 5}}).notes == ("messages[].image.caption_was_number",)
    assert closed_with({"type": "poll", "poll": {"text": 5}}).notes == ("unreadable:messages[].poll.text",)
    chosen = {"type": "x", "x": {"title": 5}}
    found = closed_with({"type": "interactive", "interactive": chosen})
    assert found.notes == ("unreadable:messages[].interactive.x.title",)
    answered = event({**FLOW, "responded_at": AT, "classified_answer": {"text": 5}})
    assert answered.notes == ("classified_answer.text_was_number",)


# times that prove nothing


@pytest.mark.parametrize("moment", [0, -1, False, "null", " ", {}, [], "0000-00-00 00:00:00", "0001-01-01T00:00:00Z"])
def test_a_time_that_proves_nothing_is_as_if_absent_and_noted(moment: Any) -> None:
    found = event({**FLOW, "read_at": moment}, "read")
    assert (found.type, found.occurred_at, found.data) == ("message.read", RECEIVED, {})
    assert found.notes == ("empty:read_at", "occurred_at_is_received_at")
    closed = sample("conversation.closed", fields={"session.closed_at": moment})
    assert event(closed).occurred_at == event(sample("conversation.closed")).data["timestamp"]


@pytest.mark.parametrize("moment", ["0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "null", "1970-01-01 00:00:00"])
def test_a_time_that_proves_nothing_decides_the_type_only_where_nothing_else_does(moment: str) -> None:
    assert event({**FLOW, "delivered_at": AT, "read_at": moment}).type == "message.delivered"
    assert event({**FLOW, "read_at": moment}, "response").type == "message.responded"
    assert event({**FLOW, "read_at": moment}).type == "message.read"


def test_two_events_are_not_the_same_for_having_the_same_time_that_proves_nothing() -> None:
    body = {**FLOW, "read_at": "0000-00-00 00:00:00"}
    assert event({**body, "sent_text": "one"}, "read").id != event({**body, "sent_text": "two"}, "read").id


# digits


LONG = "23793381286000782713695000063305975520000370"


def sent_as_json(name: str, value: str, **more: Any) -> bytes:
    """A body with a field whose value is this JSON text."""
    return orjson.dumps({**READ, **more, name: "PLACE"}).replace(b'"PLACE"', value.encode())


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (LONG, LONG),
        (f"-{LONG}", f"-{LONG}"),
        ("18446744073709551616", "18446744073709551616"),
        ("0.12345678901234567890", "0.12345678901234567890"),
        ("9007199254740993.0", "9007199254740993.0"),
        ("1.0000000000000000001", "1.0000000000000000001"),
        ("9" * 300, "9" * 300),
        ("1e-400", "1e-400"),
        ("18446744073709551615", "18446744073709551615"),
        ("1.50", "1.5"),
    ],
)
def test_no_digit_of_a_number_is_lost(number: str, text: str) -> None:
    pairs = f'[{{"key": "a", "value": {number}}}, {{"key": "b", "value": {{"id": [{number}]}}}}]'
    keys = event(sent_as_json("user_session_keys", pairs)).session_keys
    assert keys == {"a": text, "b": f'{{"id":[{text}]}}'}
    found = event(sent_as_json("conversation_id", number, sent_text="PLACE"))
    assert found.flow_id == found.data["sent_text"] == text


def test_the_digits_of_a_location_are_on_the_wire_as_they_were_sent() -> None:
    place = f'{{"latitude": 4.123456789012345678901, "longitude": -74.05, "id": {LONG}}}'
    for value, kind in ((place, "object"), (orjson.dumps(place).decode(), "text")):
        body = sent_as_json("user_session_keys", f'[{{"key": "place", "type": "location", "value": {value}}}]')
        text = orjson.dumps(envelope(event(body))["session_keys"], default=as_sent)
        assert text == b'{"place":{"latitude":4.123456789012345678901,"longitude":-74.05,"id":%b}}' % LONG.encode(), (
            kind
        )


def test_ids_and_sessions_are_read_as_ever_where_numbers_are_long() -> None:
    assert rejected(sent_as_json("session_id", LONG)).problems[0].pointer == "/session_id"
    found = event(sent_as_json("conversation_id", LONG))
    assert found.id == event(sent_as_json("conversation_id", "2.3793381286000783e43")).id


# characters


def test_u_0000_is_nowhere_in_an_event() -> None:
    place = '{"address": "a\\u0000b", "c\\u0000": 1}'
    keys = [{"key": "k\0", "value": "v\0"}, {"key": "p", "value": place, "type": "location"}]
    body = {**READ, "session_id": "s\0", "sent_text": "a\0b", "x\0": 1, "user_session_keys": keys}
    found = event(body)
    assert (found.session_id, found.data["sent_text"]) == ("s\ufffd", "a\ufffdb")
    assert found.session_keys == {"k\ufffd": "v\ufffd", "p": {"address": "a\ufffdb", "c\ufffd": 1}}
    assert found.key_fields["session"] == "s\ufffd"
    assert found.notes == ("nul_character", "unknown_field:x_")
    written = orjson.dumps(envelope(found), default=as_sent)
    assert b"\0" not in written
    assert "x\ufffd" in orjson.loads(written)["raw"]
    assert found.id == hashlib.sha256(orjson.dumps(["treble", "message.read", "s\0", "7", None, None, AT])).hexdigest()


def test_what_looks_like_u_0000_and_is_none_stays_as_it_is() -> None:
    found = event({**READ, "sent_text": "\\u0000"})
    assert (found.data["sent_text"], found.notes) == ("\\u0000", ())


def test_nan_of_another_language_is_null_and_noted() -> None:
    found = event(sent_as_json("user_session_keys", '[{"key": "a", "value": NaN}, {"key": "b", "value": -Infinity}]'))
    assert found.session_keys == {"b": "-1.7976931348623157e+308"}
    assert "number_out_of_range" in found.notes
