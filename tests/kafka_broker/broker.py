"""What every provider of a broker offers to tests."""

import os
import random
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path

# A listener in the ephemeral range can be lost while its broker is down: a client's own socket takes the port, and on
# loopback may even connect to itself.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4  # workers don't look at each other's
_PORTS = range(20000 + 3000 * _WORKER, 23000 + 3000 * _WORKER)
_given: set[int] = set()


class BrokerError(Exception):
    """The broker did not do what was asked; the message ends with the last lines of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1, outside the ephemeral range, that nobody listens on, and that was not given before."""
    for port in random.SystemRandom().sample([port for port in _PORTS if port not in _given], 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise BrokerError(f"no free port between {_PORTS.start} and {_PORTS.stop}")


def wait_for_text(log: Path, start: int, text: str, timeout_s: float, alive: object = None) -> None:
    """Wait until `text` stands in `log` behind byte `start`; `alive()` false or `timeout_s` over raises BrokerError."""
    deadline = time.monotonic() + timeout_s
    while True:
        with log.open("rb") as file:
            file.seek(start)
            written = file.read().decode(errors="replace")
        if text in written:
            return
        if time.monotonic() > deadline or (callable(alive) and not alive()):
            tail = "\n".join(written.splitlines()[-15:])
            raise BrokerError(f"{text!r} did not appear in {log} within {timeout_s:.0f} s; it ends:\n{tail}")
        time.sleep(0.03)


class Broker(ABC):
    """A running broker. The methods that control it block; call them from a thread in async tests if that matters."""

    provider: str
    can_control: bool
    bootstrap: str

    @abstractmethod
    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""

    @abstractmethod
    def resume(self) -> None:
        """End `pause`."""

    @abstractmethod
    def kill(self) -> None:
        """Kill it as a power cut would; returns when it is gone. Its data stays."""

    @abstractmethod
    def start(self) -> None:
        """Start it (again, on the same data and port); returns when it serves clients."""

    @abstractmethod
    def close(self) -> None:
        """End it and remove its data."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether it can answer: neither killed nor paused."""

    def restore(self) -> None:
        """Bring it back from whatever a test did to it."""
        if not self.running:
            self.resume()
        if not self.running:
            self.start()


class GivenBroker(Broker):
    """A broker that someone else runs. It can't be controlled."""

    provider = "given"
    can_control = False

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def pause(self) -> None:
        """Not possible."""
        raise BrokerError(f"the broker at {self.bootstrap} is not ours to control")

    resume = kill = start = pause

    def close(self) -> None:
        """Nothing to end."""

    @property
    def running(self) -> bool:
        """Taken for granted."""
        return True
