"""The README's first steps, as somebody pastes them into terminals: run in bash, with stand-ins for the programs."""

import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from release.notes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
# What is piped to the bridge is read: else whoever writes it may be ended by SIGPIPE first.
STAND_INS = """
treble-bridge() { cat > /dev/null; printf 'treble-bridge %s [%s %s]\\n' "$1" "$TREBLE_TOKEN" "$TREBLE_API_KEY"; }
curl() { while [[ $# -gt 0 ]]; do if [[ $1 == -H ]]; then printf 'header %s\\n' "$2"; fi; shift; done; }
docker() { printf 'docker %s\\n' "$*"; }
kubectl() { printf 'kubectl %s\\n' "$*"; }
helm() { printf 'helm %s\\n' "$*"; }
"""


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def terminal(folder: Path, title: str) -> list[str]:
    """What the shell lines of a section do in a new terminal: a call a line."""
    script = "\n".join(re.findall(r"```sh\n(.*?)```", section(title), re.DOTALL))
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", STAND_INS + script],
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def first(tmp_path: Path) -> list[str]:
    """The calls in the first terminal."""
    return terminal(tmp_path, "A configuration")


def test_a_second_terminal_has_the_secrets_of_the_first(first: list[str], tmp_path: Path) -> None:
    (run,) = (call for call in first if call.startswith("treble-bridge run "))
    token, key = run.rpartition("[")[2].rstrip("]").split()
    assert len(token) == len(key) == 64
    assert token != key
    second = terminal(tmp_path, "A first webhook")
    assert second.count(f"header Authorization: Bearer {token}") == second.count(f"header X-API-Key: {key}") == 2
    assert any(call == f"treble-bridge send [{token} {key}]" for call in second)


def test_what_never_ends_by_itself_stands_last_and_no_file_is_read_that_was_not_made() -> None:
    (steps,) = (
        block.splitlines()
        for block in re.findall(r"```sh\n(.*?)```", section("A first webhook"), re.DOTALL)
        if "treble-bridge tail" in block
    )
    assert steps[-1].startswith("treble-bridge tail ")
    named = {word for step in steps for word in step.split() if re.fullmatch(r"[\w-]+\.(json|yaml)", word)}
    assert named == {"bridge.yaml"}, "the one that the reader has saved"


def test_nobody_else_can_read_the_secrets_and_git_does_not_take_them(first: list[str], tmp_path: Path) -> None:
    assert first
    (file,) = (path for path in tmp_path.iterdir() if "TREBLE_TOKEN" in path.read_text(encoding="utf-8"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ignored = subprocess.run(["git", "check-ignore", "--quiet", file.name], cwd=ROOT, timeout=10, check=False)
    assert ignored.returncode == 0


def test_there_is_a_kafka_where_the_configuration_expects_one_before_the_bridge_runs(first: list[str]) -> None:
    calls = [call.partition(" [")[0] for call in first]
    assert calls.index("docker compose up --detach kafka") < calls.index("treble-bridge run")
    (shown,) = re.findall(r"```yaml\n(.*?)```", section("A configuration"), re.DOTALL)
    (server,) = yaml.safe_load(shown)["kafka"]["bootstrap_servers"]
    kafka = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["kafka"]
    assert server == "localhost:9092"
    assert "127.0.0.1:${KAFKA_PORT:-9092}:9092" in kafka["ports"]


def test_the_chart_is_told_which_image_to_run(tmp_path: Path) -> None:
    (install,) = (
        call for call in terminal(tmp_path, "In a container, in a cluster") if call.startswith("helm install")
    )
    assert re.findall(r"(?:--set |,)([\w.]+)=", install) == ["image.repository", "image.tag"]
    image = yaml.safe_load((ROOT / "helm" / "treble-bridge" / "values.yaml").read_text(encoding="utf-8"))["image"]
    assert {"repository", "tag"} <= image.keys()
    for path in re.findall(r"(?<= )helm/\S+", install):
        assert (ROOT / path).exists()
