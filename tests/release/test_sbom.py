"""The SBOM is CycloneDX, names every locked package with its hashes and who needs it, and is the same each time."""

import json
import re
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bridge.version import VERSION
from release.sbom import LOCK, as_text, sbom

PROJECT = f"pkg:pypi/treble-bridge@{VERSION}"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return sbom()


def locked() -> dict[tuple[str, str], set[str]]:
    """Name and version of each package in the lock file → its hashes."""
    requirements = re.split(r"\n(?=\S)", LOCK.read_text(encoding="utf-8"))
    found = {}
    for requirement in requirements:
        name, version = requirement.split(" ", 1)[0].split("==")
        found[name, version] = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", requirement))
    return found


def test_it_is_cyclonedx(document: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(as_text(document)) is None
    assert document["bomFormat"] == "CycloneDX"


def test_the_project_itself_is_what_it_is_about(document: dict[str, Any]) -> None:
    root = document["metadata"]["component"]
    assert (root["name"], root["version"], root["purl"]) == ("treble-bridge", VERSION, PROJECT)
    assert root["licenses"][0]["license"]["id"] == "Apache-2.0"


def test_every_locked_package_is_in_it_with_its_version_and_hashes_and_nothing_else(document: dict[str, Any]) -> None:
    listed = {
        (one["name"], one["version"]): {found["content"] for found in one["hashes"] if found["alg"] == "SHA-256"}
        for one in document["components"]
    }
    assert listed == locked()
    assert all(one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" for one in document["components"])


def test_it_says_who_needs_whom(document: dict[str, Any]) -> None:
    needs = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    refs = {one["bom-ref"] for one in document["components"]}
    assert set(needs) == {PROJECT, *refs}
    assert {re.split(r"[/@]", ref)[1] for ref in needs[PROJECT]} >= {"aiohttp", "aiokafka", "apsw", "opentelemetry-sdk"}
    reached, ahead = set(), [PROJECT]
    while ahead:
        ahead += [ref for ref in needs[ahead.pop()] if ref not in reached and not reached.add(ref)]  # type: ignore[func-returns-value]
    assert reached == refs, "nothing is there that nobody needs"


def test_it_is_the_same_each_time_and_names_no_index(document: dict[str, Any]) -> None:
    assert sbom() == document
    addresses = set(re.findall(r"[a-z]+://[^\"\s]+", json.dumps(document)))
    assert addresses <= {"http://cyclonedx.org/schema/bom-1.6.schema.json"}
    assert "timestamp" not in document["metadata"]
    assert "serialNumber" not in document
