"""A journal's folder that can't be used is a matter of the configuration: said as such, and no restart is asked for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.errors import ExitCode
from tests.flow.conftest import Configure
from tests.unprivileged import without_rights


def not_started(config: Path) -> tuple[int, str]:
    """The exit code of `run`, and what it says of the cause."""
    command = without_rights(sys.executable, "-m", "bridge", "run", "--config", str(config))
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr == ""
    (line,) = [line for line in map(json.loads, ran.stdout.splitlines()) if line["event.name"] == "service.not_started"]
    return ran.returncode, line["error.message"]


def in_a_closed_folder(folder: Path) -> Path:
    """As /var/lib for anyone but root."""
    folder.mkdir(mode=0o555)
    return folder / "treble-bridge"


def not_writable(folder: Path) -> Path:
    """A volume that was mounted as another user's."""
    folder.mkdir(mode=0o555)
    return folder


def a_file(folder: Path) -> Path:
    """Somebody named the database."""
    folder.write_text("no folder")
    return folder


def below_a_file(folder: Path) -> Path:
    """As before, one level down."""
    folder.write_text("no folder")
    return folder / "journal"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (in_a_closed_folder, "Permission denied"),
        (not_writable, "Permission denied"),
        (a_file, "File exists"),
        (below_a_file, "Not a directory"),
    ],
)
def test_a_journal_that_cannot_be_used_ends_the_start_with_code_2_and_names_key_user_and_owner(
    configure: Configure, tmp_path: Path, made: object, reason: str
) -> None:
    assert callable(made)
    path = made(tmp_path / "unusable")
    code, said = not_started(configure(journal={"path": str(path)}))
    assert code == ExitCode.USAGE
    assert said.startswith(f"journal.path: the journal {path} can't be used")
    assert f"{reason}. This runs as " in said
    assert f"{tmp_path / 'unusable'}" in said
    assert " belongs to " in said
