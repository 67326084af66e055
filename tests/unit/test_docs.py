"""The documentation says what is true: links lead somewhere, commands exist, examples work, lists are complete."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from bridge.auth import REASONS
from bridge.catalogue import HINTS, TABLE
from bridge.cli import COMMANDS, cli
from bridge.ingress import responses
from bridge.model import Entry, Event
from bridge.schemas.event import event_schema
from bridge.settings.load import load
from bridge.settings.models import Settings
from bridge.settings.reference import options
from bridge.telemetry.log_events import EVENTS, FIELDS
from bridge.transform import dead_letter
from bridge.transform.cloudevents import Encoder, envelope
from bridge.transform.normalize import examine
from bridge.transform.prepare import Preparer
from bridge.version import VERSION
from observability.metrics_page import metrics, series
from tests.doc_pages import DOCS, PARTS, with_parts

ROOT = DOCS.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), ROOT / "bench" / "README.md"]
BY_NAME = {str(page.relative_to(ROOT)): page for page in PAGES}
RECEIVED_MS = 1_782_141_549_104  # 2026-06-22T15:19:09.104000Z, as the README shows it

every_page = pytest.mark.parametrize("name", BY_NAME)


def text_of(name: str) -> str:
    return BY_NAME[name].read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(name), re.MULTILINE | re.DOTALL)


def prose(name: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text_of(name), flags=re.MULTILINE | re.DOTALL)


RENAMED = re.compile(r"^(\| [^|\n]+ \|)([^|\n]+)(\| [^|\n]+ \|)$", re.MULTILINE)


def renamed() -> str:
    """The table of names that were given up, in the changelog."""
    return (
        text_of("CHANGELOG.md").partition("\n### Changed before 1.0\n")[2].partition("\n**What is done otherwise**")[0]
    )


def without_former_names(name: str, text: str) -> str:
    """The text of a page, but for the column of former names in the changelog's table."""
    return text.replace(renamed(), RENAMED.sub(r"\1 \3", renamed())) if name == "CHANGELOG.md" else text


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made where Markdown is shown."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_relative_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        page = (BY_NAME[name].parent / path).resolve() if path else BY_NAME[name]
        assert page.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(page), f"{name} links to {target}, and that page has no such heading"


@pytest.mark.parametrize("file", PARTS)
def test_what_is_made_from_the_code_is_not_stale(file: str) -> None:
    page = (DOCS / file).read_text(encoding="utf-8")
    assert page == with_parts(page, PARTS[file]), "stale: run `python -m tests.doc_pages`"


