"""sdist and wheel, the same bytes from the same commit: `python -m release.packages dist`.

setuptools writes times, owners and modes of the moment into the sdist, and modes into the wheel. So the build runs in a
clean copy with fixed modes, the sdist is packed again, and the wheel is built from what the sdist holds.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from release.notes import ROOT

TOOL_S_MAX: Final = 300
EPOCH: Final = "SOURCE_DATE_EPOCH"


def build(files: Iterable[Path], out: Path, date_s: int, root: Path = ROOT) -> tuple[Path, Path]:
    """Build sdist and wheel of `files` (relative to `root`) into `out`; returns both.

    `date_s`: seconds since the epoch, the date of everything inside. Raises RuntimeError when the build fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        for file in files:
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / file, tree / file)
        made = _run_build("--sdist", tree, Path(folder) / "sdist", date_s)
        sdist = out / made.name
        _pack_again(made, sdist, date_s)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        unpacked = Path(folder) / made.name.removesuffix(".tar.gz")
        wheel = _run_build("--wheel", unpacked, out, date_s)
    return sdist, wheel


def _run_build(kind: str, tree: Path, out: Path, date_s: int) -> Path:
    # No isolation: the build's own requirements are locked with those for development, and nothing is fetched.
    done = subprocess.run(  # noqa: S603 - our own Python, our own paths
        [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", str(out), str(tree)],
        cwd=tree,  # not the project's folder: a `build` folder that was left there would be taken for the module
        env={**os.environ, EPOCH: str(date_s)},
        umask=0o022,
        capture_output=True,
        text=True,
        timeout=TOOL_S_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"build {kind}: {(done.stdout + done.stderr)[-2000:]}")
    (made,) = out.glob("*.tar.gz" if kind == "--sdist" else "*.whl")
    return made


def _pack_again(made: Path, target: Path, date_s: int) -> None:
    with (
        tarfile.open(made) as old,
        target.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=date_s) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            member.mtime, member.pax_headers = date_s, {}
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() else 0o644
            new.addfile(member, old.extractfile(member) if member.isfile() else None)


def tracked(*options: str) -> list[Path]:
    """The files of the repository; `options` go to `git ls-files`."""
    listed = subprocess.run(  # noqa: S603 - options are ours
        ["git", "ls-files", "-z", *options],  # noqa: S607 - whichever git the developer uses
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def commit_date_s() -> int:
    """SOURCE_DATE_EPOCH, or else the date of the commit."""
    given = os.environ.get(EPOCH)
    if given is None:
        command = ["git", "log", "-1", "--format=%ct"]
        given = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603 - fixed
    return int(given)


def main() -> int:
    """Build both. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m release.packages", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write into; must hold no other packages")
    for made in build(tracked(), parser.parse_args().out.absolute(), commit_date_s()):
        sys.stdout.write(f"{made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
