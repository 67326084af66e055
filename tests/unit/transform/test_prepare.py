"""An entry leaves as an event, as a quarantine record, or not at all; never as an exception."""

import hashlib
from typing import Any

import orjson
import pytest

from bridge.catalogue import TABLE
from bridge.catalogue.samples import hint_for, sample
from bridge.model import Entry, Event, Prepared, Rejected, TopicSpec
from bridge.transform import prepare as prepare_module
from bridge.transform.prepare import Preparer
from tests.unit.webhooks import FLOW, entry, event, settings

READ = {**FLOW, "read_at": "2026-06-22 15:19:08"}


def preparer(**sections: Any) -> Preparer:
    return Preparer(settings(**sections), "j1")


def value_of(prepared: Prepared) -> Any:
    assert prepared.record is not None
    return orjson.loads(prepared.record.value)


def key_of(prepared: Prepared) -> str:
    assert prepared.record is not None
    return prepared.record.key.decode()


def test_an_event_goes_to_the_topic_of_its_type_with_its_key() -> None:
    found = preparer().prepare(entry(READ | {"plan": 1}, "delivered", entry_id=9))
    assert (found.entry_id, found.event_type, found.topic) == (9, "message.read", "treble.message.read")
    assert (found.outcome, found.reason, found.notes) == ("forwarded", "", ("unknown_field:plan",))
    assert found.hint_conflict
    assert key_of(found) == "s1"


def test_the_dedupe_key_is_sixteen_bytes_of_the_hash_of_source_type_and_id() -> None:
    found = preparer().prepare(entry({"event_type": "agent.assigned", "event_id": "e1"}))
    assert found.dedupe_key == hashlib.sha256(b"treble\0unknown\0e1").digest()[:16]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (READ, "s1"),
        (sample("deployment.failed"), "+573005550134"),
        (sample("hsm.status_changed"), "order_on_its_way"),
        (sample("conversation.closed", fields={"session.external_id": ""}), "+573005550134"),
        (sample("deployment.failed", session_id="s9") | {"user": {}}, "66d0a1b2c3d4e5f607182930"),
        (sample("deployment.failed", fields={"session.external_id": "s9"}) | {"user": {}}, "s9"),
        ({"event_type": "agent.assigned", "event_id": "e1", **FLOW}, "s1"),
        ({"event_type": "agent.assigned", "event_id": "e1", "user": {"country_code": "1", "cellphone": "2"}}, "+12"),
        ({"event_type": "agent.assigned", "event_id": "e1"}, "e1"),
    ],
)
def test_the_key_is_that_of_the_type_or_the_next_best(body: Any, key: str) -> None:
    assert key_of(preparer().prepare(entry(body))) == key


@pytest.mark.parametrize(
    ("kind", "key"),
    [("session", "s1"), ("phone", "+573005550134"), ("event_id", event(READ).id), ("template", "s1")],
)
def test_a_route_chooses_the_key(kind: str, key: str) -> None:
    routed = preparer(topics={"map": {"message.read": {"key": kind}}})
    assert key_of(routed.prepare(entry(READ))) == key


def test_no_repr_shows_a_phone_or_what_was_said() -> None:
    given = entry({**READ, "sent_text": "between us"}, headers={"user-agent": "between us"})
    found = preparer().prepare(given)
    shown = repr((given, event(READ), event(READ).contact, found, preparer().prepare(entry(b"between us"))))
    assert "3005550134" not in shown
    assert "between us" not in shown


def test_a_route_chooses_the_topic_and_the_default_is_a_pattern() -> None:
    routed = preparer(topics={"default": "x.{event_type}.v1", "map": {"message.read": "crm.reads"}})
    assert routed.prepare(entry(READ)).topic == "crm.reads"
    assert routed.prepare(entry(sample("message.delivered"))).topic == "x.message.delivered.v1"


def test_a_dropped_type_leaves_no_record_and_nothing_to_remember() -> None:
    found = preparer(topics={"map": {"message.read": {"drop": True}}}).prepare(entry(READ))
    assert (found.outcome, found.record, found.dedupe_key) == ("dropped", None, None)


def test_a_bad_body_of_a_dropped_type_is_quarantined_all_the_same() -> None:
    routed = preparer(topics={"map": {"message.read": {"drop": True}}})
    assert routed.prepare(entry({"read_at": "2026-06-22 15:19:08"})).outcome == "quarantined"


def test_a_zone_of_the_source_applies_and_a_removed_source_is_in_utc() -> None:
    zoned = preparer(sources={"treble": {"auth": "none", "timezone": "America/Bogota"}})
    assert value_of(zoned.prepare(entry(READ)))["occurred_at"] == "2026-06-22T20:19:08.000000Z"
    assert value_of(zoned.prepare(entry(READ, source="removed")))["occurred_at"] == "2026-06-22T15:19:08.000000Z"


BOGOTA = {"x-treble-bridge-timezone": "America/Bogota"}


