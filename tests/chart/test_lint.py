"""Every values file of ci/: Helm finds nothing, Kubernetes knows each field, what is rendered is what was reviewed."""

import difflib

import pytest

from tests.chart.golden import GOLDEN, kept, rendered
from tests.chart.rendering import CHART, CI, OTHERS_KINDS, every_values_file, helm, kubernetes_knows, template


def test_there_are_value_files_for_the_ways_to_install() -> None:
    assert len(CI) >= 8
    assert sorted(path.stem for path in GOLDEN.glob("*.yaml")) == sorted(CI)


@every_values_file
def test_helm_lint_finds_nothing(name: str) -> None:
    done = helm("lint", "--strict", str(CHART), "--values", str(CI[name]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
    assert "Fail:" not in done.stdout + done.stderr  # lint goes on after one, and says so only in passing


@every_values_file
def test_what_is_rendered_is_what_was_reviewed(name: str) -> None:
    before = kept(name).read_text(encoding="utf-8").splitlines()
    now = rendered(name).splitlines()
    difference = "\n".join(difflib.unified_diff(before, now, str(kept(name)), "now", lineterm=""))
    assert not difference, f"if it is meant: `python -m tests.chart.golden`\n{difference}"


def test_every_field_is_one_that_kubernetes_knows() -> None:
    summary = kubernetes_knows("\n---\n".join(template(name) for name in CI))
    assert f"Skipped: {len(OTHERS_KINDS)}" in summary


@pytest.mark.parametrize("kube_version", ["1.27.0", "1.29.0", "1.33.0"])
def test_older_clusters_get_a_pre_stop_that_they_know(kube_version: str) -> None:
    text = template("minimal", kube_version=kube_version)
    assert ("exec: {command: [sleep" in text) == (kube_version < "1.30")
    assert ("sleep: {seconds: 5}" in text) == (kube_version >= "1.30")
