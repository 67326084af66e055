"""A pod from which webhooks are sent and records are read, on the bridge's own image."""

import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster import broker
from tests.cluster.inside.load import REFUSED, UNANSWERED
from tests.cluster.kubernetes import Namespace, config_map, until

IMAGE = os.environ.get("BRIDGE_TEST_IMAGE", "treble-bridge:dev")
TOPIC = "treble.message.read"
CALLER_LABELS = {"role": "caller"}
"""Of pods that may call the bridge."""
_INSIDE = Path(__file__).parent / "inside"
_MODULES = "tests.cluster.inside"


class Webhook(NamedTuple):
    """What tells one of the tests' webhooks from another."""

    session: str
    number: int


@dataclass(frozen=True, slots=True)
class Call:
    """What became of one call; `seconds` from its begin to its answer, a second try included."""

    webhook: Webhook
    status: int
    seconds: float
    tries: int


class Calls(list[Call]):
    """All calls of a load."""

    def acknowledged(self) -> set[Webhook]:
        """Answered with 200."""
        return {call.webhook for call in self if call.status == 200}

    def unanswered(self) -> set[Webhook]:
        """Sent, and the connection broke: whether they were stored is unknown."""
        return {call.webhook for call in self if call.status == UNANSWERED}

    def failed(self) -> list[Call]:
        """Not answered with 200."""
        return [call for call in self if call.status != 200]

    def __str__(self) -> str:
        names = {REFUSED: "refused twice", UNANSWERED: "unanswered"}
        counts = Counter(names.get(call.status, str(call.status)) for call in self)
        again = sum(call.tries > 1 for call in self)
        slowest = max((call.seconds for call in self), default=0.0)
        told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        return f"{len(self)} calls: {told}; {again} tried twice; slowest {slowest:.2f} s"


class Load:
    """Calls at a steady rate, until `stop`."""

    def __init__(self, bench: "Workbench", name: str, url: str, options: Iterable[str]) -> None:
        self._bench, self.name = bench, name
        self._stop = f"/tmp/{name}.stop"
        # Both sides have the file open at one position: who writes must append, wherever the other has read to.
        self._output = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - open as long as the load goes on
        command = ("python3", "-m", f"{_MODULES}.load", name, url, "--stop", self._stop)
        self._process = bench.start(*command, *options, output=self._output)

    def _lines(self) -> list[str]:
        self._output.seek(0)
        return self._output.read().decode(errors="replace").splitlines()

    def answered(self) -> int:
        """How many calls were answered with 200, a second ago at the most."""
        counts = [json.loads(line) for line in self._lines() if line.startswith('{"answered"')]
        assert counts or self._process.poll() is None, f"the load did not start: {self._lines()}"
        return int(counts[-1]["answered"]) if counts else 0

    def goes_on(self, count: int = 150, within_s: float = 60.0) -> None:
        """Wait until `count` more are answered."""
        enough = self.answered() + count
        until(lambda: self.answered() >= enough, f"{count} more calls of {self.name} are answered", within_s)

    def stop(self) -> Calls:
        """End it; all that was called."""
        self._bench.exec("touch", self._stop)
        self._process.wait(60)
        lines = self._lines()
        assert lines[-1:], "the load said nothing"
        assert lines[-1].startswith('{"calls"'), f"the load broke off: {lines[-5:]}"
        rows = json.loads(lines[-1])["calls"]
        return Calls(Call(Webhook(session, number), *rest) for session, number, *rest in rows)

    def abandon(self) -> None:
        """Let go of it, whatever it does: after `stop` that is nothing, after a failed test it may still call."""
        if self._process.poll() is None:
            self._bench.exec("touch", self._stop)
            self._process.kill()
            self._process.wait(10)
        self._output.close()


