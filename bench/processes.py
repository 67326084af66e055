"""Processes on a core of their own, and what /proc says of them."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[set[int], set[int]]:
    """The core for the program under test, and the one for everything else; the same on a machine with one core."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, {usable[1] if len(usable) > 1 else usable[0]}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Pinned:
    """A process on given cores, ended with the block. Its output goes to `log`."""

    def __init__(self, command: Sequence[str], on_cores: set[int], log: Path, cwd: Path | None = None) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                preexec_fn=lambda: os.sched_setaffinity(0, on_cores),  # noqa: PLW1509 - no threads here yet
            )
        self.pid = self._process.pid
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.end()

    def wait_for_port(self, port: int, timeout_s: float = 30.0) -> None:
        """Return when the process listens on `port`."""
        until_s = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            if self._process.poll() is not None or time.monotonic() > until_s:
                tail = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"nothing listens on port {port}; the process said:\n{tail}")
            time.sleep(0.02)

    def end(self, timeout_s: float = 60.0) -> int:
        """SIGTERM, and SIGKILL after `timeout_s`."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def cpu_s(self) -> float:
        """User and system time so far, of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND

    def memory_mib(self) -> tuple[float, float]:
        """Resident memory now, and its highest value since `forget_peak`."""
        found = {
            line.split(":")[0]: int(line.split()[1]) / 1024
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
            if line.startswith(("VmRSS", "VmHWM"))
        }
        return found["VmRSS"], found["VmHWM"]

    def forget_peak(self) -> None:
        """Begin a new highest value."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
