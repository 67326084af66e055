"""A slip of the pen is named as what it is: in the line where it has to be mended, with what to do."""

import pytest

from bridge.settings.document import Expanded, parse
from tests.unit.settings.given import KAFKA, SOURCES, error, errors, loaded

BEARER = f"{KAFKA}sources:\n  t:\n    auth:\n      - bearer: "


def only_problem(text: str) -> str:
    document = parse(text, Expanded)
    assert not document.readable
    ((_, line, message),) = document.problems
    return f"{line}: {message}"


@pytest.mark.parametrize(
    ("text", "line", "character"),
    [
        ("log:\n\u00a0\u00a0level: info\n", 2, "U+00A0 (no-break space)"),
        ("log:\n \u00a0level: info\n", 2, "U+00A0 (no-break space)"),
        ("log:\n  format: json\n\u3000level: info\n", 3, "U+3000 (ideographic space)"),
        ("log: {}\n\ufeffserver: {}\n", 2, "U+FEFF (byte order mark)"),
        ("\u200blog: {}\n", 1, "U+200B (zero width space)"),
        ("“log”: {}\n", 1, "U+201C (left double quotation mark)"),
        ("auth:\n  – bearer: x\n", 2, "U+2013 (en dash)"),
    ],
)
def test_a_character_that_looks_like_another_is_named_where_it_makes_another_key(
    text: str, line: int, character: str
) -> None:
    found = only_problem(text)
    assert found.startswith(f"{line}: a key with {character}: indent with spaces")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("level:\u00a0info", "found something else; it holds U+00A0 (no-break space)"),
        ("level： info", "; it holds U+FF1A (fullwidth colon)"),
        ("level:info", "; a space is missing after the colon"),
        ("level = info", "; write `key: value`, not ="),
        ("-level", "; a space is missing after the -"),
    ],
)
def test_a_line_that_is_no_key_and_value_says_why(text: str, message: str) -> None:
    found = error(f"{KAFKA}{SOURCES}log:\n  {text}\n")
    assert found.startswith("3: log: expected a mapping")
    assert found.endswith(message)


@pytest.mark.parametrize("value", ["“info”", "‘info’", "info\u00a0", "\ufeffinfo"])
def test_a_value_with_a_strange_character_says_which(value: str) -> None:
    found = error(f"{KAFKA}{SOURCES}log:\n  format: json\n  level: {value}\n")
    assert found.startswith("5: log.level: expected debug, info, warning or error, found ")
    assert "; it holds U+" in found


def test_a_list_item_without_its_blank_says_so() -> None:
    found = error(f"{KAFKA}sources:\n  t:\n    auth:\n      -bearer: long-enough-token\n")
    assert found.endswith(
        "expected a list (each line begins with `- `), found a mapping; a space is missing after the -"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n  b: c\n  d:e\n  f: g\n", "3: not YAML: a space is missing after the colon"),
        ("a:\n  d:e\n  f: g\n", "2: not YAML: a space is missing after the colon"),
        ('a:\n  b: "c\n  d: e\n', "2: not YAML: the quote that opens here is not closed"),
        ("a:\n  b: 'c\n  d: e\n", "2: not YAML: the quote that opens here is not closed"),
        ('a:\n  b: "c\n  d: "e"\n', "2: not YAML: the quote that opens here ends only in line 3: it was not closed"),
        ("a: {b: 'c}\nd: 'e'\n", "1: not YAML: the quote that opens here ends only in line 2: it was not closed"),
        ('a:\n  - b: "c\n  - d: e"\n', "2: the quote that opens here ends only in line 3: it was not closed"),
        ("a: 'it's'\n", "1: not YAML: text after a closing quote"),
        ('a: "b" c\n', "1: not YAML: text after a closing quote"),
        ("a: {b: c\nd: e\n", "(what is not closed opens in line 1)"),
        ('a: "C:\\certs"\n', "(inside double quotes a \\ is written \\\\; inside single quotes it is itself)"),
        ("a: b: c\n", "(a value that holds `: ` must be in quotes; "),
        ("a:\n    b: c\n  d: e\n", "(check the indentation: "),
        ("a: {b: c.{d}}\n", "(inside { } and [ ], text with { } must be in quotes)"),
        ("a: {{ .Values.a }}\n", "1: holds {{ }}, word for word: nothing has filled that in"),
        ("a: {b: {{ .Values.a }}, c}}\n", "holds {{ }}, word for word: nothing has filled that in"),
    ],
)
def test_a_slip_of_yaml_is_told_in_the_line_that_has_to_be_mended(text: str, expected: str) -> None:
    found = only_problem(text)
    assert expected in found
    assert not expected[0].isdigit() or found.startswith(expected)


def test_a_quoted_text_may_go_over_several_lines() -> None:
    settings = loaded(f'{BEARER}"long-\\\n          enough-token"\n').settings
    assert settings.sources["t"].auth[0].bearer.get_secret_value() == "long-enough-token"  # type: ignore[union-attr]


def test_a_source_without_credentials_says_what_is_missing_and_how_it_is_written() -> None:
    (found,) = errors(f"{KAFKA}sources:\n  t: {{timezone: UTC}}\n")
    assert found.startswith("3: sources.t.auth: an alternative is missing: say who may post")


@pytest.mark.parametrize("value", ["[{bearer: long-enough-token}]", "none"])
def test_auth_one_level_too_high_is_to_be_indented(value: str) -> None:
    nothing, found = errors(f"{KAFKA}sources:\n  t:\n  auth: {value}\n")
    assert nothing.endswith("found nothing: indent its keys below it")
    assert found == "4: sources.auth: auth stands where a name belongs: indent it, below a name"


def test_a_key_further_up_than_it_belongs_is_to_be_indented() -> None:
    text = f"{KAFKA}sources:\n  t:\n    auth: none\n    bearer: long-enough-token\n"
    assert (
        error(text)
        == "5: sources.t.bearer: unknown key here; sources.<name>.auth[].bearer is one: indent it below auth"
    )


@pytest.mark.parametrize("key", ["prefix", "topic_prefix"])
def test_a_prefix_of_topics_is_not_taken_for_that_of_signatures(key: str) -> None:
    found = error(f"{KAFKA}{SOURCES}topics: {{{key}: acme.}}\n")
    assert found == f'3: topics.{key}: unknown key; did you mean default: "acme.{{event_type}}"?'


def test_keys_in_a_list_are_to_be_written_without_it() -> None:
    found = error(f"{KAFKA}{SOURCES}server:\n  - listen: 0.0.0.0:8080\n")
    assert found.endswith("found a list: write its keys without `- `")
