"""The released chart names the released image, and is the chart in every other respect."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from bridge.version import VERSION
from release.chart import CHART, naming_image, package

REPOSITORY = "registry.example/acme/treble-bridge"
DIGEST = "sha256:" + "0123456789abcdef" * 4
VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")


def test_its_values_name_the_image_by_digest_and_are_else_the_same() -> None:
    changed = naming_image(VALUES, REPOSITORY, DIGEST)
    before, after = yaml.safe_load(VALUES), yaml.safe_load(changed)
    before["image"] |= {"repository": REPOSITORY, "digest": DIGEST}
    assert after == before
    assert len(changed.splitlines()) == len(VALUES.splitlines())


@pytest.mark.parametrize("digest", ["", "latest", "sha256:12", DIGEST.upper()])
def test_without_a_digest_it_is_not_packaged(digest: str) -> None:
    with pytest.raises(ValueError, match="is no digest"):
        naming_image(VALUES, REPOSITORY, digest)


def test_values_that_are_laid_out_otherwise_are_an_error_and_not_a_chart_with_the_wrong_image() -> None:
    with pytest.raises(ValueError, match="not where they are expected"):
        naming_image(VALUES.replace("  digest:", "  hash:"), REPOSITORY, DIGEST)


def test_the_package_is_of_this_version_and_holds_these_values(tmp_path: Path) -> None:
    made = package_in(tmp_path)
    assert made == tmp_path / f"treble-bridge-{VERSION}.tgz"
    with tarfile.open(made) as archive:
        values = archive.extractfile("treble-bridge/values.yaml")
        chart = archive.extractfile("treble-bridge/Chart.yaml")
        assert values is not None
        assert chart is not None
        assert io.TextIOWrapper(values).read() == naming_image(VALUES, REPOSITORY, DIGEST)
        assert yaml.safe_load(chart.read())["version"] == VERSION
        assert {"treble-bridge/files/rules.yaml", "treble-bridge/values.schema.json"} <= set(archive.getnames())


@pytest.mark.parametrize(
    ("overrides", "shown"),
    [
        ("{}", f'image: "{REPOSITORY}@{DIGEST}"'),
        ("image: {digest: '', tag: dev}", f'image: "{REPOSITORY}:dev"'),
        ("image: {tag: dev}", "image.tag has no effect beside image.digest: expected image.digest: '' to use the tag"),
    ],
)
def test_the_package_runs_the_released_image_and_leaves_no_other_out_silently(
    overrides: str, shown: str, tmp_path: Path
) -> None:
    made = package_in(tmp_path)
    values = CHART / "ci" / "minimal-values.yaml"
    done = subprocess.run(
        ["helm", "template", "tb", str(made), "--values", str(values), "--values", "-"],
        input=overrides,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown in done.stdout + done.stderr
    assert (done.returncode == 0) == shown.startswith("image:")


def package_in(folder: Path) -> Path:
    """The packaged chart. Without Helm: skipped, or failed where it is required."""
    if shutil.which("helm") is None:
        why = "LEFT OUT, the chart: no `helm` on PATH to package it"
        (pytest.fail if os.environ.get("REQUIRE_TOOLCHAINS") == "1" else pytest.skip)(why)
    return package(folder, REPOSITORY, DIGEST)
