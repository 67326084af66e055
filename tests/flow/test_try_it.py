"""Every command of docs/try-it.md, run as it stands there against the real bridge, gives what stands behind it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.catalogue import HINTS, TABLE
from bridge.journal.offline import inspect
from bridge.model import Event
from bridge.settings.load import load
from bridge.transform.normalize import examine
from tests.flow.conftest import Configure, StartProcess
from tests.flow.running import TOKEN, BridgeProcess

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "try-it.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the page's `sh` blocks, and what stands behind it."""
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line and not line.startswith("#"):
                command, mark, expected = line.rpartition("   # ")
                assert mark, f"nothing stands behind: {line}"
                yield command, expected


CURL = [(command, expected) for command, expected in commands() if "curl " in command]
SEND = [(command, expected) for command, expected in commands() if command.startswith("treble-bridge ")]


def shell(command: str, bridge: BridgeProcess) -> subprocess.CompletedProcess[str]:
    """Run it in a shell that has what the page says to export."""
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"URL": f"{bridge.url}/webhooks/treble", "TREBLE_TOKEN": TOKEN, "PATH": here}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=bridge.config.parent, env={**os.environ, **variables},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def what_came_of_the_last(journal: Path) -> str:
    """The event type of the newest entry, or `quarantine`."""
    (newest,) = inspect.list_entries(journal, inspect.Filter(), 1)
    found = inspect.get_entry(journal, newest.id)
    assert found is not None
    _, event = examine(found[0], None)
    return event.type if isinstance(event, Event) else "quarantine"


async def test_each_curl_line_is_answered_as_the_page_says(start_process: StartProcess, tmp_path: Path) -> None:
    bridge = start_process()
    await bridge.started()
    assert len(CURL) > 20
    for command, expected in CURL:
        ran = shell(f"{command} --silent --output answer --write-out '%{{http_code}}'", bridge)
        status, _, event_type = expected.partition(" ")
        assert ran.stdout == status, (command, ran.stderr)
        if event_type:
            assert what_came_of_the_last(tmp_path / "journal") == event_type, command
    assert "Traceback" not in bridge.log.text


def the_pages_configuration(folder: Path) -> Path:
    """The configuration that the page's first line makes, in a folder with the shipped ones."""
    (first,) = re.findall(r"^\$ (mkdir .*)$", PAGE, re.MULTILINE)
    (folder / "config").symlink_to(ROOT / "config")
    subprocess.run(["bash", "-e", "-c", first], cwd=folder, timeout=20, check=True)
    return folder / "try-it" / "bridge.yaml"


def test_the_page_needs_no_right_to_anything_outside_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREBLE_TOKEN", TOKEN)
    settings = load(the_pages_configuration(tmp_path), TABLE).settings
    assert settings.journal.path == "try-it/journal"
    assert PAGE.count("--config try-it/bridge.yaml") == PAGE.count("treble-bridge run ") + PAGE.count("send --config ")


async def test_each_send_line_exits_as_the_page_says(
    start_process: StartProcess, configure: Configure, tmp_path: Path
) -> None:
    bridge = start_process()
    await bridge.started()
    made = the_pages_configuration(tmp_path)
    # The page's configuration, but where this bridge really listens.
    made.write_text(f"{made.read_text(encoding='utf-8')}server: {{listen: '127.0.0.1:{bridge.port}'}}\n")
    assert len(SEND) >= 10
    for command, expected in SEND:
        ran = shell(command, bridge)
        assert ran.returncode == int(expected), (command, ran.stdout, ran.stderr)


def test_each_command_of_the_page_is_one_of_those_that_are_run() -> None:
    assert len(CURL) + len(SEND) == len(list(commands()))


@pytest.mark.parametrize("hint", HINTS)
def test_the_page_has_a_line_for_each_hint(hint: str) -> None:
    assert f'"$URL/{hint}"' in PAGE
