"""The chart as it is released: with the image that was released with it.

    python -m release.chart dist --repository registry.example/acme/treble-bridge --digest sha256:…

packages a copy of helm/treble-bridge whose default values name that image, so that an install needs no `image.…`.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from release.notes import ROOT

CHART: Final = ROOT / "helm" / "treble-bridge"
TOOL_S_MAX: Final = 120
_IMAGE: Final = re.compile(
    r"""(?mx) ^image:\n
        (?P<before> (?:[ ]+\#.*\n)*) [ ]{2}repository:[ ].*\n
        (?P<between> (?: [ ]+\#.*\n | [ ]{2}tag:.*\n )*) [ ]{2}digest:[ ].*$"""
)


def naming_image(values: str, repository: str, digest: str) -> str:
    """A values.yaml whose image is `repository` at `digest`, all else untouched.

    Raises ValueError: no digest, or the file is not laid out as expected.
    """
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ValueError(f"{digest or 'nothing'} is no digest (sha256:…)")
    changed, count = _IMAGE.subn(
        lambda found: f"image:\n{found['before']}  repository: {repository}\n{found['between']}  digest: {digest}",
        values,
    )
    if count != 1:
        raise ValueError("values.yaml: image.repository and image.digest are not where they are expected")
    return changed


def package(out: Path, repository: str, digest: str, helm: str = "helm") -> Path:
    """Write the packaged chart into `out`; returns its path. Raises RuntimeError when Helm fails."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(CHART, Path(folder) / CHART.name))
        values = copy / "values.yaml"
        values.write_text(naming_image(values.read_text(encoding="utf-8"), repository, digest), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - a program on PATH, our own paths
            [helm, "package", str(copy), "--destination", str(out)],
            capture_output=True,
            text=True,
            timeout=TOOL_S_MAX,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"helm package: {done.stderr.strip()}")
    return Path(done.stdout.strip().rpartition(": ")[2])


def main() -> int:
    """Package the chart and print the path. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m release.chart", usage=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--repository", required=True)
    parser.add_argument("--digest", required=True)
    given = parser.parse_args()
    try:
        sys.stdout.write(f"{package(given.out, given.repository, given.digest)}\n")
    except (ValueError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
