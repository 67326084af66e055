"""The table of event types is data, in one place, and a new type is one declaration."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge.catalogue import HINTS, TABLE
from bridge.catalogue.table import tabled

# What is promised to those who configure URLs and topics; a change here breaks them.
PROMISED = {
    "message.read": ("read", "session"),
    "message.delivered": ("delivered", "session"),
    "message.responded": ("response", "session"),
    "message.timed_out": ("timeout", "session"),
    "contact.opted_out": ("opt-out", "session"),
    "condition.evaluated": ("condition", "session"),
    "conversation.closed": ("session-close", "session"),
    "hsm.status_changed": ("hsm-status", "template"),
    "deployment.failed": ("deployment-failure", "contact"),
}

NEW_TYPE = """
MESSAGE_REACTED = EventType(
    name="message.reacted",
    treble="reaction",
    family=FLOW,
    fires="When the person reacted with an emoji.",
    hints=("reaction",),
    evidence=(Evidence(("reacted_at",), rank=45),),
    own_time=("reacted_at",),
    fields=(Field("reacted_at", time("When.")), Field("emoji", text("With what."))),
    event_id=EventIdRule(("session_id", "reacted_at", "emoji"), (("reacted_at",),), "body"),
    samples={"usual": lambda scene: {**flow_body(scene), "reacted_at": naive(scene.at), "emoji": "x"}},
)
"""

USE = """
import orjson
from bridge.catalogue import HINTS, TABLE, classify
from bridge.model import Entry
from bridge.transform.prepare import Preparer
from bridge.catalogue.samples import hint_for, sample
from bridge.settings.models import Settings
body = sample("message.reacted", 3)
assert classify(body, "").event_type == "message.reacted" == HINTS[hint_for("message.reacted")]
settings = Settings.model_validate(
    {"kafka": {"bootstrap_servers": ["k:1"]}, "sources": {"treble": {"auth": "none"}}}
)
preparer = Preparer(settings, "j")
prepared = preparer.prepare(Entry(1, 0, "treble", "", b"", orjson.dumps(body)))
assert prepared.topic == "treble.message.reacted" and prepared.topic in preparer.topics()
print(orjson.loads(prepared.record.value)["data"]["emoji"])
"""

SHOW = """
import orjson, sys
from bridge import schemas
from bridge.schemas import generate
assert generate.stale() == ["v1/asyncapi.json", "v1/message.reacted.json"]
sys.argv = ["generate"]
assert generate.main() == 0 and generate.stale() == []
schema = orjson.loads(schemas.text("message.reacted"))
assert schema["$id"] == "urn:treble-bridge:schema:message.reacted:v1"
assert schema["properties"]["data"]["properties"]["emoji"]["description"] == "With what."
document = orjson.loads(schemas.text("asyncapi"))
assert "message.reacted" in document["channels"]["treble.message.reacted"]["messages"]
assert document["components"]["messages"]["message.reacted"]["examples"][0]["payload"]["data"]["emoji"] == "x"
from tests.doc_pages import PARTS
assert any("## `message.reacted`" in line for line in PARTS["events.md"]["event types"]())
from bridge.cli import cli
cli(["schemas", "show", "message.reacted"])
"""


def test_the_nine_types_have_the_hints_and_keys_that_are_promised() -> None:
    found = {name: (*event_type.hints, event_type.key) for name, event_type in TABLE.items() if name != "unknown"}
    assert found == PROMISED
    assert {hint: name for name, (hint, _) in PROMISED.items()} == HINTS


def test_an_event_type_without_a_known_name_is_in_the_table_and_has_no_hint() -> None:
    assert TABLE["unknown"].hints == ()
    assert TABLE["unknown"].key == "session"


@pytest.mark.parametrize("name", TABLE)
def test_every_type_says_what_people_need_to_know(name: str) -> None:
    event_type = TABLE[name]
    assert event_type.samples
    assert event_type.fires.endswith(".")
    assert event_type.family.configured.endswith(".")


@pytest.fixture(scope="module")
def with_one_type_more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program with one declaration more: nothing else was edited."""
    root = tmp_path_factory.mktemp("copy")
    package = Path(bridge.__file__).parent
    shutil.copytree(package, root / "bridge", ignore=shutil.ignore_patterns("__pycache__"))
    with (root / "bridge" / "catalogue" / "flow_events.py").open("a", encoding="utf-8") as module:
        module.write(NEW_TYPE)
    (root / "tests").mkdir()
    # What the makers of pages import beside the program.
    shutil.copytree(package.parent / "observability", root / "observability")
    files = Path("helm", "treble-bridge", "files")
    shutil.copytree(package.parent / files, root / files)
    for page_maker in (package.parent / "tests").glob("doc_*.py"):
        shutil.copy(page_maker, root / "tests")
    return root


def run_in(root: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=root
    )
    assert done.stderr == ""
    return done.stdout


def test_a_new_event_type_is_one_declaration(with_one_type_more: Path) -> None:
    assert run_in(with_one_type_more, USE) == "x\n"


def test_its_schema_its_messages_and_its_documentation_follow_from_that_declaration(with_one_type_more: Path) -> None:
    assert json.loads(run_in(with_one_type_more, SHOW))["title"] == "MessageReactedEvent"


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ("name", "name message.read"),
        ("hints", "hint read"),
        ("treble", "word of Treble's read"),
        ("evidence", "rank 20"),
    ],
)
def test_two_types_that_claim_the_same_are_refused(kept: str, message: str) -> None:
    first = TABLE["message.read"]
    others: dict[str, Any] = {"name": "other", "hints": ("other",), "treble": "other", "evidence": ()}
    del others[kept]
    with pytest.raises(ValueError, match=message):
        tabled([first, replace(first, **others)])
