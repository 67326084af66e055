"""Builds the image from a copy of what goes into it, so that nothing that is edited meanwhile gets in."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.container.engine import docker, inspect

ROOT = Path(__file__).parents[2]
BUILD_WITHIN_S = 280
BASE_IMAGE = os.environ.get("BRIDGE_TEST_BASE_IMAGE") or re.search(
    r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
).group(1)  # type: ignore[union-attr]  # without that line there is nothing to test
VERSION, REVISION, CREATED = "9.8.7", "0123abcd", "2026-06-22T15:19:08Z"
EPOCH = "1782141548"  # the same moment

_ASKED_OF_PIP = ("index-url", "extra-index-url", "trusted-host")


def copy_context(to: Path, *, mode: int) -> Path:
    """Copy what .dockerignore lets in. Files get `mode`, and the copies' own times."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in ["Dockerfile", ".dockerignore", *(line[1:] for line in ignored if line.startswith("!"))]:
        source, target = ROOT / name, to / name
        if source.is_dir():
            shutil.copytree(source, target, copy_function=shutil.copyfile)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    for path in to.rglob("*"):
        if path.is_file():
            path.chmod(mode)
    return to


def pip_conf(folder: Path) -> list[str]:
    """The option that hands this machine's package index to the build, where pip has one of its own."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    found = dict(re.findall(r"^[^.\n]+\.\.?([a-z-]+)='(.*)'$", listed, re.MULTILINE))
    lines = [f"{name} = {found[name]}" for name in _ASKED_OF_PIP if name in found]
    if not lines:
        return []
    file = folder / "pip.conf"
    file.write_text("\n".join(["[global]", *lines, ""]).replace("\\n", "\n  "), encoding="utf-8")
    return ["--secret", f"id=pip_conf,src={file}"]


def build(context: Path, tag: str, *options: str) -> str:
    """`docker build`; the image's id. BRIDGE_TEST_BUILD_OPTIONS are more options of it."""
    arguments = {
        "BASE_IMAGE": BASE_IMAGE,
        "VERSION": VERSION,
        "REVISION": REVISION,
        "CREATED": CREATED,
        "SOURCE_DATE_EPOCH": EPOCH,
    }
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    more = shlex.split(os.environ.get("BRIDGE_TEST_BUILD_OPTIONS", ""))
    secret = pip_conf(context.parent)
    docker("build", "--quiet", "--tag", tag, *given, *secret, *options, *more, str(context), timeout_s=BUILD_WITHIN_S)
    return str(inspect("image", tag)["Id"])
