"""`treble-bridge journal` on a journal of another user: whose it is, and what to do, with a code of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.errors import ExitCode
from bridge.journal.lock import take_lock
from tests.unit.journal.making import storage_in, submission
from tests.unprivileged import without_rights

CONFIG = """
kafka: {bootstrap_servers: ["127.0.0.1:1"]}
sources: {treble: {auth: [{bearer: cli-token-0123456789}]}}
"""
COMMANDS = {
    "ls": ["ls", "JOURNAL"],
    "verify": ["verify", "JOURNAL"],
    "show": ["show", "JOURNAL", "1"],
    "unpin": ["unpin", "JOURNAL", "1"],
    "renew": ["renew", "JOURNAL"],
    "replay": ["replay", "JOURNAL", "1"],
    "salvage": ["salvage", "JOURNAL", "NEW"],
    "drain": ["drain", "JOURNAL", "--config", "CONFIG"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A journal of one entry."""
    with storage_in(tmp_path / "journal") as storage:
        storage.append([submission()])
    (tmp_path / "bridge.yaml").write_text(CONFIG)
    yield tmp_path / "journal"
    (tmp_path / "journal").chmod(0o700)


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command, as somebody who has no rights but those of the modes."""
    places = {"JOURNAL": folder, "NEW": folder.parent / "new", "CONFIG": folder.parent / "bridge.yaml"}
    arguments = [str(places.get(argument, argument)) for argument in COMMANDS[name]]
    command = without_rights(sys.executable, "-m", "bridge", "journal", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_of_another_user_is_named_with_its_owner_and_what_to_do(name: str, folder: Path) -> None:
    folder.chmod(0)
    ran = run(name, folder)
    assert ran.returncode == ExitCode.USAGE, ran.stderr
    assert f"the journal {folder} can't be used" in ran.stderr
    assert "Permission denied. This runs as " in ran.stderr
    assert f"{folder} belongs to " in ran.stderr
    assert "Run it as the bridge's user" in ran.stderr
    assert "unforeseen" not in ran.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_files_of_another_user_are_named_with_their_owner(name: str, folder: Path) -> None:
    for file in folder.iterdir():
        file.chmod(0)
    ran = run(name, folder)
    assert ran.returncode == ExitCode.USAGE, ran.stderr
    assert f"{folder}/" in ran.stderr
    assert "Permission denied. This runs as " in ran.stderr


@pytest.mark.parametrize("name", ["unpin", "renew", "replay", "salvage", "drain"])
def test_a_journal_in_use_is_to_be_stopped_and_no_other_folder_is_spoken_of(name: str, folder: Path) -> None:
    with take_lock(folder):
        ran = run(name, folder)
    assert ran.returncode == ExitCode.JOURNAL_LOCKED, ran.stderr
    assert "stop that one first" in ran.stderr
    assert "folder of its own" not in ran.stderr


def test_salvage_into_a_folder_of_another_user_names_that_one(folder: Path) -> None:
    closed = folder.parent / "new"
    closed.mkdir(mode=0o500)
    ran = run("salvage", folder)
    closed.chmod(0o700)
    assert ran.returncode == ExitCode.USAGE, ran.stderr
    assert f"the journal {closed} can't be used" in ran.stderr
