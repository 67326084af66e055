"""kubectl and helm, in one namespace."""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import pytest

REQUIRE = "REQUIRE_CLUSTER"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
"""Labels of a namespace that takes no pod with more rights than it needs."""


class CommandError(AssertionError):
    """kubectl or helm ended with an error; its text is all that it said."""


def leave_out(why: str) -> NoReturn:
    """Skip the test, or fail it where a cluster is required."""
    if os.environ.get(REQUIRE, "") not in ("", "0"):
        pytest.fail(f"{REQUIRE} is set, but {why}")
    pytest.skip(f"LEFT OUT, the cluster tests: {why}")


def missing() -> str:
    """What keeps the cluster tests from running; "" if nothing does."""
    if not os.environ.get("KUBECONFIG"):
        return "KUBECONFIG names no cluster"
    for tool in ("kubectl", "helm"):
        if shutil.which(tool) is None:
            return f"{tool} is not on PATH"
    try:
        run("kubectl", "get", "--raw", "/readyz", timeout_s=20)
    except CommandError as error:
        return f"the cluster of KUBECONFIG does not answer ({str(error).splitlines()[-1]})"
    return ""


def run(*command: str, stdin: str = "", timeout_s: float = 60.0) -> str:
    """Standard output. Raises CommandError when it fails or takes longer than `timeout_s`."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{' '.join(command)}: not within {timeout_s} s: {error.stderr!r}") from error
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: exit code {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def until(holds: Callable[[], Any], what: str, within_s: float, pause_s: float = 0.5) -> Any:
    """The first truth that `holds` returns. A command that fails meanwhile counts as not yet."""
    end_s = time.monotonic() + within_s
    last = ""
    while True:
        try:
            if found := holds():
                return found
        except CommandError as error:
            last = f"; last: {error}"
        assert time.monotonic() < end_s, f"not within {within_s} s: {what}{last}"
        time.sleep(pause_s)


class Namespace:
    """A namespace of the tests' own, with the restricted pod security standard."""

    def __init__(self, prefix: str = "treble-bridge-test") -> None:
        self.name = f"{prefix}-{secrets.token_hex(3)}"
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": RESTRICTED}})

    def kubectl(self, *arguments: str, stdin: str = "", timeout_s: float = 60.0) -> str:
        """Its standard output."""
        return run("kubectl", "--namespace", self.name, *arguments, stdin=stdin, timeout_s=timeout_s)

    def helm(self, *arguments: str, stdin: str = "", timeout_s: float = 180.0) -> str:
        """Its standard output."""
        return run("helm", "--namespace", self.name, *arguments, stdin=stdin, timeout_s=timeout_s)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Make the objects, or change them."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(listed))

    def get(self, *what: str) -> Any:
        """`kubectl get`, as objects."""
        return json.loads(self.kubectl("get", "-o", "json", *what))

    def exec(self, pod: str, *command: str, container: str = "", stdin: str = "", timeout_s: float = 60.0) -> str:
        """Standard output of a command in a pod."""
        where = [pod, "-c", container] if container else [pod]
        flags = ["--stdin"] if stdin else []
        return self.kubectl("exec", *flags, *where, "--", *command, stdin=stdin, timeout_s=timeout_s)

    def start_exec(self, pod: str, *command: str, output: Any) -> "subprocess.Popen[bytes]":
        """A command in a pod that goes on; its output goes into the file `output`."""
        return subprocess.Popen(
            ["kubectl", "--namespace", self.name, "exec", pod, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )

    def rolled_out(self, *what: str, within_s: float = 180.0) -> None:
        """Wait until these are as their objects want them."""
        for one in what:
            self.kubectl("rollout", "status", one, f"--timeout={within_s:.0f}s", timeout_s=within_s + 10)

    def remove(self) -> None:
        """End it with all that is in it."""
        run("kubectl", "delete", "namespace", self.name, "--wait=false")
        self.kubectl("delete", "pods", "--all", "--grace-period=0", "--force", "--wait=false", "--ignore-not-found")
        run("kubectl", "wait", "--for=delete", f"namespace/{self.name}", "--timeout=120s", timeout_s=130)


def secret(name: str, data: Mapping[str, str], labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A Secret."""
    metadata = {"name": name, "labels": dict(labels or {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(data)}


def config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def load_images(images: Sequence[str]) -> None:
    """Give images to the cluster by the command in BRIDGE_TEST_IMAGE_LOADER; without it they are there, or pulled."""
    if loader := os.environ.get("BRIDGE_TEST_IMAGE_LOADER", ""):
        run(*loader.split(), *images, timeout_s=300)
