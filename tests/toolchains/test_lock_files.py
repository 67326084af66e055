"""What is downloaded for tests and examples is locked, and no lock file names a registry."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = {".venv", "node_modules", "target", "build", "dist"}
LOCKS = sorted(
    path for path in ROOT.rglob("package-lock.json") if not LEFT_OUT & set(path.relative_to(ROOT).parts)
)  # fmt: skip


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_file_of_npm_has_hashes_and_no_address(path: Path) -> None:
    lock = json.loads(path.read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name.startswith("node_modules/")}
    assert packages
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert package.get("integrity", "").startswith("sha512-"), name
    assert "omit-lockfile-registry-resolved=true" in (path.parent / ".npmrc").read_text(encoding="utf-8")


def test_the_locks_of_python_have_hashes_and_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^-(-index|i |f |-find)", text, re.MULTILINE)
        for requirement in re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip()):
            assert "--hash=sha256:" in requirement, requirement
