"""Docker by its command line. What a test makes carries the session's label, and is swept however the session ends."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.chance import letters
from tests.kafka_broker.broker import free_port

SESSION = f"tb-test-{letters()}"
"""Name of the compose project, and value of the label."""

LABEL = f"treble-bridge-test={SESSION}"
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "128")
MEMORY = ("--memory", "256m", "--memory-swap", "256m")

# Waits for the end of the pipe from the test session, then removes all that the session's labels name.
_SWEEP = """
read -r _
for label in "$1" "com.docker.compose.project=$2"; do
  for container in $(docker ps -aq --filter "label=$label"); do docker rm -fv "$container"; done
  for volume in $(docker volume ls -q --filter "label=$label"); do docker volume rm "$volume"; done
  for network in $(docker network ls -q --filter "label=$label"); do docker network rm "$network"; done
done
for image in $(docker image ls -q "$2"); do docker image rm -f "$image"; done
"""


class DockerError(Exception):
    """A call of docker failed; the message has the call and what it said."""


def docker(*arguments: str, timeout_s: float = 60, environment: Mapping[str, str] | None = None) -> str:
    """What a call printed on stdout. Raises DockerError."""
    try:
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            env=None if environment is None else {**os.environ, **environment},
        )
    except subprocess.TimeoutExpired as error:
        raise DockerError(f"docker {' '.join(arguments)}: not within {timeout_s:g} s") from error
    if done.returncode:
        raise DockerError(f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def inspect(kind: str, name: str) -> Any:
    """`docker inspect` of one thing."""
    return json.loads(docker(kind, "inspect", name))[0]


def problem() -> str:
    """ "" when Docker, with BuildKit and compose, is at hand; else why not."""
    if shutil.which("docker") is None:
        return "the command docker is not on PATH"
    for call in (("version", "--format", "{{.Server.Version}}"), ("buildx", "version"), ("compose", "version")):
        try:
            docker(*call, timeout_s=20)
        except DockerError as error:
            return str(error).strip().splitlines()[-1]
    return ""


def start_sweeper() -> "subprocess.Popen[bytes]":
    """Sweeps when its stdin closes."""
    return subprocess.Popen(
        ["sh", "-c", _SWEEP, "sweep", LABEL, SESSION],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def new_volume() -> str:
    """An empty named volume."""
    return docker("volume", "create", "--label", LABEL)


class Container:
    """One container of the image under test, hardened, with its two ports on loopback."""

    def __init__(
        self,
        image: str,
        config: Path,
        volume: str,
        *,
        user: str,
        network: str,
        port: int = 0,
        command: Sequence[str] = (),
    ) -> None:
        """Create it; `config` is the folder that holds bridge.yaml. Not started yet."""
        self.port, self.admin_port = port or free_port(), free_port()
        self.id = docker(
            *("create", "--label", LABEL, *HARDENED, *MEMORY, "--user", user, "--network", network),
            *("--publish", f"127.0.0.1:{self.port}:8080", "--publish", f"127.0.0.1:{self.admin_port}:8081"),
            *("--volume", f"{volume}:/var/lib/treble-bridge", "--volume", f"{config}:/etc/treble-bridge:ro"),
            *(image, *command),
        )

    def start(self) -> None:
        """`docker start`."""
        docker("start", self.id)

    async def ready(self, http: aiohttp.ClientSession, within_s: float = 30.0) -> None:
        """Wait until /readyz says 200."""
        end_s = time.monotonic() + within_s
        while not await self._says_ready(http):
            assert time.monotonic() < end_s, f"not ready within {within_s:g} s:\n{self.logs()}"

    async def _says_ready(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"http://127.0.0.1:{self.admin_port}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def kill(self) -> None:
        """`docker kill`: SIGKILL. Returns when it is gone."""
        docker("kill", self.id)
        docker("wait", self.id)

    def stop(self) -> int:
        """`docker stop`: the image's STOPSIGNAL, and SIGKILL after 30 s. Its exit code."""
        docker("stop", "-t", "30", self.id)
        return int(self.state()["ExitCode"])

    def remove(self) -> None:
        """Remove it; the volume stays."""
        docker("rm", "--force", self.id)

    def state(self) -> Any:
        """Its State, as Docker has it."""
        return inspect("container", self.id)["State"]

    def logs(self) -> str:
        """All that it said."""
        return docker("logs", self.id)

    def said(self) -> list[str]:
        """The names of its log events, in order."""
        lines = [line for line in self.logs().splitlines() if line.startswith("{")]
        return [json.loads(line)["event.name"] for line in lines]
