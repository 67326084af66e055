"""sdist and wheel: what is in them, that they are reproducible, and that the wheel works where it is installed.

Claimed is that the wheel's own files are complete, beside the locked requirements. These are not installed once more:
the fresh environment sees those of the environment that runs the tests.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.version import Version

from bridge.version import VERSION as STATED
from release.notes import ROOT
from release.packages import build, tracked

VERSION = str(Version(STATED))  # a package writes 1.0.0-rc.1 as 1.0.0rc1
DATE_S = 1_780_000_000
NEW = ("--cached", "--others", "--exclude-standard")  # what is not committed yet belongs to the package, too
ENOUGH = ("pyproject.toml", "README.md", "LICENSE", "bridge")  # setuptools takes nothing else

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return tracked(*NEW, "--", *ENOUGH)


@pytest.fixture(scope="module")
def tree(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files as they are now, whoever works on them meanwhile."""
    folder = tmp_path_factory.mktemp("tree")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)
    return folder


@pytest.fixture(scope="module")
def packages(files: list[Path], tree: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    return build(files, tmp_path_factory.mktemp("first"), DATE_S, tree)


def test_the_wheel_holds_the_program_with_its_data_and_its_licence_and_no_test(
    packages: tuple[Path, Path], files: list[Path]
) -> None:
    wheel = zipfile.ZipFile(packages[1])
    names = {name for name in wheel.namelist() if not name.endswith("/")}
    info = f"treble_bridge-{VERSION}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"bridge", info}
    assert {name for name in names if name.startswith("bridge/")} == {
        str(file) for file in files if file.parts[0] == "bridge"
    }
    for wanted in ("bridge/py.typed", "bridge/schemas/v1/asyncapi.json", "bridge/schemas/openapi.json"):
        assert wanted in names
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert (
        wheel.read(f"{info}/entry_points.txt").split()
        == b"[console_scripts] treble-bridge = bridge.__main__:main".split()
    )
    metadata = message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"demo", "otel"} <= set(metadata.get_all("Provides-Extra", []))


def test_the_sdist_holds_what_the_wheel_is_built_from(
    packages: tuple[Path, Path], files: list[Path], tree: Path
) -> None:
    with tarfile.open(packages[0]) as sdist:
        members = {member.name.partition("/")[2]: member for member in sdist.getmembers() if member.isfile()}
        for file in files:
            held = sdist.extractfile(members[str(file)])
            assert held is not None
            assert held.read() == (tree / file).read_bytes()
    assert {member.mtime for member in members.values()} == {DATE_S}
    assert {(member.uid, member.gid, member.uname, member.mode) for member in members.values()} == {(0, 0, "", 0o644)}


def test_the_same_files_make_the_same_bytes_whatever_times_and_modes_they_have(
    packages: tuple[Path, Path], files: list[Path], tree: Path, tmp_path: Path
) -> None:
    for file in files:
        other = tmp_path / "other" / file
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / file, other)
        other.chmod(0o700)
        os.utime(other, (1_600_000_000, 1_600_000_000))
    again = build(reversed(files), tmp_path / "again", DATE_S, tmp_path / "other")
    assert [made.name for made in again] == [made.name for made in packages]
    assert [made.read_bytes() for made in again] == [made.read_bytes() for made in packages]


def test_the_installed_wheel_works_outside_the_tree(packages: tuple[Path, Path], tmp_path: Path) -> None:
    fresh = tmp_path / "venv"
    python = str(fresh / "bin" / "python")
    run([sys.executable, "-m", "venv", "--without-pip", str(fresh)], tmp_path)
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--no-index", "--no-deps", "--no-compile", str(packages[1])], tmp_path)
    (fresh / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "locked.pth").write_text(
        sysconfig.get_path("purelib") + "\n"
    )
    assert run([python, "-c", "import bridge; print(bridge.__file__)"], tmp_path).startswith(str(fresh))
    treble_bridge = str(fresh / "bin" / "treble-bridge")
    assert STATED in run([treble_bridge, "--version"], tmp_path)
    (tmp_path / "bridge.yaml").write_text(
        "kafka: {bootstrap_servers: [localhost:9092]}\n"
        "sources: {treble: {auth: [{bearer: a-long-enough-secret}]}}\n"
        "journal: {path: ./journal}\n"
    )
    run([treble_bridge, "check", "--config", "bridge.yaml"], tmp_path)
    (tmp_path / "body.json").write_text('{"session_id": "s-1", "read_at": "2026-06-22 15:19:08"}')
    assert "message.read" in run([treble_bridge, "explain", "--config", "bridge.yaml", "read", "body.json"], tmp_path)
    assert "message.read" in run([treble_bridge, "schemas", "list"], tmp_path)


def run(command: list[str], folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TREBLE_"))}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
