"""Apache Kafka in a container, by testcontainers, where Docker answers."""

import os
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from tests.kafka_broker.artifacts import KAFKA_VERSION
from tests.kafka_broker.broker import Broker, BrokerError, free_port
from tests.kafka_broker.process import SETTINGS

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
_READY = b"Kafka Server started"
# Removes the container when the pipe from the test session closes, however that session ended.
_WATCHDOG = """
import contextlib, docker, sys
sys.stdin.read()
with contextlib.suppress(Exception):
    docker.from_env().containers.get(sys.argv[1]).remove(force=True, v=True)
"""


def _client(timeout_s: float) -> Any:
    import docker  # type: ignore[import-untyped]  # noqa: PLC0415 - half a second that most sessions need not spend

    return docker.from_env(timeout=timeout_s)


def obtainable() -> str:
    """ "" when Docker answers on this machine, else why not."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if host.startswith("unix://") and not os.path.exists(host.removeprefix("unix://")):  # noqa: PTH110 - a socket, not a file
        return "Docker does not answer"
    try:
        client = _client(5)
        try:
            client.ping()
        finally:
            client.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, Docker is of no use then
        return f"Docker does not answer ({type(error).__name__})"
    return ""


class ContainerBroker(Broker):
    """A container with a fixed port on loopback, so that it is found again after a restart."""

    provider = "container"
    can_control = True

    def __init__(self) -> None:
        host = urlsplit(os.environ.get("DOCKER_HOST", "")).hostname or "127.0.0.1"
        self._port = free_port()
        self.bootstrap = f"{host}:{self._port}"
        self._local = host == "127.0.0.1"
        self._container: Any = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def _build(self) -> Any:
        # Its reaper is one more image to fetch; the watchdog does its work.
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - slow to import

        settings = {
            **SETTINGS,
            "listeners": f"PLAINTEXT://0.0.0.0:{self._port},CONTROLLER://0.0.0.0:29093",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": "1@localhost:29093",
        }
        container = DockerContainer(IMAGE)
        container.with_envs(**{"KAFKA_" + k.upper().replace(".", "_"): v for k, v in settings.items()})
        ports: dict[str, Any] = container.ports  # Docker takes an address too; the library's type does not say so
        ports[f"{self._port}/tcp"] = ("127.0.0.1", self._port) if self._local else self._port
        return container

    @property
    def running(self) -> bool:
        """Whether it can answer: neither killed nor paused."""
        if self._container is None:
            return False
        self._container.reload()
        return bool(self._container.status == "running")

    def start(self) -> None:
        """Start it (again, on the same data and port); returns when it serves clients."""
        if self._container is None:
            self._fetch_image()
            self._container = self._build().start().get_wrapped_container()
            self._watchdog = subprocess.Popen(
                [sys.executable, "-c", _WATCHDOG, self._container.id], stdin=subprocess.PIPE, start_new_session=True
            )
            self._wait(0)
        else:
            before = self._container.logs().count(_READY)
            self._container.start()
            self._wait(before)

    def _fetch_image(self) -> None:
        client = _client(300)
        try:
            if not client.images.list(IMAGE):
                client.images.pull(*IMAGE.split(":"))
        except Exception as error:
            raise BrokerError(f"the image {IMAGE} is not here and can't be fetched: {error}") from error
        finally:
            client.close()

    def _wait(self, before: int, timeout_s: float = 90) -> None:
        deadline = time.monotonic() + timeout_s
        while self._container.logs().count(_READY) <= before:
            self._container.reload()
            if self._container.status == "exited" or time.monotonic() > deadline:
                tail = self._container.logs(tail=15).decode(errors="replace")
                raise BrokerError(f"the container did not become ready; its log ends:\n{tail}")
            time.sleep(0.1)

    def pause(self) -> None:
        """`docker pause`."""
        self._container.pause()

    def resume(self) -> None:
        """`docker unpause`, if it is paused."""
        self._container.reload()
        if self._container.status == "paused":
            self._container.unpause()

    def kill(self) -> None:
        """`docker kill`; returns when it is gone. Its data stays."""
        self._container.kill()
        self._container.wait(timeout=30)

    def close(self) -> None:
        """Remove the container and its data."""
        if self._container is not None:
            self._container.remove(force=True, v=True)
            self._container.client.close()
        if self._watchdog is not None:
            self._watchdog.communicate()
