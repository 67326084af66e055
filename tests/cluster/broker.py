"""Apache Kafka in the cluster: one node, one volume, a way in with and one without login."""

import os
import time
from typing import Any

from tests.cluster.kubernetes import Namespace, config_map

IMAGE = os.environ.get("BRIDGE_TEST_KAFKA_IMAGE", "apache/kafka:4.3.1")
NAME = "kafka"
OPEN, SECURED = f"{NAME}:9092", f"{NAME}:9093"
"""Bootstrap addresses: without login, and with SCRAM-SHA-512."""
USER = "bridge"
LABELS = {"app": NAME}
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://:9092,SASL_PLAINTEXT://:9093,INTERNAL://localhost:9094,CONTROLLER://localhost:9095",
    "advertised.listeners": f"PLAINTEXT://{OPEN},SASL_PLAINTEXT://{SECURED},INTERNAL://localhost:9094",
    "listener.security.protocol.map": (
        "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"
    ),
    "inter.broker.listener.name": "INTERNAL",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@localhost:9095",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "log.dirs": "/var/lib/kafka/data/log",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "3",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "3",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "1000",
    "log.cleaner.dedupe.buffer.size": str(4 << 20),
    "num.network.threads": "2",
    "num.io.threads": "4",
}


class ClusterKafka:
    """The broker. `stop` and `start` keep its data."""

    def __init__(self, namespace: Namespace, password: str) -> None:
        self._namespace, self._password = namespace, password
        text = "".join(f"{key}={value}\n" for key, value in _SETTINGS.items())
        namespace.apply(config_map(f"{NAME}-config", {"server.properties": text}), _service(), _stateful_set())

    def ready(self) -> None:
        """Wait until it serves, and has the bridge's user."""
        self._namespace.rolled_out(f"statefulset/{NAME}")
        self.set_password(self._password)

    def set_password(self, password: str) -> None:
        """Change the password of the bridge's user; logins from now on need the new one."""
        user = ("--entity-type", "users", "--entity-name", USER)
        change = ("--alter", *user, "--add-config", f"SCRAM-SHA-512=[password={password}]")
        tool = ("/opt/kafka/bin/kafka-configs.sh", "--bootstrap-server", "localhost:9092")
        self._namespace.exec(f"{NAME}-0", *tool, *change)

    def stop(self) -> None:
        """Take it away; returns when its pod is gone."""
        self._namespace.kubectl("scale", f"statefulset/{NAME}", "--replicas=0")
        self._namespace.kubectl("wait", "--for=delete", f"pod/{NAME}-0", "--timeout=60s", timeout_s=70)

    def start(self) -> float:
        """Bring it back; returns when it serves, with the seconds that took."""
        began_s = time.monotonic()
        self._namespace.kubectl("scale", f"statefulset/{NAME}", "--replicas=1")
        self._namespace.rolled_out(f"statefulset/{NAME}")
        return time.monotonic() - began_s


def _service() -> dict[str, Any]:
    ports = [{"name": "open", "port": 9092}, {"name": "secured", "port": 9093}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"selector": LABELS, "ports": ports},
    }


def _stateful_set() -> dict[str, Any]:
    container = {
        "name": "kafka",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "KAFKA_HEAP_OPTS", "value": "-Xms160m -Xmx400m"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "readinessProbe": {"tcpSocket": {"port": 9093}, "periodSeconds": 1, "failureThreshold": 2},
        "volumeMounts": [
            {"name": "config", "mountPath": "/mnt/shared/config"},
            {"name": "data", "mountPath": "/var/lib/kafka/data"},
        ],
    }
    pod = {
        # A Service named kafka would become variables named KAFKA_…, which the image takes for settings.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 20,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": f"{NAME}-config"}}],
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": NAME},
        "spec": {
            "serviceName": NAME,
            "replicas": 1,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
            "volumeClaimTemplates": [claim],
        },
    }