def command_lines(name: str) -> Iterator[str]:
    """Every call of treble-bridge that a page shows, in a block or in a line."""
    text = text_of(name).replace("\\\n", " ")
    yield from re.findall(r"`(treble-bridge [^`\n]+)`", prose(name))
    for block in re.findall(r"^```(?:sh|console|ini)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if found := re.search(r"(?:^|[\s/=])(treble-bridge(?: .*)?)$", line.partition("  #")[0].rstrip()):
                yield found[1]


@every_page
def test_every_command_that_is_shown_exists_with_its_options(name: str) -> None:
    for line in command_lines(name):
        if re.search(r"[A-Z]{4,} --|COMMAND", line):  # a form, not a command
            continue
        command: click.Command = cli
        words = shlex.split(line.replace("…", "..."))[1:]
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            inner = command.get_command(click.Context(command), words.pop(0))
            assert inner is not None, f"{name}: {line}"
            command = inner
        # The parser alone: what a value must be, or that a file is there, is not the page's concern.
        _, left, _ = command.make_parser(click.Context(command)).parse_args(words)
        assert not left, f"{name}: {line}: there is no place for {left}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_table_and_has_help(command: str) -> None:
    assert f"| `treble-bridge {command}" in text_of("docs/reference.md")
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output


@every_page
def test_every_metric_that_is_named_exists(name: str) -> None:
    text = without_former_names(name, text_of(name))
    text = re.sub(r"\w+:treble_bridge_\w+:\w+", "", text)  # what a rule records
    assert set(re.findall(r"treble_bridge_[a-z_]*[a-z]", text)) <= {*metrics(), *series()}


@every_page
def test_every_option_and_log_event_that_is_named_exists(name: str) -> None:
    known_options = {option.path for option in options()}
    heads = {path.partition(".")[0] for path in [*known_options, *EVENTS]}
    fields = {field.name for field in FIELDS.values()}
    for word in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:: [^`]*)?`", without_former_names(name, prose(name))):
        if word.partition(".")[0] in heads and not word.endswith((".db", ".lock", ".py", ".yaml", ".md")):
            assert word in {*EVENTS, *known_options, *TABLE, *fields}, f"{name} names {word}"


def test_a_former_name_in_the_changelog_is_gone() -> None:
    kinds = ("| configuration", "| metric", "| log event")
    former = {
        name
        for kind, old, _ in RENAMED.findall(renamed())
        if kind.startswith(kinds)
        for name in re.findall(r"`((?:treble_bridge_|[a-z]+\.)[a-z_]+)`", old)
    }
    assert {"treble_bridge_lane_blocked", "lane.blocked", "kafka.lane_probe"} <= former
    assert not former & {*metrics(), *series(), *EVENTS, *(option.path for option in options())}


@every_page
def test_every_whole_configuration_that_is_shown_loads(name: str, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(name, "yaml")):
        if not all(re.search(rf"^{section}:", block, re.MULTILINE) for section in ("kafka", "sources")):
            continue
        path = tmp_path / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        variables = dict.fromkeys(re.findall(r"\$\{([A-Z_]+)", block), "a-long-enough-secret")
        assert load(path, TABLE, variables=variables).warnings == ()


def test_the_readme_shows_a_whole_configuration_of_ten_lines() -> None:
    (shown,) = blocks("README.md", "yaml")
    assert "kafka:" in shown
    assert len(shown.splitlines()) <= 10


def curls() -> list[tuple[str, str]]:
    """The URL and the body of each curl line in the README."""
    found = []
    for block in blocks("README.md", "sh"):
        for call in re.findall(r"^curl .*?(?:'$|\n\n|\Z)", block, re.MULTILINE | re.DOTALL):
            words = shlex.split(call.replace("\\\n", " "))
            found.append((next(word for word in words if "://" in word), words[words.index("-d") + 1]))
    return found


def event_of(url: str, body: str) -> Event:
    hint = url.rpartition("/")[2] if url.rpartition("/")[2] in HINTS else ""
    _, result = examine(Entry(1, RECEIVED_MS, "treble", hint, b"", body.encode()), None)
    assert isinstance(result, Event), f"{url}: {result}"
    return result


def test_every_body_that_is_posted_is_the_event_that_its_url_or_its_event_type_says() -> None:
    assert len(curls()) >= 2
    for url, body in curls():
        event = event_of(url, body)
        value = json.loads(body)
        meant = next((name for name, kind in TABLE.items() if kind.treble == value.get("event_type")), None)
        assert event.type == (meant or HINTS[url.rpartition("/")[2]])
        assert event.notes == ()


def test_the_record_that_the_readme_shows_is_that_of_its_first_webhook() -> None:
    event = event_of(*curls()[0])
    value = json.loads(next(block for block in blocks("README.md", "json") if "schema_version" in block))
    del value["raw"]
    made = {key: part for key, part in envelope(event).items() if key != "raw"}
    assert value == json.loads(json.dumps(made))
    record = Encoder("cloudevents-binary").record(event, "treble.message.read", b"s-1042")
    for header, text in record.headers:
        assert f"\n    {header}: {text.decode()}\n" in text_of("README.md")


WHATSAPP = {"business_scope_id": "CO.134", "user_id": "CO.ENT.9", "username": "ana.c"}
FLOW_BODY = {
    "event_id": "e-1",
    "country_code": "+57",
    "cellphone": "3005550134",
    **WHATSAPP,
    "session_id": "s-1042",
    "conversation_id": 48213,
    "user_session_keys": [{"key": "name", "value": "Ana", "type": None}],
    "read_at": "2026-06-22 15:19:08",
}
ACCOUNT_BODY = {
    "event_type": "session.close",
    "event_id": "e-1",
    "timestamp": "2026-06-22T15:19:08.000Z",
    "user": {"country_code": "+57", "cellphone": "3005550134", **WHATSAPP},
    "session": {"external_id": "s-1042"},
    "user_session_keys": [{"key": "name", "value": "Ana", "type": None}],
}


def at(value: Any, path: str) -> Any:
    """What is at a dotted path, None without it."""
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def enveloped(body: dict[str, Any], without: str = "") -> Any:
    """The envelope of a body, with a dotted path left out of it; nothing where it is no event then."""
    body = json.loads(json.dumps(body))
    folder, _, last = without.rpartition(".")
    (at(body, folder) if folder else body).pop(last, None)
    _, result = examine(Entry(1, RECEIVED_MS, "treble", "", b"", json.dumps(body).encode()), None)
    return {**envelope(result), "raw": body} if isinstance(result, Event) else {}


def envelope_rows() -> list[list[str]]:
    section = text_of("docs/events.md").partition("\n## The envelope\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in section.splitlines() if row[:3] == "| `"]


def test_the_envelope_stands_at_the_top_of_the_events_with_all_its_keys() -> None:
    text = text_of("docs/events.md")
    assert text.index("\n## The envelope\n") == text.index("\n## ")
    named = {row[0].strip("`").partition(".")[0] for row in envelope_rows()}
    assert named == set(event_schema(TABLE["message.read"])["properties"])


@pytest.mark.parametrize(("column", "body"), [(2, FLOW_BODY), (3, ACCOUNT_BODY)])
def test_the_envelope_has_what_comes_under_trebles_words_and_loses_it_without_them(
    column: int, body: dict[str, Any]
) -> None:
    checked = 0
    for row in envelope_rows():
        key, words = row[0].strip("`"), re.findall(r"`([a-z_.]+)`", row[column])
        if key in {"session_id", "flow_id", "session_keys"} or (key.startswith("contact.") and words):
            assert (at(enveloped(body), key) is not None) == bool(words), key
            assert all(not at(enveloped(body, word), key) for word in words), key
            checked += 1
        assert all(at(body, word) is not None for word in words), f"{key}: {words}"
    assert checked == 9


def test_the_story_of_a_conversation_can_be_told_from_the_one_topic_that_the_page_makes() -> None:
    (shown,) = blocks("docs/topics.md", "yaml")
    preparer = Preparer(
        Settings.model_validate(
            {
                "kafka": {"bootstrap_servers": ["kafka:9092"]},
                "sources": {"treble": {"auth": "none"}},
                **yaml.safe_load(shown),
            }
        ),
        "",
    )
    story = {name: where for name, where in preparer.destinations.items() if where.topic == "treble.messages"}
    assert set(story) == {*(name for name in TABLE if name.startswith("message.")), "conversation.closed"}
    assert {TABLE[name].key for name in story} == {"session"}
    assert {TABLE[name].key for name in ("hsm.status_changed", "deployment.failed")} == {"template", "contact"}
    assert preparer.destinations["contact.opted_out"].topic == "treble.contact.opted_out"


def test_every_answer_is_in_the_contract_with_its_status() -> None:
    made = [value for value in vars(responses).values() if isinstance(value, responses.Response)]
    made += [responses.unauthorized("Bearer"), responses.rate_limited(1), responses.accepted()]
    outcomes = text_of("docs/metrics.md").partition("| `outcome` of requests |")[2].partition("\n")[0]
    for answer in made:
        assert f"`{answer.outcome}`" in outcomes
        if answer.status == 200 or answer is responses.CLIENT_GONE:
            continue
        slug = json.loads(answer.body)["type"].removeprefix(responses.PROBLEM_PREFIX)
        assert f"| {answer.status} | `{slug}` |" in text_of("docs/contract.md")
        if answer.reason and answer.reason not in {"journal_full", "journal_failed"}:
            assert f"`{answer.reason}`" in text_of("docs/runbook.md")


def test_every_reason_of_a_refusal_or_a_quarantine_is_explained() -> None:
    for reason in dead_letter.REASONS:
        assert f"| `{reason}` |" in text_of("docs/contract.md")
    page = text_of("docs/runbook.md").partition("## Many 401")[2].partition("## ")[0]
    assert set(re.findall(r"`([a-z]+)`(?=[,| ])", page)) >= set(REASONS)


def test_the_file_map_names_every_package_and_module_and_nothing_else() -> None:
    page = text_of("docs/architecture.md")
    parts = {path for path in (ROOT / "bridge").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert len(parts) > 15
    for part in parts:
        assert f"`bridge/{part.name}{'/' if part.is_dir() else ''}`" in page


@every_page
def test_every_file_of_the_project_that_is_named_exists(name: str) -> None:
    for path in re.findall(
        r"`((?:bridge|tests|config|docs|bench|requirements)/[\w./-]*)`", without_former_names(name, prose(name))
    ):
        assert (ROOT / path).exists(), f"{name} names {path}"


def test_every_decision_is_in_the_index_and_says_what_was_decided() -> None:
    index = text_of("docs/decisions/README.md")
    for path in (DOCS / "decisions").glob("0*.md"):
        text = path.read_text(encoding="utf-8")
        title = re.match(r"# \d+\. (.+)", text)
        assert title is not None
        assert f"[{title[1]}]({path.name})" in index
        if path.stem != "0012-dependencies":
            assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")), path.name


def test_every_runtime_dependency_has_its_reason() -> None:
    page = text_of("docs/decisions/0012-dependencies.md")
    (listed,) = re.findall(
        r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL
    )
    for package in re.findall(r'"([a-z-]+)', listed):
        assert re.search(rf"^\| [^|]*\b{package}\b", page, re.MULTILINE), package


def test_the_changelog_has_this_version_and_the_licence_is_whole() -> None:
    assert f"## [{VERSION}]" in text_of("CHANGELOG.md")
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
