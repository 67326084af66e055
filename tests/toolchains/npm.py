"""npm packages for tests, from a lock file, in a cache outside the tree: installed once, then used as they are."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

REQUIRE = "REQUIRE_TOOLCHAINS"
NODE_MAJOR_MIN = 20
INSTALL_S_MAX = 300
_LISTS = ("package.json", "package-lock.json", ".npmrc")


def node() -> str:
    """The path of a Node that is new enough. Without one: skipped, or failed where it is required."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        return _left_out("no node and npm on PATH")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < NODE_MAJOR_MIN:
        return _left_out(f"node {version.strip()} is older than {NODE_MAJOR_MIN}")
    return found


def installed(project: Path) -> Path:
    """A folder with the packages of `project`'s lock file and with its other files as they are now."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "treble-bridge-tests" / "npm"
    cache.mkdir(parents=True, exist_ok=True)
    lists = [project / name for name in _LISTS if (project / name).exists()]
    digest = hashlib.sha256(b"\0".join(one.read_bytes() for one in lists)).hexdigest()[:16]
    packages = cache / f"{project.name}-{digest}"
    if not packages.exists():
        # Another test process may do the same: the first that is ready gives its folder the name.
        made = Path(tempfile.mkdtemp(dir=cache, prefix=f"{project.name}-"))
        for one in lists:
            shutil.copy(one, made)
        _install(made)
        try:
            made.rename(packages)
        except OSError:
            shutil.rmtree(made)
    for file in project.iterdir():
        if file.is_file() and file not in lists:
            shutil.copy(file, packages)
    return packages


def _install(folder: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=INSTALL_S_MAX,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        shutil.rmtree(folder)
        _left_out(f"npm ci failed: {done.stderr.strip()[-500:]}")


def _left_out(why: str) -> str:
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{REQUIRE}=1, but {why}")
    pytest.skip(f"LEFT OUT, the tests that need Node: {why}")
