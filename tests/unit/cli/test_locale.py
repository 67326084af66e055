"""Commands where the terminal can't print what they say: no traceback, and the exit code that is due anyway."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.journal.database import transaction
from tests.unit.journal.making import storage_in, submission

ENVIRONMENTS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
CONFIG = """# Ñandú → 鶴
kafka: {bootstrap_servers: ['127.0.0.1:1'], request_timeout: 1s}
journal: {path: journal-ñ→}
sources: {treble: {auth: none, responses: {message.read: {said: '鶴 → ¿sí?'}}}}
"""
BODY = '{"session_id": "鶴 → s1", "read_at": "2026-06-22 15:19:08", "question": {"text": "¿Cómo? → 👍"}}'
COMMANDS = {
    "--help": 0,
    "check --config good.yaml": 0,
    "check --config wrong→.yaml": 2,
    "check --config none→.yaml": 2,
    "run --config wrong→.yaml": 2,
    "health --url http://127.0.0.1:1": 7,
    "explain --config good.yaml read body.json": 0,
    "explain --config good.yaml read body.json --json": 0,
    "explain --config good.yaml → body.json": 0,
    "send --url http://127.0.0.1:1/hook --set a=鶴→ --session ñ→ --header X-Any:→": 7,
    "send --url http://127.0.0.1:1/hook --type →": 2,
    "tail --config good.yaml treble→": 7,
    "topics create --config good.yaml --print": 0,
    "topics list --config good.yaml": 7,
    "schemas show message.read": 0,
    "quarantine ls --config good.yaml --reason →": 7,
    "journal ls journal": 0,
    "journal ls none→": 2,
    "journal show journal 1": 0,
    "journal show journal 1 --json": 0,
    "journal verify journal": 0,
    "journal replay journal 1 --dry-run": 0,
    "→": 2,
}


# Each command in a process of its own, forked from one that has imported them all: a start is half a second.
EACH_COMMAND = """
import importlib, os, sys
from bridge.__main__ import main
from bridge.cli import COMMANDS
for name in COMMANDS:
    name == "run" or importlib.import_module("bridge.cli." + name)
codes = []
for command in sys.argv[1:]:
    child = os.fork()
    if not child:
        sys.argv = ["treble-bridge", *command.split()]
        main()
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(codes)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ñandú→")
    (made / "good.yaml").write_text(CONFIG)
    (made / "wrong→.yaml").write_text(CONFIG.replace("treble:", "trébol→:"))
    (made / "body.json").write_text(BODY)
    with storage_in(made / "journal") as storage, transaction(storage.connection):
        storage.append([submission(BODY, source="treble", hint="ñ→")])
    return made


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_command_ends_as_it_should_where_its_words_can_not_be_printed(folder: Path, environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EACH_COMMAND, *COMMANDS],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **ENVIRONMENTS[environment]},
        capture_output=True,
        timeout=120,
        check=False,
    )
    told = done.stderr.decode(errors="replace")
    assert done.returncode == 0, told
    codes = json.loads(done.stdout.splitlines()[-1])
    assert dict(zip(COMMANDS, codes, strict=True)) == COMMANDS, told
    assert "Traceback" not in told
    assert "unforeseen" not in told
