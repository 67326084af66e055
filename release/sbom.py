"""The SBOM: CycloneDX, made by cyclonedx-py of the locked requirements. `python -m release.sbom dist/sbom.cdx.json`.

The tool reads pins and hashes. What it can't know is added: this project's version (pyproject.toml takes it from the
code), and who needs whom, which pip-compile notes in comments. What it invents is left out: addresses on an index from
which nothing was fetched, so that a hash stands for the file and not for a place.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bridge.version import VERSION
from release.notes import ROOT

LOCK: Final = ROOT / "requirements" / "otel.txt"
"""What the image installs: the runtime's requirements, and those of the extra `otel`."""
PROJECT: Final = "treble-bridge"
TOOL_S_MAX: Final = 120


def sbom(lock: Path = LOCK) -> dict[str, Any]:
    """The SBOM of what a file of pip-compile locks. Raises RuntimeError when the tool fails."""
    document = _made_by_the_tool(lock)
    root = document["metadata"]["component"]
    root["bom-ref"] = root["purl"] = f"pkg:pypi/{PROJECT}@{VERSION}"
    refs = {PROJECT: root["bom-ref"]}
    for component in document["components"]:
        refs[component["name"]] = component["bom-ref"] = component["purl"]
        del component["description"]  # the requirement's line, with all its hashes
        component["hashes"] = [found for one in component.pop("externalReferences") for found in one["hashes"]]
    needs: dict[str, list[str]] = {ref: [] for ref in refs.values()}
    for name, needed_by in _edges(lock.read_text(encoding="utf-8")):
        needs[refs[needed_by]].append(refs[name])
    document["dependencies"] = [{"ref": ref, "dependsOn": sorted(needs[ref])} for ref in sorted(needs)]
    for tool in document["metadata"]["tools"]["components"]:
        tool.pop("externalReferences", None)
    return document


def _made_by_the_tool(lock: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyproject.toml"
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        project.write_text(text.replace('dynamic = ["version"]', f'version = "{VERSION}"'), encoding="utf-8")
        (Path(folder) / "LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())
        command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(lock)]
        options = ["--pyproject", str(project), "--sv", "1.6", "--of", "JSON", "--output-reproducible"]
        done = subprocess.run(  # noqa: S603 - our own Python, our own paths
            [*command, *options], capture_output=True, text=True, timeout=TOOL_S_MAX, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"cyclonedx-py: {done.stderr.strip()[-2000:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _edges(lock: str) -> Iterator[tuple[str, str]]:
    """Package and who needs it, from the `# via` comments of pip-compile."""
    for requirement in re.split(r"\n(?=\S)", lock):
        name = re.match(r"([A-Za-z0-9._-]+)==", requirement)
        via = re.search(r"\n    # via(.*)", requirement, re.DOTALL)
        if name is None or via is None:
            continue
        for needed_by in re.findall(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?: \([^)]*\))?", via[1].replace("#", " ")):
            yield name[1], needed_by


def as_text(document: Mapping[str, Any]) -> str:
    """A document as the text of its file."""
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def main() -> int:
    """Write the SBOM. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m release.sbom", description=__doc__)
    parser.add_argument("file", type=Path, help="to write")
    parser.add_argument("--lock", type=Path, default=LOCK, help="requirements with hashes (default: %(default)s)")
    given = parser.parse_args()
    given.file.parent.mkdir(parents=True, exist_ok=True)
    given.file.write_text(as_text(sbom(given.lock)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
