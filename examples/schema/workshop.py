"""Tools that are fetched for the examples, into a cache folder: nothing built is left beside the sources.

The folder is ${XDG_CACHE_HOME:-~/.cache}/treble-bridge-tests; remove it to fetch again.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent
_FETCH_S_MAX = 600
_UNUSED_S_MAX = 24 * 3600


class UnavailableError(Exception):
    """A toolchain, or what it needs, can't be had on this machine; the message names it."""


class ToolError(Exception):
    """A tool failed; the message holds the command and the end of what it said."""


def tool(name: str) -> str:
    """The path of a program. Raises UnavailableError."""
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(f"{name} is not installed")
    return found


def run(*command: str | Path, folder: Path = EXAMPLES, environment: Mapping[str, str] | None = None) -> None:
    """Run a command in `folder`. Raises ToolError when it fails or takes longer than any fetch may."""
    try:
        subprocess.run(  # noqa: S603 - the commands are those of this package
            list(map(str, command)),
            cwd=folder,
            env={**os.environ, **(environment or {})},
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_FETCH_S_MAX,
        )
    except subprocess.SubprocessError as error:
        said = (getattr(error, "output", None) or b"").decode(errors="replace")
        raise ToolError(f"{' '.join(map(str, command))}: {error}\n{said[-4000:]}") from error


def fetch(*command: str | Path, folder: Path = EXAMPLES) -> None:
    """Run a command that does nothing but fetch. Raises UnavailableError when that can't be had."""
    try:
        run(*command, folder=folder)
    except ToolError as error:
        raise UnavailableError(str(error)) from error


def made(name: str, inputs: Mapping[str, bytes], make: Callable[[Path], None]) -> Path:
    """The cache's folder for these inputs; `make` fills it once. Those of older inputs go after a day without use."""
    digest = hashlib.sha256(b"\0".join(part for path in sorted(inputs) for part in (path.encode(), inputs[path])))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "treble-bridge-tests" / "examples"
    folder = cache / f"{name}-{digest.hexdigest()[:12]}"
    with _only_one(cache, name):
        if not folder.exists():
            fresh = cache / f"making-{folder.name}"
            stale = [old for old in cache.glob(f"{name}-*") if time.time() - old.stat().st_mtime > _UNUSED_S_MAX]
            for old in [*stale, *cache.glob(f"making-{name}-*")]:
                shutil.rmtree(old)
            for path, content in inputs.items():
                (fresh / path).parent.mkdir(parents=True, exist_ok=True)
                (fresh / path).write_bytes(content)
            make(fresh)
            fresh.rename(folder)
        os.utime(folder)
    return folder


def sources(folder: Path, *names: str) -> dict[str, bytes]:
    """The files of these names, and of the folders of these names, by their path from `folder`."""
    found = [path for name in names for path in (folder / name, *(folder / name).rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def python_generator() -> Path:
    """datamodel-code-generator, in an environment of its own."""
    inputs = sources(EXAMPLES / "python", "requirements-types.txt")

    def make(folder: Path) -> None:
        run(sys.executable, "-m", "venv", folder / "venv")
        fetch(folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "-r", folder / "requirements-types.txt")  # fmt: skip

    # By module: the scripts of an environment name the folder in which it was made.
    return made("datamodel-codegen", inputs, make) / "venv/bin/python"


def node_modules() -> Path:
    """What the package lock of the TypeScript example names."""
    npm = tool("npm")
    inputs = sources(EXAMPLES / "typescript", "package.json", "package-lock.json", ".npmrc")
    return made("npm", inputs, lambda folder: fetch(npm, "ci", "--ignore-scripts", folder=folder)) / "node_modules"


def maven(*arguments: str | Path, folder: Path) -> None:
    """Run Maven there. It fetches as it goes: what it can't get is UnavailableError, all else ToolError."""
    try:
        run(tool("mvn"), "-q", "-B", *arguments, folder=folder)
    except ToolError as error:
        if "Could not transfer" in str(error) or "offline mode" in str(error):
            raise UnavailableError(str(error)) from error
        raise


@contextmanager
def _only_one(cache: Path, name: str) -> Iterator[None]:
    """Two sessions must not make the same thing at the same time."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
