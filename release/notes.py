"""The notes of a release: its section of CHANGELOG.md. `python -m release.notes 0.2.0` prints it."""

import argparse
import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent
CHANGELOG: Final = ROOT / "CHANGELOG.md"
UNRELEASED: Final = "Unreleased"
_HEADING: Final = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\S+))?[ \t]*$", re.MULTILINE)


class Section(NamedTuple):
    """What the changelog says of one version. `date` is a date, `Unreleased`, or empty."""

    version: str
    date: str
    text: str

    @property
    def released(self) -> bool:
        """Whether it has a date."""
        return re.fullmatch(r"\d{4}-\d{2}-\d{2}", self.date) is not None


def sections(changelog: str) -> list[Section]:
    """The sections of a changelog in the form of "Keep a Changelog", newest first."""
    headings = list(_HEADING.finditer(changelog))
    ends = [*(heading.start() for heading in headings[1:]), len(changelog)]
    return [
        Section(heading["version"], heading["date"] or "", changelog[heading.end() : end].strip())
        for heading, end in zip(headings, ends, strict=True)
    ]


def notes(changelog: str, version: str) -> str:
    """The text of a released version's section. Raises LookupError: no such section, no date, or nothing in it."""
    found = [section for section in sections(changelog) if section.version == version]
    if not found:
        raise LookupError(f"CHANGELOG.md has no section [{version}]")
    if not found[0].released:
        raise LookupError(f"CHANGELOG.md: the section [{version}] has no date (## [{version}] - 2026-12-31)")
    if not found[0].text:
        raise LookupError(f"CHANGELOG.md: the section [{version}] is empty")
    return found[0].text


def main() -> int:
    """Print the notes of a version. Returns the exit code: 1 when there are none."""
    parser = argparse.ArgumentParser(prog="python -m release.notes", description=__doc__)
    parser.add_argument("version", help="without the v of the tag")
    try:
        text = notes(CHANGELOG.read_text(encoding="utf-8"), parser.parse_args().version)
    except LookupError as error:
        sys.stderr.write(f"{error.args[0]}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
