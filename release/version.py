"""The version is in bridge/version.py; what else has to state it, says the same.

python -m release.version               prints it, and what does not agree
python -m release.version --tag v0.2.0  the same, and the tag and the changelog's date: what a release asks for
python -m release.version --set 0.2.0   writes it where people write it, and says what does the rest
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from release.notes import ROOT, UNRELEASED, notes, sections

SEMANTIC: Final = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?")
SOURCE: Final = "bridge/version.py"
CHART: Final = "helm/treble-bridge/Chart.yaml"
OPENAPI: Final = "bridge/schemas/openapi.json"
WRITTEN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        SOURCE: (r'(?m)^VERSION = "([^"]+)"$',),
        CHART: (r"(?m)^version: (\S+)$", r'(?m)^appVersion: "([^"]+)"$'),
        OPENAPI: (r'(?m)^    "version": "([^"]+)",$',),
    }
)
"""File → where in it a version is written by hand, and by `--set`."""
GENERATED: Final = ("bridge/schemas/v1/asyncapi.json",)
"""Documents that `make schemas` writes, with the version in `info`."""
THE_REST: Final = ("make schemas", "python -m tests.chart.golden")
"""What writes the version everywhere else. The second needs Helm: it keeps what the chart renders."""


def stated(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Every place that states this version, and what it says; the source first."""
    for path, patterns in WRITTEN.items():
        text = (root / path).read_text(encoding="utf-8")
        for pattern in patterns:
            found = re.findall(pattern, text)
            yield path, found[0] if len(found) == 1 else f"{len(found)} times: {pattern}"
    for path in GENERATED:
        yield path, json.loads((root / path).read_text(encoding="utf-8"))["info"]["version"]
    yield "CHANGELOG.md", sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))[0].version


def disagreeing(root: Path = ROOT) -> list[str]:
    """A line for each place that says another version than the source."""
    (_, version), *others = stated(root)
    return [f"{path} says {said}, {SOURCE} says {version}" for path, said in others if said != version]


def releasable(tag: str, root: Path = ROOT) -> list[str]:
    """What stands against releasing `tag`, which is v and the version. Empty: nothing."""
    (_, version), *_ = stated(root)
    problems = disagreeing(root)
    if tag != f"v{version}":
        problems.append(f"the tag is {tag}, {SOURCE} says {version}")
    try:
        notes((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    except LookupError as error:
        problems.append(error.args[0])
    return problems


def write(version: str, root: Path = ROOT) -> None:
    """Write `version` where it is written by hand, and begin its section of the changelog if there is none.

    Raises ValueError for what is no semantic version.
    """
    if not SEMANTIC.fullmatch(version):
        raise ValueError(f"{version} is no semantic version (1.2.3, 1.2.3-rc.1)")
    for path, patterns in WRITTEN.items():
        text = (root / path).read_text(encoding="utf-8")
        for pattern in patterns:
            text = re.sub(pattern, lambda found: found[0].replace(found[1], version), text)
        (root / path).write_text(text, encoding="utf-8")
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    if version not in {section.version for section in sections(text)}:
        begin = text.index("## [")
        changelog.write_text(f"{text[:begin]}## [{version}] - {UNRELEASED}\n\n{text[begin:]}", encoding="utf-8")


def main() -> int:
    """Compare, or write. Returns the exit code: 1 when something does not agree."""
    parser = argparse.ArgumentParser(prog="python -m release.version", usage=__doc__)
    parser.add_argument("--tag")
    parser.add_argument("--set", dest="new")
    given = parser.parse_args()
    if given.new is not None:
        try:
            write(given.new)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        sys.stdout.write(f"{given.new} is written; now: {', '.join(THE_REST)}\n")
        return 0
    problems = disagreeing() if given.tag is None else releasable(given.tag)
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    sys.stdout.write(f"{next(stated())[1]}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
