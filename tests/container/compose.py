"""`docker compose` on the project's compose.yaml, as a project of the session's own."""

import json
from typing import Any

from tests.container.building import ROOT
from tests.container.engine import docker
from tests.kafka_broker.broker import free_port

PROFILES = ("metrics", "topics")


class Compose:
    """One project. Call it with the words after `docker compose`."""

    def __init__(self, project: str, image: str) -> None:
        names = ("TREBLE_BRIDGE_PORT", "TREBLE_BRIDGE_ADMIN_PORT", "KAFKA_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
        self.ports = {name: free_port() for name in (*names, "TOPICS_PORT")}
        self.variables = {name: str(port) for name, port in self.ports.items()}
        self.variables |= {"TREBLE_BRIDGE_IMAGE": image, "TREBLE_TOKEN": "", "TREBLE_API_KEY": ""}
        self.project = project
        self.network = f"{project}_default"
        self.bootstrap = f"localhost:{self.ports['KAFKA_PORT']}"

    def __call__(self, *arguments: str, timeout_s: float = 60) -> str:
        """What it printed. Raises DockerError."""
        return docker(
            *("compose", "--project-name", self.project, "--file", str(ROOT / "compose.yaml"), *arguments),
            timeout_s=timeout_s,
            environment=self.variables,
        )

    def resolved(self) -> Any:
        """The whole file as compose understands it, all profiles on."""
        profiles = [word for profile in PROFILES for word in ("--profile", profile)]
        return json.loads(self(*profiles, "config", "--format", "json"))
