"""One version: what states it agrees, a new one is written in one step, and a release checks tag and changelog."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from bridge.version import VERSION
from release.notes import ROOT, notes, sections
from release.version import CHART, GENERATED, THE_REST, WRITTEN, disagreeing, releasable, stated, write

PLACES = [*WRITTEN, *GENERATED, "CHANGELOG.md"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that state the version, to be changed."""
    for place in PLACES:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    return tmp_path


def test_everything_that_states_a_version_states_that_of_the_program() -> None:
    assert next(stated()) == ("bridge/version.py", VERSION)
    assert [path for path, _ in stated()].count(CHART) == 2
    assert disagreeing() == []


@pytest.mark.parametrize("version", ["7.8.9", "7.8.9-rc.1"])
def test_a_new_version_is_written_by_one_command_and_the_generators_do_the_rest(copy: Path, version: str) -> None:
    before = {place: (copy / place).read_text() for place in PLACES}
    write(version, copy)
    assert {line.partition(" ")[0] for line in disagreeing(copy)} == set(GENERATED)
    for place in WRITTEN:
        assert (copy / place).read_text() == before[place].replace(VERSION, version)
    newest, *older = sections((copy / "CHANGELOG.md").read_text())
    assert (newest.version, newest.date, newest.text) == (version, "Unreleased", "")
    assert older == sections(before["CHANGELOG.md"])
    write(version, copy)
    assert [section.version for section in sections((copy / "CHANGELOG.md").read_text())].count(version) == 1


def test_a_maintainer_is_told_of_all_that_writes_a_new_version() -> None:
    golden = list((ROOT / "tests" / "chart" / "golden").glob("*.yaml"))
    assert all(f"helm.sh/chart: treble-bridge-{VERSION}" in path.read_text(encoding="utf-8") for path in golden)
    steps = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8").partition("## Each time")[2]
    for step in THE_REST:
        assert f"   {step} " in steps
    assert find_spec(THE_REST[-1].rpartition(" ")[2]) is not None


@pytest.mark.parametrize("version", ["7", "7.8", "v7.8.9", "7.8.9 "])
def test_what_is_no_semantic_version_is_written_nowhere(copy: Path, version: str) -> None:
    with pytest.raises(ValueError, match="no semantic version"):
        write(version, copy)
    assert disagreeing(copy) == []


def test_a_tag_is_released_only_when_it_is_the_version_and_the_changelog_has_its_date(copy: Path) -> None:
    changelog = copy / "CHANGELOG.md"
    dated = changelog.read_text().replace(f"## [{VERSION}] - Unreleased", f"## [{VERSION}] - 2026-12-31")
    changelog.write_text(dated)
    assert releasable(f"v{VERSION}", copy) == []
    assert releasable("v9.9.9", copy) == [f"the tag is v9.9.9, bridge/version.py says {VERSION}"]
    changelog.write_text(dated.replace("2026-12-31", "Unreleased"))
    (problem,) = releasable(f"v{VERSION}", copy)
    assert "has no date" in problem
    changelog.write_text(dated.replace(f"## [{VERSION}]", "## [0.0.9]"))
    assert any("has no section" in problem for problem in releasable(f"v{VERSION}", copy))
    chart = copy / CHART
    chart.write_text(chart.read_text().replace(f"version: {VERSION}", "version: 9.9.9"))
    assert any(problem.startswith(CHART) for problem in releasable(f"v{VERSION}", copy))


CHANGES = """# Changelog

Words before.

## [0.3.0] - Unreleased

## [0.2.0] - 2026-12-01

### Added

- This.

## [0.1.0] - 2026-11-01

- That.
"""


def test_the_notes_of_a_version_are_its_section_and_nothing_else() -> None:
    assert notes(CHANGES, "0.2.0") == "### Added\n\n- This."
    assert notes(CHANGES, "0.1.0") == "- That."


@pytest.mark.parametrize(
    ("version", "why"), [("0.3.0", "has no date"), ("0.4.0", "has no section"), ("0.2", "has no section")]
)
def test_there_are_no_notes_of_what_is_not_released(version: str, why: str) -> None:
    with pytest.raises(LookupError, match=why):
        notes(CHANGES, version)


def test_an_empty_section_is_no_release() -> None:
    with pytest.raises(LookupError, match="is empty"):
        notes(CHANGES.replace("- That.", ""), "0.1.0")


def test_the_changelog_is_in_the_form_that_is_read() -> None:
    found = sections((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert len(found) == (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").count("\n## ")
    assert all(section.text for section in found)
    assert all(section.released for section in found[1:]), "only the newest may be without a date"
