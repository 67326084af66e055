"""For any bytes on any hint: a readable event, or a reason; never an exception; always the same."""

import re
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bridge.catalogue import HINTS, TABLE
from bridge.catalogue.reading import NOTES_MAX, meaning, note_kind
from bridge.catalogue.samples import hint_for, sample
from bridge.catalogue.session_keys import SCHEMA as SESSION_KEYS
from bridge.catalogue.shapes import TIME_PATTERN
from bridge.model import Event, Rejected
from bridge.transform import dead_letter
from bridge.transform.normalize import examine
from bridge.transform.prepare import Preparer
from tests.unit.schemas.strictness import EVENTS, QUARANTINE
from tests.unit.webhooks import entry, settings

ZONES = (None, ZoneInfo("America/Bogota"))
KEYS = Draft202012Validator(SESSION_KEYS)
PREPARERS = {form: Preparer(settings(kafka={"format": form}), "journal") for form in ("cloudevents-binary", "plain")}
# Kinds of notes are labels of a metric: static words, or the names of documented fields with a static ending.
KIND = re.compile(r"[a-z0-9_.\[\]]{1,60}")

SHAPES = [(name, variant) for name, event_type in TABLE.items() for variant in event_type.samples]
FIELDS = sorted({field for name, variant in SHAPES for field in sample(name, variant=variant)})
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.sampled_from(["", " ", "OPTOUT", "session.close", "2026-06-22 15:19:08", "+52", "54"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "key", "value", "type", "a"]) | st.text(max_size=5), inner, max_size=4
        )
    ),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), VALUES, max_size=8)
HINT = st.sampled_from(["", "misspelt", *HINTS])


def json_bytes(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return repr(value).encode()


def judged(raw: bytes, hint: str) -> Event | Rejected:
    """What becomes of the bytes, once all that is promised of it was checked."""
    for zone in ZONES:
        _, result = examine(entry(raw, hint), zone)
        assert result == examine(entry(raw, hint), zone)[1]
        if isinstance(result, Rejected):
            assert result.reason in dead_letter.REASONS
            assert result.problems
        else:
            strict(result)
    readable_by_consumers(raw, hint, result)
    return result


def strict(event: Event) -> None:
    assert re.fullmatch(TIME_PATTERN, event.occurred_at)
    assert event.id
    assert event.id.isprintable()
    assert all(event.key_fields.values())
    KEYS.validate(event.session_keys or {})
    assert len(event.notes) <= NOTES_MAX + 1
    assert all(meaning(note) and KIND.fullmatch(note_kind(note)) for note in event.notes)


def readable_by_consumers(raw: bytes, hint: str, result: Event | Rejected) -> None:
    for preparer in PREPARERS.values():
        prepared = preparer.prepare(entry(raw, hint))
        assert prepared.reason == (result.reason if isinstance(result, Rejected) else "")
        assert prepared.record is not None
        assert prepared.record.key
        value = orjson.loads(prepared.record.value)
        (EVENTS[result.type] if isinstance(result, Event) else QUARANTINE).validate(value)
        if isinstance(result, Event):
            assert (value["id"], value["type"]) == (result.id, result.type)
            assert value["raw"] == orjson.loads(result.raw)
            assert None not in value.values()
        assert all(text.decode().isprintable() for _, text in prepared.record.headers)


@given(BODIES.map(json_bytes) | VALUES.map(json_bytes) | st.binary(max_size=40), HINT)
def test_any_body_on_any_hint_is_an_event_or_has_a_reason(raw: bytes, hint: str) -> None:
    judged(raw, hint)


@given(st.sampled_from(SHAPES), st.sampled_from(FIELDS), VALUES, HINT)
def test_a_sample_with_a_field_of_any_value_is_an_event_or_has_a_reason(
    shape: tuple[str, str], field: str, value: Any, hint: str
) -> None:
    body = sample(shape[0], variant=shape[1])
    body[field] = value
    judged(json_bytes(body), hint)


@given(st.sampled_from(SHAPES), st.data())
def test_a_sample_without_any_of_its_fields_is_an_event_or_has_a_reason(shape: tuple[str, str], data: Any) -> None:
    body = sample(shape[0], variant=shape[1])
    for field in data.draw(st.sets(st.sampled_from(sorted(body)))):
        del body[field]
    judged(json_bytes(body), hint_for(shape[0]))


@given(st.sampled_from(SHAPES), st.data())
def test_a_sample_with_renamed_fields_keeps_what_it_brought(shape: tuple[str, str], data: Any) -> None:
    body = sample(shape[0], variant=shape[1])
    for field in data.draw(st.sets(st.sampled_from(sorted(body)), max_size=3)):
        body[f"{field}_new"] = body.pop(field)
    result = judged(json_bytes(body), hint_for(shape[0]))
    if isinstance(result, Event):
        assert orjson.loads(result.raw) == body


@given(st.sampled_from(SHAPES), st.data())
def test_a_sample_with_any_value_nested_anywhere_is_an_event_or_has_a_reason(shape: tuple[str, str], data: Any) -> None:
    body: Any = sample(shape[0], variant=shape[1])
    holder = body
    for _ in range(data.draw(st.integers(0, 3))):
        places = [key for key, held in items(holder) if isinstance(held, dict | list) and held]
        if not places:
            break
        holder = holder[data.draw(st.sampled_from(places))]
    holder[data.draw(st.sampled_from([key for key, _ in items(holder)]))] = data.draw(VALUES)
    judged(json_bytes(body), hint_for(shape[0]))


@given(st.sampled_from(SHAPES), st.text(st.characters(codec=None), min_size=1, max_size=20), st.integers(1, 3000))
def test_huge_and_strange_texts_change_nothing_of_that(shape: tuple[str, str], text: str, times: int) -> None:
    body = sample(shape[0], variant=shape[1], text_of_tomorrow=text * times)
    escaped = "".join(f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else letter for letter in text)
    raw = orjson.dumps({**body, "text_of_tomorrow": "HERE"}).replace(b"HERE", escaped.encode() * times)
    assert isinstance(judged(raw, hint_for(shape[0])), Event)


def items(holder: Any) -> list[tuple[Any, Any]]:
    return list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))
