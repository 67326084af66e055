"""The workflows of GitHub Actions name what exists, may do little, and run only what is pinned."""

import itertools
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from release.notes import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(path.name for path in FOLDER.glob("*.y*ml"))
MAY_WRITE = {
    ("release.yml", "packages", "id-token"),
    ("release.yml", "packages", "attestations"),
    ("release.yml", "image", "packages"),
    ("release.yml", "image", "id-token"),
    ("release.yml", "chart", "packages"),
    ("release.yml", "chart", "id-token"),
    ("release.yml", "index", "id-token"),
    ("release.yml", "github", "contents"),
}
"""Every permission to write that a job has. A new one needs a reason, and a line here."""
HOST = re.compile(r"\b[a-z0-9-]+\.(?:com|dev|io|net|org)\b")

every_workflow = pytest.mark.parametrize("name", WORKFLOWS)


@cache
def workflow(name: str) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


def jobs(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from workflow(name)["jobs"].items()


def steps(name: str) -> Iterator[dict[str, Any]]:
    for _, job in jobs(name):
        yield from job.get("steps", ())


def scripts(name: str) -> Iterator[str]:
    for step in steps(name):
        if "run" in step:
            yield step["run"]


def test_tests_run_for_each_change_and_before_a_release() -> None:
    assert WORKFLOWS == ["release.yml", "test.yml"]
    triggers = workflow("test.yml")[True]  # YAML 1.1 takes `on` for a boolean
    assert {"push", "pull_request", "workflow_call"} == set(triggers)
    assert workflow("release.yml")[True] == {"push": {"tags": ["v*"]}}
    release = dict(jobs("release.yml"))
    assert release["test"]["uses"] == "./.github/workflows/test.yml"

    def waits_for(job: str) -> set[str]:
        needed = release[job].get("needs", [])
        needed = [needed] if isinstance(needed, str) else needed
        return {*needed, *itertools.chain.from_iterable(map(waits_for, needed))}

    for job in ("packages", "image", "chart", "index", "github"):
        assert {"verify", "test"} <= waits_for(job)
    assert {"packages", "image", "chart"} <= waits_for("index"), "what can't be taken back comes last"


@every_workflow
def test_jobs_have_few_permissions_a_bound_and_do_not_run_beside_themselves(name: str) -> None:
    assert workflow(name)["permissions"] == {}
    assert workflow(name)["concurrency"]["group"]
    for job, given in jobs(name):
        assert "permissions" in given, job
        writes = {(name, job, scope) for scope, access in given["permissions"].items() if access != "read"}
        assert writes <= MAY_WRITE
        assert "uses" in given or given["timeout-minutes"] <= 60, job
        assert given.get("runs-on", "ubuntu-24.04") == "ubuntu-24.04"


def test_no_permission_is_listed_that_nobody_has() -> None:
    for name, job, scope in MAY_WRITE:
        assert dict(jobs(name))[job]["permissions"][scope] == "write"


def test_every_action_is_pinned_to_one_commit_with_its_version_beside_it() -> None:
    pins = defaultdict(set)
    for name in WORKFLOWS:
        for used in re.findall(r"uses: (.+)", (FOLDER / name).read_text(encoding="utf-8")):
            if not used.startswith("./"):
                pinned = re.fullmatch(r"([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", used)
                assert pinned is not None, used
                pins[pinned[1]].add(used)
    assert len(pins) > 10
    assert all(len(each) == 1 for each in pins.values())


@every_workflow
def test_every_target_module_and_path_that_is_named_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for script in scripts(name):
        assert set(re.findall(r"\bmake ([a-z-]+)", script)) <= targets
        for module in re.findall(r"python -m ([\w.]+)", script):
            assert find_spec(module) is not None, module
    text = (FOLDER / name).read_text(encoding="utf-8")
    for path in re.findall(
        r"(?<![\w./-])((?:\.github|bridge|config|deploy|docs|helm|requirements|tests)/[\w./-]+)", text
    ):
        assert (ROOT / path).exists(), path


@every_workflow
def test_scripts_are_bash_and_nothing_is_pasted_into_them(name: str) -> None:
    assert workflow(name)["defaults"]["run"]["shell"] == "bash"
    for script in scripts(name):
        assert "${{" not in script, "a value comes by the environment: as text of the script it could be a command"
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=10, check=False)
        assert done.returncode == 0, done.stderr


@every_workflow
def test_no_registry_is_named_and_no_checkout_keeps_its_credentials(name: str) -> None:
    assert not HOST.search((FOLDER / name).read_text(encoding="utf-8"))
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_every_python_that_the_package_names_is_tested() -> None:
    classifiers = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', classifiers)
    assert workflow("test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == named


def test_secrets_are_used_only_where_somebody_can_be_asked_first() -> None:
    for name in WORKFLOWS:
        for job, given in jobs(name):
            if "secrets." in yaml.safe_dump(given):
                assert given.get("environment"), f"{name}: {job}"


def test_dependabot_looks_where_there_is_something() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    found = {one["package-ecosystem"]: ROOT / one["directory"].lstrip("/") for one in updates}
    assert any(found["pip"].glob("*.txt"))
    composed = yaml.safe_load((found["docker-compose"] / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert any(re.search(r":[\w.]+$", service["image"]) for service in composed.values())
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    stages = re.findall(r"^FROM .* AS (\w+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    named = [base for base in bases if "$" not in base and base not in stages]
    assert ("docker" in found) == bool(named), "an image by an argument is not seen, so an entry would do nothing"
    assert found["github-actions"] == Path(ROOT)


def test_the_steps_for_a_maintainer_name_what_the_workflows_use() -> None:
    page = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8")
    text = (FOLDER / "release.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"\b(?:vars|secrets)\.([A-Z_]+)", text)) | set(re.findall(r"environment: (\w+)", text))
    assert len(used) >= 5
    for name in used:
        assert f"`{name}`" in page, name


def test_what_people_are_sent_to_for_a_vulnerability_is_among_the_settings_to_be_made() -> None:
    assert "*Report a vulnerability*" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    once = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8").partition("## Once")[2].partition("\n## ")[0]
    assert "| Private vulnerability reporting |" in once


def test_actionlint_finds_nothing() -> None:
    found = shutil.which("actionlint")
    if found is None:
        pytest.skip("actionlint is not on PATH: what it knows of workflows is not looked at")
    done = subprocess.run([found], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
