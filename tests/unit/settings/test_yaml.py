"""YAML's traps are defused: a scalar is the text that was written, until its place says what it wants."""

from typing import Any

import pytest

from bridge.settings.document import Expanded, parse, typed
from tests.unit.settings.given import KAFKA, SOURCES, error, errors, loaded


def parsed(text: str) -> Any:
    document = parse(text, Expanded)
    assert not document.problems
    return document.value


@pytest.mark.parametrize(
    "written", ["yes", "no", "on", "off", "0123", "1_000", "1:30", "2026-12-31", "0x1F", "1e3", "+57"]
)
def test_what_only_yaml_takes_for_something_else_stays_text(written: str) -> None:
    text = f"{KAFKA}sources: {{t: {{auth: [{{query: {{name: {written}, value: a-long-value}}}}]}}}}\n"
    assert loaded(text).settings.sources["t"].auth[0].query.name == written  # type: ignore[union-attr]
    assert parsed(f"? {written}\n: x\n") == {written: "x"}


@pytest.mark.parametrize("written", ["true", "True", "yes", "on", "'true'", "1"])
def test_a_boolean_place_understands_all_usual_words(written: str) -> None:
    text = f"{KAFKA}{SOURCES}topics: {{map: {{message.read: {{drop: {written}}}}}}}\n"
    assert loaded(text).settings.topics.topic_of("message.read") is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("null", None),
        ("~", None),
        ('"5"', "5"),
        ("'true'", "true"),
        ("yes", "yes"),
        ("007", "007"),
        ("+573001112233", "+573001112233"),
        ("1e999", "1e999"),
        ("99999999999999999999", "99999999999999999999"),
        ("2026-12-31", "2026-12-31"),
        (".inf", ".inf"),
        ("[1, a, {b: false}]", [1, "a", {"b": False}]),
    ],
)
def test_free_form_bodies_follow_the_rules_of_json(written: str, value: object) -> None:
    assert typed(parsed(f"x: {written}")) == {"x": value}
    body = loaded(f"{KAFKA}sources: {{t: {{auth: none, responses: {{message.read: {{x: {written}}}}}}}}}\n")
    assert body.settings.sources["t"].responses["message.read"] == {"x": value}


def test_what_was_expanded_in_a_body_is_text() -> None:
    text = KAFKA + "sources:\n  t:\n    auth: none\n    responses:\n      message.read:\n        x: ${N}\n"
    assert loaded(text, {"N": "5"}).settings.sources["t"].responses["message.read"] == {"x": "5"}


def test_a_key_without_a_value_is_a_key_that_is_not_there() -> None:
    text = f"{KAFKA}{SOURCES}duplicates:\nserver: {{max_body: , tls: ~}}\ntopics: null\n"
    assert loaded(text).settings == loaded(KAFKA + SOURCES).settings


@pytest.mark.parametrize("auth", ["[{bearer: , client_ip: 10.0.0.0/8}]", "[{header: {name: X, value: ~}}]"])
def test_a_credential_without_a_value_is_an_error(auth: str) -> None:
    assert "empty: give it a value, or remove the key" in error(f"{KAFKA}sources: {{t: {{auth: {auth}}}}}\n")


def test_a_key_that_stands_twice_is_an_error_with_both_lines() -> None:
    text = f"{KAFKA}{SOURCES}log:\n  level: info\n  level: debug\n"
    assert error(text) == "5: log.level: the same key twice, first in line 4"


def test_an_alias_stands_for_a_whole_value() -> None:
    text = (
        "sources:\n  a: {auth: &auth [{bearer: long-enough-token}], timezone: &zone America/Bogota}\n"
        "  b: {auth: *auth, timezone: *zone, path: /hooks/b}\n" + KAFKA
    )
    sources = loaded(text).settings.sources
    assert sources["b"].auth == sources["a"].auth
    assert sources["b"].timezone == "America/Bogota"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: [", 1, "not YAML"),
        ("a: b\n c: d\n", 2, "not YAML: mapping values are not allowed here"),
        ("a:\n\t- b\n", 2, "not YAML: a tab: indent with spaces"),
        ("a:\n  b: c\n \td: e\n", 3, "not YAML: a tab: indent with spaces"),
        ("a: \tb\n", 1, "not YAML: a tab: spaces must stand there"),
        ("a: @b\n", 1, "must be in quotes"),
        ("a: [b\n", 2, "not YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"),
        ("a: {b: ${C}}\n", 1, "(inside { } and [ ], ${…} must be in quotes)"),
        ("a: *b\n", 1, "must be in quotes"),
        ("a: b\n---\nc: d\n", 2, "not YAML"),
        ("a: \x01\n", 1, "a character that YAML doesn't allow"),
        ("a: !!int 5\n", 1, "tags such as !name have no meaning here"),
        ("a: !thing 5\n", 1, "tags such as !name have no meaning here"),
        ("? [a]\n: b\n", 1, "expected text as a key"),
        ("a: &a [*a]\n", 1, "an alias inside what it stands for"),
        ("<<: 5\n", 1, "<< merges nothing here: an alias (*name) stands for a whole value"),
        ("[" * 3000, 1, "nested too deep"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{x}: &{x} [{','.join(['*' + y] * 10)}]\n" for x, y in zip("bcdef", "abcde", strict=True)),
            1,
            "aliases multiply",
        ),
    ],
)
def test_what_is_not_usable_yaml_is_an_error_with_its_line(text: str, line: int, message: str) -> None:
    found = parse(text, Expanded).problems
    assert [at for _, at, what in found if message in what] == [line], found


def test_an_empty_file_says_what_it_needs() -> None:
    assert errors("# nothing\n") == ["1: kafka: missing: the broker", "1: sources: missing: name → Treble account"]
