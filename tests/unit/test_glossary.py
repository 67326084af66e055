"""The words of docs/architecture.md are those of the code, and words that were given up stand nowhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".json", ".tpl", ".txt", ".toml"}
FOLDERS = ("bridge", "docs", "helm", "observability")
GIVEN_UP = (
    *("lane", "lanes", "parked", "unpark", "unparked", "heirs", "leads_to", "unended", "doubtful", "doubts", "unclear"),
    *("happenings", "sparing", "tally", "tallies", "remedies", "intake", "confirming", "upkeep", "hurried", "hastened"),
    *("refusals", "long_way", "short_way", "identities", "have_ended", "take_back", "begin_anew", "hold_up"),
)
"""Words that this code once had for what Kafka, SQLite or HTTP have a term for. CHANGELOG.md says what they became."""
ON_DISK = {"parked", "identities", "identities_log", "doubts", "unclear"}
"""Names in journals and in the positions topic, which stay as they are: older and newer programs read them."""


WRITTEN_BY = ("bridge/journal", "bridge/kafka/positions.py")


def glossary() -> dict[str, str]:
    """Word → the name in the code."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("\n## Ten words\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| `([^`|]+)` \|$", section, re.MULTILINE)
    return dict(rows)


def test_the_glossary_has_ten_words() -> None:
    assert len(glossary()) == 10


@pytest.mark.parametrize(("word", "name"), glossary().items())
def test_a_word_of_the_glossary_is_a_name_of_the_code(word: str, name: str) -> None:
    owner, _, member = name.partition(".")
    modules = [path.read_text(encoding="utf-8") for path in (ROOT / "bridge").rglob("*.py")]
    defined = [text for text in modules if re.search(rf"^class {owner}\b", text, re.MULTILINE)]
    assert defined, f"{word}: no class {owner}"
    assert not member or any(re.search(rf"^    {member}:", text, re.MULTILINE) for text in defined)


@pytest.mark.parametrize("folder", FOLDERS)
def test_words_that_were_given_up_stand_nowhere(folder: str) -> None:
    given_up = re.compile(rf"(?<![a-z])({'|'.join(GIVEN_UP)})(?![a-z])", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[1]}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in SUFFIXES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in given_up.finditer(line)
        if not (match[1] in ON_DISK and any(path.is_relative_to(ROOT / place) for place in WRITTEN_BY))
    ]
    assert not found, "\n".join(found)
