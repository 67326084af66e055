"""promtool and prometheus, where they are on PATH."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REQUIRE = "REQUIRE_TOOLCHAINS"
LEFT_OUT = "LEFT OUT, the tests that need Prometheus"
ROOT = Path(__file__).parent.parent.parent

PROGRAM_S_MAX = 300
"""Only ends what hangs: the rules' tests are 12 s of one core, and a busy machine has no core to spare."""


def program(name: str) -> str:
    """The path of a program of Prometheus. Without it: skipped, or failed where it is required."""
    found = shutil.which(name)
    if found is not None:
        return found
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{REQUIRE}=1, but there is no {name} on PATH")
    pytest.skip(f"{LEFT_OUT}: no {name} on PATH")


def promtool(*arguments: str | Path) -> str:
    """Run promtool from the project's folder; what it said, once it is content."""
    done = subprocess.run(
        [program("promtool"), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PROGRAM_S_MAX,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
