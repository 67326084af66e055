"""The files in config/ and the schema are those of today's models."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import TypeAdapter

from bridge.catalogue import TABLE
from bridge.settings.document import Expanded, parse, typed
from bridge.settings.load import load
from bridge.settings.models import Settings
from bridge.settings.reference import options, schema, schema_text
from tests.unit.settings.given import KAFKA

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "config"
FILES = ("minimal.yaml", "reference.yaml", "production.yaml")


def tree(text: str) -> Any:
    document = parse(text, Expanded)
    assert not document.problems
    return document.value


def as_editors_see_it(value: Any) -> Any:
    """Numbers and booleans instead of text, as YAML's core schema has them."""
    return typed(value)


def test_the_schema_is_not_stale() -> None:
    stale = "stale: run `python -m bridge.settings.reference`"
    assert (CONFIG / "treble-bridge.schema.json").read_text(encoding="utf-8") == schema_text(), stale


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(schema_text()) == schema()


@pytest.mark.parametrize("name", FILES)
def test_each_file_names_its_schema_and_fits_it(name: str) -> None:
    text = (CONFIG / name).read_text(encoding="utf-8")
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    with (CONFIG / named[1]).open(encoding="utf-8") as file:
        validator = jsonschema.Draft202012Validator(json.load(file))
    assert [error.message for error in validator.iter_errors(as_editors_see_it(tree(text)))] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kafka: {bootstrap_servers: [a:1]}", "'sources' is a required property"),
        ("kafka: {bootstrap_servers: [a:1]}\nsources: {t: {}}", "'auth' is a required property"),
        ("kafka: {bootstrap_servers: [a:1]}\nsources: {t: {auth: none}}\nlog: {level: loud}", "is not valid"),
        ("kafka: {bootstrap_servers: [a:1]}\nsources: {t: {auth: none}}\nlgo: {}", "'lgo' was unexpected"),
        ("kafka: {bootstrap_servers: [a:1]}\nsources: {t: {auth: none}}\nserver: {max_body: big}", "is not valid"),
    ],
)
def test_the_schema_marks_what_the_loader_would_refuse(text: str, complaint: str) -> None:
    (error,) = jsonschema.Draft202012Validator(schema()).iter_errors(as_editors_see_it(tree(text)))
    assert complaint in error.message


def test_the_schema_takes_a_variable_in_every_scalar_place() -> None:
    value = {
        "server": {"listen": "${A}", "max_body": "${B}", "max_connections": "${C}", "ack_deadline": "${D:-3s}"},
        "kafka": {"bootstrap_servers": "${E}", "delivery": "${F}", "security": {"verify_hostname": "${G}"}},
        "sources": {"t": {"auth": "${H}", "rate_limit": {"rate": "${I}", "burst": "${J}"}}},
        "topics": {"map": {"message.read": "${K}", "unknown": {"drop": "${L}", "key": "${M}", "retention": "${N}"}}},
    }
    assert list(jsonschema.Draft202012Validator(schema()).iter_errors(value)) == []


def test_the_smallest_file_runs_and_nothing_in_it_can_be_left_out() -> None:
    text = (CONFIG / "minimal.yaml").read_text(encoding="utf-8")
    settings = load(CONFIG / "minimal.yaml", TABLE, variables={"TREBLE_TOKEN": "long-enough-token"}).settings
    assert settings.sources["treble"].path_of("treble") == "/webhooks/treble"
    assert tree(text).keys() == {"kafka", "sources"}
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"## The smallest file\n\n```yaml\n(.*?)```", page, re.DOTALL)
    assert tree(shown) == tree(text)


def test_the_production_file_runs_where_its_files_are(tmp_path: Path) -> None:
    text = (CONFIG / "production.yaml").read_text(encoding="utf-8")
    for path in set(re.findall(r"/(?:run/secrets|etc/treble-bridge)/[\w./-]+", text)):
        (tmp_path / Path(path).name).write_text(f"content-of-{Path(path).name}\n", encoding="utf-8")
    path = tmp_path / "bridge.yaml"
    path.write_text(re.sub(r"/(?:run/secrets|etc/treble-bridge(?:/tls)?)/", f"{tmp_path}/", text), encoding="utf-8")
    result = load(path, TABLE, variables={})
    assert result.warnings == ()
    assert result.settings.topics.topic_of("message.read") == result.settings.topics.topic_of("message.delivered")


def reference(*, uncommented: bool) -> str:
    """The reference; with `uncommented`, also what it shows as lines such as `#key: value`."""
    text = (CONFIG / "reference.yaml").read_text(encoding="utf-8")
    return re.sub(r"^(\s*)#(?=[a-z_.]+:)", r"\1", text, flags=re.MULTILINE) if uncommented else text


def test_the_reference_is_the_defaults(tmp_path: Path) -> None:
    variables = {"TREBLE_TOKEN": "long-enough-token"}
    (tmp_path / "least.yaml").write_text(
        KAFKA + 'sources: {treble: {auth: [{bearer: [{value: "${TREBLE_TOKEN}"}]}]}}\n',
        encoding="utf-8",
    )
    least = load(tmp_path / "least.yaml", TABLE, variables=variables).settings
    assert load(CONFIG / "reference.yaml", TABLE, variables=variables).settings == least


NAMED = {"sources", "topics.map", "events", "privacy.topics"}
"""Sections whose keys are names of the user's own."""


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every key of a tree, by the path that options have: names of one's own as {name}, list items as []."""
    found: dict[str, Any] = {}
    if isinstance(value, dict):
        for key, item in value.items():
            name = "{name}" if path in NAMED else key
            here = f"{path}.{name}" if path else name
            found |= {here: item, **({} if here == "events.{name}.when" else leaves(item, here))}
    elif isinstance(value, list):
        for item in value:
            # A secret, or a list of them, is one option; so is a header, or a list of them.
            found |= leaves(item, path if path.endswith((".bearer", ".header")) else f"{path}[]")
    return found


def test_the_reference_has_every_option_and_no_other() -> None:
    written = {path for path in leaves(tree(reference(uncommented=True))) if not path.endswith(".{name}")}
    assert written == {option.path for option in options()}


@pytest.mark.parametrize("option", [option for option in options() if option.default is not None], ids=lambda o: o.path)
def test_the_reference_has_each_option_at_its_default(option: Any) -> None:
    if option.path in NAMED:
        return  # shown by an example, whose keys are options of their own
    written = leaves(tree(reference(uncommented=True)))[option.path]
    field = option.section.model_fields[option.path.rpartition(".")[2]]
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    assert adapter.validate_python(written) == field.get_default(call_default_factory=True)


def test_the_reference_says_something_about_each_option() -> None:
    lines = reference(uncommented=True).splitlines()
    bare = [
        line
        for before, line in pairwise(lines)
        if re.match(r"\s+(- )?[a-z_.]+: \S", line) and "#" not in line and not before.strip().startswith("#")
    ]
    assert bare == []


def test_an_option_that_may_be_null_is_null_by_default() -> None:
    """A key without a value is a key that isn't there: with another default that would not be what null says."""
    for section in {option.section for option in options()} | {Settings}:
        for name, field in section.model_fields.items():
            if type(None) in get_args(field.annotation):
                assert field.default is None, f"{section.__name__}.{name}"
