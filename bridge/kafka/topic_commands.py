"""The lines of Kafka's own tools that make topics, and that mend those which differ. Pure: ready to paste."""

import json
import shlex
from collections.abc import Mapping, Sequence

from bridge.model import TopicSpec
from bridge.settings.models import Kafka


class TopicCommands:
    """Commands for one cluster. A secured one needs `client.properties` with the operator's own credentials."""

    def __init__(self, kafka: Kafka) -> None:
        self._at = ["--bootstrap-server", ",".join(kafka.bootstrap_servers)]
        if kafka.security.protocol != "PLAINTEXT":
            self._at += ["--command-config", "client.properties"]
        self._user = kafka.security.username or "bridge"

    def create(self, spec: TopicSpec) -> str:
        """Make the topic."""
        counts = ["--partitions", str(spec.partitions), "--replication-factor", str(spec.replication_factor)]
        settings = [part for key, value in settings_of(spec).items() for part in ("--config", f"{key}={value}")]
        return self._line("kafka-topics.sh", "--create", "--topic", spec.name, *counts, *settings)

    def add_partitions(self, topic: str, partitions: int) -> str:
        """Raise the number of partitions. Keys move to other partitions: order across the change is lost."""
        return self._line("kafka-topics.sh", "--alter", "--topic", topic, "--partitions", str(partitions))

    def configure(self, topic: str, settings: Mapping[str, str]) -> str:
        """Set topic settings."""
        # Brackets keep a comma inside a value from ending it.
        added = ",".join(f"{key}=[{value}]" if "," in value else f"{key}={value}" for key, value in settings.items())
        entity = ("--entity-type", "topics", "--entity-name", topic)
        return self._line("kafka-configs.sh", "--alter", *entity, "--add-config", added)

    def allow(self, topic: str, operations: Sequence[str]) -> str:
        """Give the bridge's user what it needs on a topic."""
        wanted = [part for operation in operations for part in ("--operation", operation)]
        principal = ("--allow-principal", f"User:{self._user}")
        return self._line("kafka-acls.sh", "--add", *principal, *wanted, "--topic", topic)

    def replicate(
        self, topic: str, replicas: Mapping[int, Sequence[int]], brokers: Sequence[int], replication_factor: int
    ) -> str:
        """Bring each partition to `replication_factor` replicas; "" when there are not enough brokers.

        `replicas` maps a partition to the brokers that hold it, its preferred leader first: these are kept.
        """
        if replication_factor > len(brokers):
            return ""
        partitions = []
        for partition, held in sorted(replicas.items()):
            others = [broker for broker in sorted(brokers) if broker not in held]
            turn = partition % len(others) if others else 0  # spreads the new replicas over the brokers
            wanted = [*held, *others[turn:], *others[:turn]][:replication_factor]
            partitions.append({"topic": topic, "partition": partition, "replicas": wanted})
        plan = shlex.quote(json.dumps({"version": 1, "partitions": partitions}, separators=(",", ":")))
        file = f"{topic}.json"
        line = self._line("kafka-reassign-partitions.sh", "--reassignment-json-file", file, "--execute")
        return f"echo {plan} > {file} && {line}"

    def _line(self, script: str, *arguments: str) -> str:
        return shlex.join([script, *self._at, *arguments])


def settings_of(spec: TopicSpec) -> dict[str, str]:
    """All settings that the topic is made with, its retention included."""
    retention = {} if spec.retention_ms is None else {"retention.ms": str(spec.retention_ms)}
    return {**retention, **spec.config}
