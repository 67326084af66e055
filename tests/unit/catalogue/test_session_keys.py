"""Session keys come out as an object of texts, and of locations as objects."""

from typing import Any

import pytest

from bridge.catalogue.reading import Reading
from bridge.catalogue.session_keys import read_session_keys

PLACE = '{"latitude": 4.65, "longitude": -74.05, "address": "Calle 72"}'


def keys(value: Any) -> tuple[dict[str, Any] | None, list[str]]:
    reading = Reading()
    return read_session_keys(value, reading), reading.notes


def one(value: Any, kind: Any = None) -> tuple[Any, list[str]]:
    found, notes = keys([{"key": "k", "value": value, "type": kind}])
    return (found or {}).get("k"), notes


def test_pairs_become_an_object() -> None:
    pairs = [{"key": "name", "value": "Ana", "type": None}, {"key": "empty", "value": ""}]
    assert keys(pairs) == ({"name": "Ana", "empty": ""}, [])


def test_no_list_is_no_keys_and_an_empty_list_is_none_at_all() -> None:
    assert keys(None) == (None, [])
    assert keys([]) == ({}, [])


def test_of_equal_names_the_last_wins_and_the_name_is_noted() -> None:
    pairs = [{"key": "a b", "value": "1"}, {"key": "a b", "value": "2"}]
    assert keys(pairs) == ({"a b": "2"}, ["session_key_repeated:a_b"])


def test_null_keys_are_skipped() -> None:
    pairs = [{"key": None, "value": "x"}, {"value": "x"}, {"key": "", "value": "x"}, {"key": "a", "value": "1"}, None]
    assert keys(pairs) == ({"a": "1"}, ["session_key_without_name", "unreadable:user_session_keys[]"])


def test_a_key_without_a_value_is_absent() -> None:
    assert keys([{"key": "a", "value": "1"}, {"key": "a", "value": None}]) == (
        {"a": "1"},
        ["session_key_without_value"],
    )


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        (18, "18", "number"),
        (18.0, "18", "number"),
        (1.5, "1.5", "number"),
        (1e300, "1e+300", "number"),
        (True, "true", "boolean"),
        ({"a": [1]}, '{"a":[1]}', "object"),
        ([1, "b"], '[1,"b"]', "array"),
    ],
)
def test_a_value_that_is_no_text_becomes_one(value: Any, text: str, kind: str) -> None:
    assert one(value) == (text, [f"session_key_value_was_{kind}"])


def test_a_location_is_parsed_out_of_its_text() -> None:
    assert one(PLACE, "location") == ({"latitude": 4.65, "longitude": -74.05, "address": "Calle 72"}, [])


def test_only_the_scalars_of_a_location_come_out() -> None:
    place = '{"latitude": 4.65, "bounds": {"n": 1}, "name": null}'
    assert one(place, "location") == ({"latitude": 4.65}, ["unreadable:user_session_keys[].value.bounds"])


@pytest.mark.parametrize("text", ["Calle 72", "[4.65, -74.05]", "", "NaN", '{"a": "\\ud83d"}', "{" * 2000])
def test_a_location_that_cannot_be_read_stays_the_text_it_was(text: str) -> None:
    assert one(text, "location") == (text, ["session_key_location_unreadable"])


def test_a_location_that_came_as_an_object_is_taken() -> None:
    assert one({"latitude": 4.65}, "location") == ({"latitude": 4.65}, ["session_key_value_was_object"])


@pytest.mark.parametrize("kind", ["text", "image", 5, {}])
def test_other_types_of_values_are_texts(kind: Any) -> None:
    assert one("x", kind) == ("x", [])


def test_an_object_in_place_of_the_list_is_taken() -> None:
    assert keys({"name": "Ana"}) == ({"name": "Ana"}, ["user_session_keys_was_object"])
    assert keys("Ana") == (None, ["unreadable:user_session_keys"])


def test_new_members_of_a_pair_are_noted_once() -> None:
    pairs = [{"key": "a", "value": "1", "scope": "x"}, {"key": "b", "value": "2", "scope": "x"}]
    assert keys(pairs) == ({"a": "1", "b": "2"}, ["unknown_field:user_session_keys[].scope"])
