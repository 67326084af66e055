"""What is wrong, or doubtful, in a configuration: where it stands, and what was expected."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bridge.errors import ConfigError
from bridge.settings.section import Loc


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning, or a note on what is all right. Never holds a secret.

    `line` is 0, and `file` "", where no file is meant.
    """

    severity: Literal["error", "warning", "note"]
    path: str
    message: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"


def path_text(loc: Loc) -> str:
    """`("sources", "treble", "auth", 0)` → `sources.treble.auth[0]`."""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


class InvalidSettingsError(ConfigError):
    """The configuration can't be used. `findings` has every error; `files` are those that it refers to."""

    def __init__(self, file: str, findings: Iterable[Finding], files: Iterable[str] = ()) -> None:
        self.findings = tuple(findings)
        self.files = tuple(files)
        lines = [str(finding) for finding in self.findings]
        super().__init__(lines[0] if len(lines) == 1 else "\n  ".join([f"{file}: {len(lines)} errors", *lines]))
