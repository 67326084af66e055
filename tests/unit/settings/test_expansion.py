"""`${…}` puts text in its place, and nothing but text."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.settings.document import expand
from tests.unit.settings.given import KAFKA, SOURCES, error, errors, loaded

VARIABLES = {"NAME": "value", "EMPTY": "", "REFERS": "${NAME}", "_a1": "x"}


def no_files(path: str) -> str:
    raise ValueError(f"{path} cannot be read: No such file or directory")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("${NAME}", "value"),
        ("a${NAME}b${_a1}", "avaluebx"),
        ("${NAME:-other}", "value"),
        ("${NONE:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${NONE:-a:-b $ c}", "a:-b $ c"),
        ("${REFERS}", "${NAME}"),
        ("$${NAME}", "${NAME}"),
        ("$$", "$"),
        ("$$$$", "$$"),
        ("$NAME costs 5$", "$NAME costs 5$"),
        ("}{", "}{"),
    ],
)
def test_references_are_replaced_once(text: str, result: str) -> None:
    expanded = expand(text, VARIABLES, no_files)
    assert (expanded.text, expanded.problems) == (result, ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("${NONE}", "the environment variable NONE is not set"),
        ("${NAME", "${ without a closing }"),
        ("${}", "not understood"),
        ("${1A}", "not understood"),
        ("${NAME-x}", "not understood"),
        ("${A B}", "not understood"),
        ("${NONE:-${NAME}}", "can't hold another"),
        ("${file:relative}", "absolute path"),
        ("${file:/none}", "/none cannot be read: No such file"),
    ],
)
def test_what_cannot_be_expanded_is_a_problem_with_its_reason(text: str, problem: str) -> None:
    (found,) = expand(text, VARIABLES, no_files).problems
    assert problem in found


def test_every_undefined_variable_of_a_scalar_is_named() -> None:
    found = expand("${ONE}${TWO}", {}, no_files).problems
    assert found == ("the environment variable ONE is not set", "the environment variable TWO is not set")


@pytest.mark.parametrize(
    ("content", "result"),
    [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), (" a ", " a "), ("${NAME}", "${NAME}")],
)
def test_a_file_loses_one_line_break_at_its_end_and_nothing_else(content: str, result: str) -> None:
    assert expand("${file:/f}", VARIABLES, lambda _: content).text == result


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\n")))
def test_whatever_a_variable_holds_is_text_in_its_place(value: str) -> None:
    text = KAFKA + "sources: {treble: {auth: [{query: {name: q, value: '${X}y'}}]}}\n"
    alternative = loaded(text, {"X": value}).settings.sources["treble"].auth[0]
    assert not isinstance(alternative, str)
    assert alternative.query is not None
    assert alternative.query.value.get_secret_value() == f"{value}y"  # type: ignore[union-attr]


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_no_text_makes_expansion_fail_or_show_what_a_variable_holds(text: str) -> None:
    expanded = expand(text, {"A": "canary-value"}, no_files)
    assert all("canary-value" not in problem for problem in expanded.problems)


@pytest.mark.parametrize("written", ["${N}", '"${N}"', "'${N}'"])
def test_a_number_may_come_from_a_variable_quoted_or_not(written: str) -> None:
    settings = loaded(f"{KAFKA}{SOURCES}topics:\n  partitions: {written}\n", {"N": "12"}).settings
    assert settings.topics.partitions == 12


def test_a_number_that_is_none_shows_the_variable_and_not_what_it_holds() -> None:
    text = f"{KAFKA}{SOURCES}topics:\n  partitions: ${{N}}\n"
    assert error(text, {"N": "twelve"}) == '4: topics.partitions: expected a whole number, found "${N}"'
    assert error(text, {"N": ""}) == '4: topics.partitions: expected a whole number, found "${N}"'


@pytest.mark.parametrize(
    "token", ["0123456789", "1e9", "true", "null", "~", "12345678", "[a, b]", "{a: b}", "a: b # c"]
)
def test_a_token_is_what_the_variable_holds_whatever_it_looks_like(token: str) -> None:
    settings = loaded(KAFKA + "sources:\n  t:\n    auth:\n      - bearer: ${T}\n", {"T": token}).settings
    assert settings.sources["t"].auth[0].bearer.get_secret_value() == token  # type: ignore[union-attr]


def test_an_empty_variable_does_not_take_a_condition_away() -> None:
    text = KAFKA + "sources:\n  t:\n    auth:\n      - bearer: ${T:-}\n        client_ip: 10.0.0.0/8\n"
    assert error(text, {}) == "5: sources.t.auth[0].bearer: must not be empty"


def test_one_variable_may_hold_a_list_of_brokers_or_networks() -> None:
    text = SOURCES + "kafka: {bootstrap_servers: '${B}'}\nserver: {trusted_proxies: '${P}'}\n"
    settings = loaded(text, {"B": "a:1, b:2", "P": "10.0.0.0/8,192.0.2.1"}).settings
    assert settings.kafka.bootstrap_servers == ("a:1", "b:2")
    assert [str(network) for network in settings.server.trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32"]


def test_a_file_is_read_and_reported_as_one_to_watch(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-the-file\n", encoding="utf-8")
    result = loaded(KAFKA + f"sources: {{t: {{auth: [{{bearer: '${{file:{tmp_path}/token}}'}}]}}}}\n")
    assert result.settings.sources["t"].auth[0].bearer.get_secret_value() == "from-the-file"  # type: ignore[union-attr]
    assert result.files == (f"{tmp_path}/token",)


def test_a_file_that_cannot_be_text_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    found = errors(
        KAFKA
        + f"journal: {{path: '${{file:{tmp_path}/binary}}'}}\n"
        + f"sources:\n  large: {{auth: [{{bearer: '${{file:{tmp_path}/large}}'}}]}}\n"
        + f"log: {{level: '${{file:{tmp_path}}}'}}\n"
        + "admin: {listen: '${file:/none/x}'}\n"
    )
    assert found == [
        f"2: journal.path: {tmp_path}/binary is not UTF-8 text",
        f"4: sources.large.auth[0].bearer: {tmp_path}/large is larger than 1 MiB",
        f"5: log.level: {tmp_path} is not a regular file",
        "6: admin.listen: /none/x cannot be read: No such file or directory",
    ]


def test_keys_are_not_expanded() -> None:
    assert error(KAFKA + "sources: {'${NAME}': {auth: none}, b: {auth: none}}\n", {"NAME": "x"}).endswith(
        "sources: ${…} is expanded in values only, not in keys"
    )


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ('auth: none, responses: {message.read: {a: "\\ud800"}}', "sources.t.responses.message.read.a"),
        ('auth: none, responses: {message.read: {"\\ud800": a}}', "sources.t.responses.message.read"),
        ('auth: none, responses: {message.read: {a: "${CAFE}"}}', "sources.t.responses.message.read.a"),
        ('auth: [{bearer: "${CAFE}"}]', "sources.t.auth[0].bearer"),
        ('auth: [{bearer: "${NONE:-\\udce9}"}]', "sources.t.auth[0].bearer"),
        ('auth: [{bearer: "${file:/\\udce9}"}]', "sources.t.auth[0].bearer"),
        ('auth: [{header: {name: X, value: ["long-enough", "\\udce9"]}}]', "sources.t.auth[0].header.value[1]"),
    ],
)
def test_what_can_not_be_encoded_is_refused_where_it_stands_and_not_shown(source: str, path: str) -> None:
    found = error(f"{KAFKA}sources:\n  t: {{{source}}}\n", {"CAFE": "caf\udce9-secret-token"})
    assert found.startswith(f"3: {path}: ")
    assert "not UTF-8, or half a surrogate pair" in found
    assert "caf" not in found
    found.encode()
