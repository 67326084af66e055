"""The workflows' jobs give their commands what these ask for: run in bash, with stand-ins for Docker, kind and Helm."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from release.notes import ROOT
from tests.cluster import kubernetes
from tests.release.test_workflows import steps, workflow

STAND_INS = """
docker() { printf 'docker %s\\n' "$*"; }
kind() {
  printf 'kind %s\\n' "$*"
  while [[ $# -gt 0 ]]; do
    if [[ $1 == --kubeconfig ]]; then echo a-cluster > "$2"; fi
    shift
  done
}
python() { touch treble-bridge-1.2.3.tgz; echo treble-bridge-1.2.3.tgz; }
helm() { printf 'helm %s\\n' "$*"; printf 'Digest: sha256:0123\\n'; }
cosign() { printf 'cosign %s\\n' "$*"; }
"""
"""Functions in place of programs: each says how it was called."""


class Runner:
    """Runs the scripts of a job one after the other, as GitHub does: in one folder, with what `$GITHUB_ENV` says."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.calls: list[str] = []
        self.outputs: dict[str, str] = {}
        self._folder = folder
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "RUNNER_TEMP": str(folder), **environment}

    def run(self, script: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """One step. What it adds to `$GITHUB_ENV` and `$GITHUB_OUTPUT` is kept."""
        files = {name: self._folder / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT")}
        for file in files.values():
            file.write_text("")
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail"],
            input=STAND_INS + script,
            env={**self.environment, **more, **{name: str(file) for name, file in files.items()}},
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        self.calls += done.stdout.splitlines()
        for name, into in (("GITHUB_ENV", self.environment), ("GITHUB_OUTPUT", self.outputs)):
            for line in files[name].read_text().splitlines():
                key, _, value = line.partition("=")
                into[key] = value
        return done


def job(name: str, of: str = "test.yml") -> dict[str, Any]:
    found: dict[str, Any] = workflow(of)["jobs"][name]
    return found


def before_make(name: str) -> Iterator[str]:
    """The scripts of a job up to the one that runs its tests."""
    for step in job(name)["steps"]:
        script = step.get("run", "")
        if script.startswith("make "):
            return
        if script:
            yield script


@pytest.fixture
def cluster(tmp_path: Path) -> Runner:
    """The job `cluster`, just before its tests."""
    runner = Runner(tmp_path, job("cluster")["env"])
    for script in before_make("cluster"):
        done = runner.run(script)
        assert done.returncode == 0, done.stderr
    return runner


def asked_for(folder: str) -> set[str]:
    """Environment variables that the tests of a folder read."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / folder).glob("*.py"))
    return set(re.findall(r"environ\.get\(\"(\w+)\"", text))


def test_the_tests_on_a_cluster_are_told_which_one(cluster: Runner) -> None:
    assert Path(cluster.environment["KUBECONFIG"]).read_text() == "a-cluster\n"


def test_the_job_says_all_that_the_tests_on_a_cluster_ask_for(cluster: Runner) -> None:
    optional = {"BRIDGE_TEST_KEEP_NAMESPACE", "BRIDGE_TEST_IMAGE_LOADER"}  # without a loader the images are there
    assert asked_for("cluster") - optional <= cluster.environment.keys()
    assert cluster.environment[kubernetes.REQUIRE] == "1"


def test_the_images_are_on_the_node_and_were_in_the_local_store_before(cluster: Runner) -> None:
    assert "BRIDGE_TEST_IMAGE_LOADER" not in cluster.environment
    bridge, kafka = (cluster.environment[name] for name in ("BRIDGE_TEST_IMAGE", "BRIDGE_TEST_KAFKA_IMAGE"))
    *before, save, load = map(shlex.split, cluster.calls)
    assert ["docker", "pull", "--quiet", kafka] in before
    assert ["docker", "build", "--tag", bridge, "."] in before
    assert save[:4] == ["docker", "save", "--platform", "linux/amd64"]
    assert save[-2:] == [bridge, kafka]
    assert load == ["kind", "load", "image-archive", save[save.index("--output") + 1]]


def test_one_version_of_kafka_is_tested_everywhere() -> None:
    composed = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["kafka"]["image"]
    broker = (ROOT / "tests" / "cluster" / "broker.py").read_text(encoding="utf-8")
    assert re.findall(r'"BRIDGE_TEST_KAFKA_IMAGE", "([^"]+)"', broker) == [composed]
    assert job("cluster")["env"]["BRIDGE_TEST_KAFKA_IMAGE"] == composed


def test_the_base_of_the_image_is_in_the_local_store_for_the_tests_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes((ROOT / "Dockerfile").read_bytes())
    runner = Runner(tmp_path, job("container").get("env", {}))
    for script in before_make("container"):
        assert runner.run(script).returncode == 0
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"docker pull --quiet {base}" in runner.calls


def test_every_download_names_what_it_takes_and_an_earlier_job_made_it() -> None:
    made: dict[str, str] = {}
    for name, given in workflow("release.yml")["jobs"].items():
        for step in given.get("steps", ()):
            artifact = step.get("with", {}).get("name", "")
            if step.get("uses", "").startswith("actions/upload-artifact@"):
                made[artifact] = name
            if step.get("uses", "").startswith("actions/download-artifact@"):
                assert artifact in made, f"{name}: what other actions leave would come along"
    assert set(made) == {"packages", "beside", "chart"}


def test_no_build_leaves_a_record_among_the_artifacts() -> None:
    builds = [step for step in steps("release.yml") if step.get("uses", "").startswith("docker/build-push-action@")]
    assert builds
    assert all(step["env"]["DOCKER_BUILD_RECORD_UPLOAD"] == "false" for step in builds)


def test_the_release_holds_the_files_of_all_jobs_and_their_checksums(tmp_path: Path) -> None:
    for step in job("github", "release.yml")["steps"]:
        if "download-artifact@" in step.get("uses", ""):
            folder = tmp_path / step["with"]["path"]
            folder.mkdir(exist_ok=True)
            files = {"packages": ["b.whl", "b.tar.gz"], "chart": ["b.tgz"], "beside": ["b.cdx.json", "notes.md"]}
            for file in files[step["with"]["name"]]:
                (folder / file).write_text(file)
        else:
            script = f"gh() {{ printf '%s\\n' \"$@\"; }}\n{step['run']}"
    names = {"GITHUB_REF_NAME": "v1.2.3-rc.1", "GITHUB_REPOSITORY": "acme/bridge", "VERSION": "1.2.3-rc.1"}
    runner = Runner(tmp_path, names)
    done = runner.run(script)
    assert done.returncode == 0, done.stderr
    expected = {"b.whl", "b.tar.gz", "b.tgz", "b.cdx.json"}
    assert {Path(word).name for word in runner.calls if word.startswith("release/")} == {*expected, "SHA256SUMS"}
    assert {line.split()[1] for line in (tmp_path / "release" / "SHA256SUMS").read_text().splitlines()} == expected
    assert "--prerelease" in runner.calls
    assert (tmp_path / runner.calls[runner.calls.index("--notes-file") + 1]).name == "notes.md"


def charts(tmp_path: Path, name: str, repository: str = "") -> tuple[str, str]:
    """Where the job `verify` says that charts go, and what it says instead."""
    (checks,) = (step for step in job("verify", "release.yml")["steps"] if step.get("id") == "places")
    runner = Runner(tmp_path, {"REGISTRY": "registry.example", "NAME": name, "CHARTS": repository})
    done = runner.run(checks["run"])
    assert (done.returncode == 0) == ("charts" in runner.outputs)
    return runner.outputs.get("charts", ""), done.stderr


@pytest.mark.parametrize(
    ("name", "repository", "place"),
    [
        ("acme/treble-bridge", "", "acme/charts"),
        ("acme/crm/treble-bridge", "", "acme/crm/charts"),
        ("acme/treble-bridge", "acme-charts", "acme-charts"),
        ("acme/treble-bridge-image", "acme", "acme"),
        ("treble-bridge", "helm/charts", "helm/charts"),
    ],
)
def test_the_chart_goes_beside_the_image_or_where_the_variable_says(
    tmp_path: Path, name: str, repository: str, place: str
) -> None:
    assert charts(tmp_path, name, repository) == (place, "")


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("treble-bridge", ""),  # beside what?
        ("acme/treble-bridge", "acme"),  # the chart would take the image's own name, and its tag
        ("acme/treble-bridge", "/charts"),
        ("acme/treble-bridge", "charts/"),
        ("acme/treble-bridge", "./charts"),
        ("acme/treble-bridge", "acme/../charts"),
        ("acme/treble-bridge", "Acme/charts"),
        ("acme/treble-bridge", "oci://registry.example/charts"),
    ],
)
def test_a_place_where_no_chart_can_be_is_refused_before_anything_is_made(
    tmp_path: Path, name: str, repository: str
) -> None:
    place, said = charts(tmp_path, name, repository)
    assert place == ""
    assert "CHART_REPOSITORY" in said


def test_the_chart_is_pushed_and_signed_where_verify_said(tmp_path: Path) -> None:
    (step,) = (step for step in job("chart", "release.yml")["steps"] if "helm push" in step.get("run", ""))
    assert "needs.verify.outputs.charts" in step["env"]["CHARTS"]
    given = {"CHARTS": "registry.example/acme/charts", "REGISTRY": "registry.example", "NAME": "acme/treble-bridge"}
    runner = Runner(tmp_path, {**given, "DIGEST": "sha256:4567"})
    done = runner.run(step["run"])
    assert done.returncode == 0, done.stderr
    assert any("oci://registry.example/acme/charts " in call for call in runner.calls if call.startswith("helm push"))
    assert "cosign sign --yes registry.example/acme/charts/treble-bridge@sha256:0123" in runner.calls
