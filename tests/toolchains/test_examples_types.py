"""The examples' types follow the schemas that are shipped."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bridge.catalogue import TABLE
from bridge.catalogue.samples import hint_for, sample
from bridge.transform.prepare import Preparer
from examples.schema import bundle
from examples.schema.generators import GENERATORS
from examples.schema.workshop import EXAMPLES, UnavailableError
from tests.toolchains.consumers import leave_out
from tests.unit.webhooks import entry, settings

STALE = "stale: run `make types`"

pytestmark = pytest.mark.timeout(600)  # the first run fetches


def bundled() -> Any:
    return json.loads(bundle.FILE.read_text())


def test_the_one_schema_is_made_of_the_shipped_ones() -> None:
    assert bundle.FILE.read_text() == bundle.text(), STALE


@pytest.mark.parametrize("event_type", TABLE)
def test_every_sample_fits_the_one_schema(event_type: str) -> None:
    preparer = Preparer(settings(), "j")
    for variant in TABLE[event_type].samples:
        record = preparer.prepare(entry(sample(event_type, variant=variant), hint_for(event_type))).record
        assert record is not None
        Draft202012Validator(bundled()).validate({event_type: json.loads(record.value)})


def test_the_one_schema_still_tells_the_types_apart() -> None:
    validator = Draft202012Validator(bundled())
    record = Preparer(settings(), "j").prepare(entry(sample("message.read"), "read")).record
    assert record is not None
    assert not validator.is_valid({"message.delivered": json.loads(record.value)})


def test_equal_objects_share_a_name_and_different_ones_get_that_of_their_event() -> None:
    def event(name: str, member: str) -> Any:
        place = {"type": "object", "properties": {member: {"type": "string"}}}
        return {"title": f"{name}Event", "type": "object", "properties": {"place": place}}

    made = bundle.bundle({"a": event("A", "x"), "b": event("B", "x"), "c": event("C", "y")})["$defs"]
    places = {name: made[f"{name}Event"]["properties"]["place"]["$ref"] for name in "ABC"}
    assert places == {"A": "#/$defs/Place", "B": "#/$defs/Place", "C": "#/$defs/CPlace"}


@pytest.mark.parametrize("language", GENERATORS)
def test_the_types_are_those_that_the_generator_makes_today(language: str, tmp_path: Path) -> None:
    generated, generate = GENERATORS[language]
    (tmp_path / generated).parent.mkdir(parents=True, exist_ok=True)
    try:
        generate(tmp_path)
    except UnavailableError as error:
        leave_out(language, error)
    assert texts(EXAMPLES / language / generated) == texts(tmp_path / generated), STALE


def texts(place: Path) -> dict[str, str]:
    """The file, or the files below the folder, by name."""
    files = [place] if place.is_file() else place.rglob("*.*")
    return {file.relative_to(place.parent).as_posix(): file.read_text() for file in files}


def test_the_python_example_is_typed_as_strictly_as_the_bridge(tmp_path: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path, "consumer.py"],
        cwd=EXAMPLES / "python", capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_lock_file_names_a_registry() -> None:
    locks = ["typescript/package-lock.json", "go/go.sum", "java/pom.xml", "python/requirements-types.txt"]
    for name in locks:
        text = (EXAMPLES / name).read_text()
        assert '"resolved"' not in text, name
        assert "<repository>" not in text, name
        assert "index-url" not in text, name
