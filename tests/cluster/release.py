"""A release of the chart: its values, its pods, what they say of themselves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster import broker
from tests.cluster.kubernetes import Namespace, secret, until
from tests.cluster.workbench import CALLER_LABELS, IMAGE

CHART = Path(__file__).parent.parent.parent / "helm/treble-bridge"
SECRETS = "/run/secrets/treble-bridge"
HELM_WAIT = "180s"
# The kubelet looks at its Secrets and ConfigMaps about once a minute, and not all do so at the same time.
SYNC_S = 150.0
_STATUS = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"

Values = dict[str, Any]


def standard_values(name: str, credentials: str) -> Values:
    """What an installation with rotated credentials, SASL and a NetworkPolicy looks like."""
    repository, _, tag = IMAGE.rpartition(":")
    return {
        "fullnameOverride": name,
        "image": {"repository": repository, "tag": tag},
        "replicaCount": 2,
        "persistence": {"size": "1Gi"},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "secrets": {
            "files": {
                key: {"secretName": credentials, "key": key} for key in ("token", "token-before", "kafka-password")
            }
        },
        "networkPolicy": {
            "enabled": True,
            "http": {"podLabels": CALLER_LABELS},
            "admin": {"podLabels": CALLER_LABELS},
            "kafka": {"to": [{"podSelector": {"matchLabels": broker.LABELS}}]},
        },
        "config": {
            # Time enough to forward what is there; with Kafka away, no longer than a test wants to wait.
            "server": {"drain_deadline": "10s"},
            "journal": {"max_bytes": "512MiB"},
            "kafka": {
                "bootstrap_servers": [broker.SECURED],
                "backoff_max": "2s",
                "security": {
                    "protocol": "SASL_PLAINTEXT",
                    "mechanism": "SCRAM-SHA-512",
                    "username": broker.USER,
                    "password": f"${{file:{SECRETS}/kafka-password}}",
                },
            },
            "sources": {
                "treble": {"auth": [{"bearer": [f"${{file:{SECRETS}/token}}", f"${{file:{SECRETS}/token-before}}"]}]}
            },
            "topics": {"create": "missing", "partitions": 3, "replication_factor": 1},
        },
    }


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> Values:
    """`values` with `changes`, mapping by mapping; what is None is taken out."""
    result = dict(values)
    for key, change in changes.items():
        if isinstance(change, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], change)
        elif change is None:
            result.pop(key, None)
        else:
            result[key] = change
    return result


class Release:
    """One installed chart. `changes` are what its values differ in from the standard ones."""

    def __init__(self, namespace: Namespace, name: str, credentials: Mapping[str, str]) -> None:
        self.namespace, self.name = namespace, name
        self.credentials = dict(credentials)
        self._values = standard_values(name, f"{name}-credentials")
        self.changes: Values = {}

    @property
    def url(self) -> str:
        """Of its source, through the Service."""
        return f"http://{self.name}/webhooks/treble"

    def pod_url(self, ordinal: int, port: int = 8080, scheme: str = "http") -> str:
        """Of one pod, past the Service."""
        return f"{scheme}://{self.name}-{ordinal}.{self.name}-headless:{port}"

    def set_credentials(self, **changed: str) -> None:
        """Put other values in the Secret; `token_before` is its key token-before."""
        self.credentials.update({key.replace("_", "-"): value for key, value in changed.items()})
        self.namespace.apply(secret(f"{self.name}-credentials", self.credentials))

    def install(self, changes: Mapping[str, Any] | None = None, *, wait: bool = True) -> None:
        """`helm install`; returns when its pods are ready."""
        self.set_credentials()
        self._helm("install", changes or {}, wait=wait)

    def upgrade(self, changes: Mapping[str, Any] | None = None, *arguments: str) -> str:
        """`helm upgrade` to the standard values with these changes; returns when it is done, with what Helm said."""
        return self._helm("upgrade", changes or {}, *arguments)

    def _helm(self, verb: str, changes: Mapping[str, Any], *arguments: str, wait: bool = True) -> str:
        values = json.dumps(merged(self._values, changes))
        waiting = ("--wait", "--timeout", HELM_WAIT) if wait else ()
        said = self.namespace.helm(verb, self.name, str(CHART), "-f", "-", *waiting, *arguments, stdin=values)
        self.changes = dict(changes)
        return said

    def uninstall(self) -> None:
        """`helm uninstall`; the claims stay."""
        self.namespace.helm("uninstall", self.name, "--wait", "--timeout", HELM_WAIT)

    def revision(self) -> int:
        """The number of its last installed revision."""
        return int(json.loads(self.namespace.helm("status", self.name, "-o", "json"))["version"])

    def pods(self) -> list[Any]:
        """Its pods, by name."""
        found = self.namespace.get("pods", "-l", self.selector)["items"]
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    @property
    def selector(self) -> str:
        """The labels of its pods."""
        return f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component=bridge"

    def processes(self) -> dict[str, tuple[str, int]]:
        """Pod → its UID and how often its container was started again: equal means that the process is the same."""
        return {
            pod["metadata"]["name"]: (
                pod["metadata"]["uid"],
                sum(one["restartCount"] for one in pod["status"].get("containerStatuses", [])),
            )
            for pod in self.pods()
        }

    def uid(self, pod: str) -> str:
        """Of the pod of this name; "" while there is none."""
        return self.processes().get(pod, ("", 0))[0]

    def ready(self, replicas: int = 2, within_s: float = 120.0) -> None:
        """Wait until so many pods are there, and all are ready."""
        until(
            lambda: len(pods := self.pods()) == replicas and all(map(is_ready, pods)),
            f"{replicas} pods of {self.name} are ready",
            within_s,
        )

    def status(self, pod: str) -> Any:
        """What the pod shows at /status, asked from inside of it."""
        page = "http://127.0.0.1:8081/status"
        return json.loads(self.namespace.exec(pod, "python3", "-c", _STATUS, page, container="bridge"))

    def logs(self, pod: str, *arguments: str) -> list[Any]:
        """Its log lines."""
        text = self.namespace.kubectl("logs", pod, "-c", "bridge", *arguments)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def is_ready(pod: Any) -> bool:
    """Whether a pod is ready, and not about to end."""
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