def test_a_source_that_was_renamed_since_keeps_the_zone_of_the_time_of_arrival() -> None:
    renamed = preparer(sources={"colombia": {"auth": "none", "timezone": "Asia/Tokyo"}})
    given = entry(READ, source="former", headers=BOGOTA)
    assert value_of(renamed.prepare(given))["occurred_at"] == "2026-06-22T20:19:08.000000Z"
    _, examined = renamed.examine(given)
    assert isinstance(examined, Event)
    assert examined.occurred_at == "2026-06-22T20:19:08.000000Z"
    assert value_of(renamed.prepare(entry(READ, source="former")))["occurred_at"] == "2026-06-22T15:19:08.000000Z"


def test_a_source_that_is_configured_has_the_zone_of_today() -> None:
    for zone, occurred_at in (("UTC", "2026-06-22T15:19:08.000000Z"), ("Asia/Tokyo", "2026-06-22T06:19:08.000000Z")):
        mended = preparer(sources={"treble": {"auth": "none", "timezone": zone}})
        assert value_of(mended.prepare(entry(READ, headers=BOGOTA)))["occurred_at"] == occurred_at


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../localtime", ""])
def test_a_zone_that_this_machine_does_not_know_is_not_taken_for_another(zone: str) -> None:
    found = preparer().prepare(entry(READ, source="removed", headers={"x-treble-bridge-timezone": zone}))
    assert (found.outcome, found.reason) == ("quarantined", "internal_error")


@pytest.mark.parametrize(
    ("body", "reason", "event_type"),
    [
        (b"{", "not_json", "unclassified"),
        ([READ], "not_object", "unclassified"),
        ({}, "unclassified", "unclassified"),
        ({"read_at": "soon"}, "invalid", "message.read"),
    ],
)
def test_what_is_no_event_is_quarantined_with_its_reason(body: Any, reason: str, event_type: str) -> None:
    found = preparer(topics={"quarantine": "q"}).prepare(entry(body))
    assert (found.outcome, found.reason, found.event_type, found.topic) == ("quarantined", reason, event_type, "q")
    assert found.dedupe_key is None
    assert value_of(found)["reason"] == reason
    assert value_of(found)["journal_id"] == "j1"


def test_a_fault_of_our_own_is_quarantined_and_tells_nothing_of_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("+573005550134")

    monkeypatch.setattr(prepare_module, "examine", fail)
    found = preparer().prepare(entry(READ))
    assert (found.outcome, found.reason) == ("quarantined", "internal_error")
    assert value_of(found)["problems"] == [
        {"pointer": "", "message": "the bridge could not handle this body: KeyError"}
    ]
    assert orjson.loads(value_of(found)["raw"]) == READ


@pytest.mark.parametrize("headers", [b"{", b'["traceparent"]', b"x-treble-bridge-replay traceparent", b"\xff"])
def test_headers_that_cannot_be_read_change_nothing(headers: bytes) -> None:
    for body, outcome in ((orjson.dumps(READ), "forwarded"), (b"{", "quarantined")):
        found = preparer().prepare(Entry(1, 0, "treble", "", headers, body))
        assert (found.outcome, found.record is not None) == (outcome, True)


def test_the_trace_of_the_request_goes_on_in_the_record() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for body in (READ, {}):
        found = preparer().prepare(entry(body, headers={"traceparent": parent, "tracestate": "a=1"}))
        assert found.record is not None
        assert found.record.headers[-2:] == (("traceparent", parent.encode()), ("tracestate", b"a=1"))


@pytest.mark.parametrize(
    ("field", "mark", "again"),
    [("17", b"17", False), ("17 again", b"17", True), ("x again", None, False), ("17 twice", b"17", False)],
)
def test_a_replayed_entry_says_so_and_passes_the_window_only_when_told(
    field: str, mark: bytes | None, again: bool
) -> None:
    found = preparer().prepare(entry(READ, headers={"x-treble-bridge-replay": field}))
    assert found.record is not None
    assert dict(found.record.headers).get("treble_replay") == mark
    assert (found.dedupe_key is None) is again
    assert dict(found.record.headers)["ce_id"] == event(READ).id.encode()


REPLAYED = {"x-treble-bridge-replay": "17 again", "x-treble-bridge-received-at": "2025-06-15T15:06:40.123Z"}
ARRIVED_MS = 1_750_000_000_123


def test_a_replayed_event_keeps_the_time_at_which_it_arrived() -> None:
    opt_out = {"session_id": "s1", "reason": "OPTOUT"}
    found = preparer().prepare(entry(opt_out, headers=REPLAYED))
    value = value_of(found)
    assert value["received_at"] == value["occurred_at"] == "2025-06-15T15:06:40.123000Z"
    assert found.record is not None
    assert found.record.timestamp_ms == ARRIVED_MS
    assert dict(found.record.headers)["ce_time"] == b"2025-06-15T15:06:40.123000Z"


