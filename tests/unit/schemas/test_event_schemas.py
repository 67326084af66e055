"""Every event that leaves the bridge is what its schema says, whatever the format and what is hidden."""

import datetime as dt
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from bridge import schemas
from bridge.catalogue import TABLE
from bridge.catalogue.samples import hint_for, sample
from bridge.model import Entry
from bridge.schemas import generate
from bridge.schemas.event import event_schema, headers_schema, payload_schema, quarantine_headers_schema
from bridge.schemas.examples import examples, quarantine_example
from bridge.transform.cloudevents import Format, schema_uri
from bridge.transform.prepare import Preparer
from tests.unit.schemas.strictness import EVENTS, QUARANTINE, closed
from tests.unit.webhooks import entry, settings

FORMATS: tuple[Format, ...] = ("cloudevents-binary", "cloudevents-structured", "plain")
ROOM = "additionalProperties"

every_type = pytest.mark.parametrize("name", TABLE)


def test_the_shipped_files_are_those_that_would_be_made_now() -> None:
    assert generate.stale() == [], "run `make schemas`"


def test_every_event_type_and_the_quarantine_have_a_schema_of_their_own() -> None:
    assert schemas.names() == sorted([*TABLE, "quarantine"])


@every_type
def test_no_example_arrives_before_it_happened(name: str) -> None:
    for example in examples(TABLE[name], Preparer(settings(), "j")):
        occurred, received = (dt.datetime.fromisoformat(example.value[key]) for key in ("occurred_at", "received_at"))
        assert occurred <= received, example.variant


@pytest.mark.parametrize("name", [*TABLE, "quarantine"])
def test_a_schema_is_json_schema_2020_12_and_has_the_name_that_records_give(name: str) -> None:
    schema = orjson.loads(schemas.text(name))
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == schema_uri(name)


@every_type
def test_a_consumer_that_validates_takes_fields_that_a_later_version_adds(name: str) -> None:
    def rooms(schema: Any) -> list[Any]:
        parts = list(schema.values()) if isinstance(schema, dict) else schema if isinstance(schema, list) else []
        here = [schema[ROOM]] if isinstance(schema, dict) and ROOM in schema else []
        return here + [room for part in parts for room in rooms(part)]

    assert False not in rooms(event_schema(TABLE[name]))


@every_type
@pytest.mark.parametrize("record_format", FORMATS)
def test_every_sample_s_record_fits_its_schemas_exactly(name: str, record_format: Format) -> None:
    event_type = TABLE[name]
    value = Draft202012Validator(closed(payload_schema(event_type, record_format)))
    headers = Draft202012Validator(closed(headers_schema(event_type, record_format)))
    found = list(examples(event_type, Preparer(settings(kafka={"format": record_format}), "j")))
    assert len(found) == len(event_type.samples)
    for example in found:
        value.validate(example.value)
        headers.validate(example.headers)


@every_type
@pytest.mark.parametrize("phone", ["hash", "mask", "drop"])
def test_an_event_whose_phone_is_hidden_fits_too(name: str, phone: str) -> None:
    hidden = {"hash_key": "0123456789abcdef", "topics": {"*": {"phone": phone}}}
    for example in examples(TABLE[name], Preparer(settings(privacy=hidden), "j")):
        assert "raw" not in example.value
        EVENTS[name].validate(example.value)


@every_type
@pytest.mark.parametrize("seed", range(5))
def test_any_conversation_s_events_fit(name: str, seed: int) -> None:
    raw = orjson.dumps(sample(name, seed))
    record = Preparer(settings(), "j").prepare(Entry(1, 0, "treble", hint_for(name), b"", raw)).record
    assert record is not None
    EVENTS[name].validate(orjson.loads(record.value))


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", {"ping": 1}, {"read_at": "soon", "session_id": "s"}, {"read_at": "x" * 2_000_000}]
)
def test_every_quarantine_record_fits_its_schemas(body: Any) -> None:
    record = Preparer(settings(), "j").prepare(entry(body, "", headers={"traceparent": "x", "user-agent": "y"})).record
    assert record is not None
    QUARANTINE.validate(orjson.loads(record.value))
    made = {name: text.decode() for name, text in record.headers}
    Draft202012Validator(closed(quarantine_headers_schema())).validate(made)


def test_the_quarantine_s_example_is_of_the_quarantine_s_topic() -> None:
    example = quarantine_example(Preparer(settings(), "j"))
    assert (example.topic, example.value["reason"]) == ("treble.quarantine", "unclassified")


def test_a_stale_a_missing_and_a_surplus_file_are_told(tmp_path: Any) -> None:
    for path, text in generate.documents().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert generate.stale(tmp_path) == []
    (tmp_path / "v1" / "message.read.json").unlink()
    (tmp_path / "v1" / "quarantine.json").write_text("{}")
    (tmp_path / "v1" / "message.gone.json").write_text("{}")
    assert generate.stale(tmp_path) == ["v1/message.gone.json", "v1/message.read.json", "v1/quarantine.json"]