class Workbench:
    """The pod. Its token is that of `token_file`, which can be changed while a load goes on."""

    token_file = "/tmp/token"

    def __init__(self, namespace: Namespace, name: str = "workbench", labels: dict[str, str] | None = None) -> None:
        self._namespace, self._name = namespace, name
        self._loads: list[Load] = []
        files = {path.name: path.read_text() for path in sorted(_INSIDE.glob("*.py"))}
        namespace.apply(config_map(f"{name}-programs", files), _pod(name, CALLER_LABELS if labels is None else labels))

    def ready(self) -> None:
        """Wait until it runs."""
        self._namespace.kubectl("wait", "--for=condition=Ready", f"pod/{self._name}", "--timeout=120s", timeout_s=130)

    def exec(self, *command: str, stdin: str = "", timeout_s: float = 60.0) -> str:
        """Standard output of a command in it."""
        return self._namespace.exec(self._name, *command, stdin=stdin, timeout_s=timeout_s)

    def start(self, *command: str, output: Any) -> "subprocess.Popen[bytes]":
        """A command in it that goes on."""
        return self._namespace.start_exec(self._name, *command, output=output)

    def use_token(self, token: str) -> None:
        """From the next call on, loads send this one. It is swapped in one step: a call never reads half of it."""
        script = f'printf %s "$1" > {self.token_file}.new && mv {self.token_file}.new {self.token_file}'
        self.exec("sh", "-c", script, "sh", token)

    def load(self, name: str, url: str, **options: float) -> Load:
        """Begin to call; `options` are those of the program (rate, callers, seconds)."""
        given = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        load = Load(self, name, url, [*given, "--token-file", self.token_file])
        self._loads.append(load)
        return load

    def tidy(self) -> None:
        """End every load that is left."""
        while self._loads:
            self._loads.pop().abandon()

    def reach(self, *wanted: dict[str, Any] | str) -> list[dict[str, Any]]:
        """Try addresses, see the program; a text is a URL to fetch."""
        asked = [{"url": one} if isinstance(one, str) else one for one in wanted]
        answers = self.exec("python3", "-m", f"{_MODULES}.reach", stdin=json.dumps(asked))
        found: list[dict[str, Any]] = json.loads(answers)
        return found

    def records(self, prefix: str) -> list[tuple[Webhook, str]]:
        """The webhook and the event's id of each record on TOPIC whose session begins so."""
        rows = json.loads(self.exec("python3", "-m", f"{_MODULES}.records", broker.OPEN, TOPIC, prefix))
        return [(Webhook(row[2], row[3]), row[4]) for row in rows]

    def delivered(self, prefix: str, acknowledged: set[Webhook], within_s: float = 60.0) -> list[tuple[Webhook, str]]:
        """The records, as soon as all that was acknowledged is among them; after that time, those that are there."""
        end_s = time.monotonic() + within_s
        while True:
            records = self.records(prefix)
            if time.monotonic() > end_s or not acknowledged - {webhook for webhook, _ in records}:
                return records
            time.sleep(1)

    def assert_exactly_once(self, prefix: str, calls: Calls) -> str:
        """Each acknowledged webhook is there once, each unanswered one once at the most, nothing else. The numbers."""
        acknowledged = calls.acknowledged()
        records = self.delivered(prefix, acknowledged)
        counts = Counter(webhook for webhook, _ in records)
        lost = acknowledged - set(counts)
        assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged webhooks are lost, such as {_some(lost)}"
        twice = {webhook for webhook, count in counts.items() if count > 1}
        assert not twice, f"{len(twice)} webhooks are there more than once, such as {_some(twice)}"
        assert len({event for _, event in records}) == len(records), "two webhooks have the same id"
        foreign = set(counts) - acknowledged - calls.unanswered()
        assert not foreign, f"{len(foreign)} records come from nowhere, such as {_some(foreign)}"
        return f"{len(acknowledged)} acknowledged, {len(records)} records, 0 lost, 0 twice"


def _some(webhooks: Iterable[Webhook]) -> list[Webhook]:
    return sorted(webhooks)[:3]


def _pod(name: str, labels: dict[str, str]) -> dict[str, Any]:
    container = {
        "name": "bench",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", "import threading; threading.Event().wait()"],
        "workingDir": "/workbench",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "volumeMounts": [
            {"name": "programs", "mountPath": "/workbench/tests/cluster/inside"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [
                {"name": "programs", "configMap": {"name": f"{name}-programs"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