def test_a_replayed_entry_has_its_own_time_in_the_window_of_duplicates() -> None:
    given = entry(READ, headers=REPLAYED)
    assert preparer().prepare(given).received_at_ms == given.received_at_ms != ARRIVED_MS


def test_a_replayed_entry_that_is_quarantined_keeps_the_time_at_which_it_arrived() -> None:
    given, preparing = entry({}, headers=REPLAYED), preparer()
    found = preparing.prepare(given)
    assert value_of(found)["received_at"] == "2025-06-15T15:06:40.123000Z"
    assert found.record is not None
    assert (found.record.timestamp_ms, found.received_at_ms) == (ARRIVED_MS, given.received_at_ms)
    _, rejected = preparing.examine(given)
    assert isinstance(rejected, Rejected)
    _, examined = preparing.examine(entry(READ, headers=REPLAYED))
    assert isinstance(examined, Event)
    assert examined.received_at_ms == ARRIVED_MS


@pytest.mark.parametrize(
    "headers",
    [
        {**REPLAYED, "x-treble-bridge-received-at": "once"},
        {**REPLAYED, "x-treble-bridge-received-at": 17},
        {"x-treble-bridge-replay": "17"},
        {**REPLAYED, "x-treble-bridge-replay": "x"},
    ],
)
def test_a_replayed_entry_that_does_not_say_when_it_arrived_has_its_own_time(headers: dict[str, Any]) -> None:
    given = entry(READ, headers=headers)
    found = preparer().prepare(given)
    assert found.record is not None
    assert found.record.timestamp_ms == given.received_at_ms


def test_a_duplicate_that_is_forwarded_says_so() -> None:
    marking = preparer(duplicates={"action": "mark"})
    first = marking.prepare(entry(READ))
    again = marking.remark(first)
    assert first.record is not None
    assert again.record is not None
    assert again.record.headers == (*first.record.headers, ("treble_duplicate", b"true"))
    assert again.record.value == first.record.value
    assert marking.marks_duplicates
    assert not preparer().marks_duplicates
    dropped = first._replace(record=None)
    assert marking.remark(dropped) == dropped


def test_an_event_that_kafka_refuses_is_quarantined_under_its_id() -> None:
    large = entry({**READ, "sent_text": "x" * 1_000_000})
    preparing = preparer()
    found = preparing.rejected(large, preparing.prepare(large), "MessageSizeTooLarge")
    assert (found.outcome, found.reason, found.event_type) == ("quarantined", "refused_by_kafka", "message.read")
    assert key_of(found) == event(READ).id
    assert value_of(found)["problems"] == [{"pointer": "", "message": "MessageSizeTooLarge"}]
    assert not found.truncated, "the quarantine topic takes more than others"
    assert value_of(found)["raw"] == large.body.decode()


def test_a_quarantine_record_that_kafka_rejects_as_well_holds_the_beginning_only() -> None:
    given = entry({**READ, "sent_text": "x" * 100_000})
    preparing = preparer()
    event, broken = preparing.prepare(given), entry(b"x" * 1_000_000)
    whole = preparing.rejected(given, event, "too large", times=1)
    assert (whole.reason, whole.truncated) == ("refused_by_kafka", False)
    for prepared in (
        preparing.rejected(given, event, "too large", times=2),
        preparing.rejected(broken, preparing.prepare(broken), "too large", times=1),
        preparing.rejected(broken, preparing.prepare(broken), "too large", times=9),
    ):
        assert prepared.truncated
        assert prepared.record is not None
        assert len(prepared.record.value) <= 16_384


def test_all_topics_that_can_be_sent_to_are_listed_with_how_they_are_made() -> None:
    found = preparer(
        topics={
            "partitions": 4,
            "replication_factor": 2,
            "retention": "7d",
            "map": {
                "message.read": "crm.chat",
                "message.delivered": {"topic": "crm.chat", "partitions": 12},
                "message.responded": {"topic": "crm.chat", "retention": "30d"},
                "message.timed_out": {"drop": True},
            },
        }
    ).topics()
    day_ms = 86_400_000
    assert found["crm.chat"] == TopicSpec("crm.chat", 12, 2, 30 * day_ms)
    assert found["treble.unknown"] == TopicSpec("treble.unknown", 4, 2, 7 * day_ms)
    assert found["treble.quarantine"] == TopicSpec("treble.quarantine", 4, 2, 7 * day_ms)
    assert "treble.message.timed_out" not in found
    assert len(found) == 1 + len(TABLE) - 3


@pytest.mark.parametrize("name", TABLE)
def test_whatever_a_type_sends_goes_to_a_listed_topic(name: str) -> None:
    preparing = preparer()
    assert preparing.prepare(entry(sample(name), hint_for(name))).topic in preparing.topics()
    assert preparing.topics()[f"treble.{name}"].retention_ms is None
