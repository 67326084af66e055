"""The consumers of `examples/`: built in the cache folder, started, ended."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from examples.schema.workshop import EXAMPLES, UnavailableError, fetch, made, maven, node_modules, run, sources, tool

WAIT_S = 40.0
REQUIRE = "REQUIRE_TOOLCHAINS"


def _python() -> list[str]:
    return [sys.executable, str(EXAMPLES / "python/consumer.py")]


def _typescript() -> list[str]:
    modules = node_modules()

    def make(folder: Path) -> None:
        (folder / "node_modules").symlink_to(modules)
        run(modules / ".bin/tsc", folder=folder)

    inputs = sources(EXAMPLES / "typescript", "package.json", "package-lock.json", "tsconfig.json", "src")
    return [tool("node"), str(made("typescript", inputs, make) / "dist/consumer.js")]


def _go() -> list[str]:
    go = tool("go")

    def make(folder: Path) -> None:
        fetch(go, "mod", "download", folder=folder)
        run(go, "vet", "./...", folder=folder)
        run(go, "build", "-o", "consumer", ".", folder=folder)

    return [str(made("go", sources(EXAMPLES / "go", "."), make) / "consumer")]


def _java() -> list[str]:
    inputs = sources(EXAMPLES / "java", "pom.xml", "src")
    built = made("java", inputs, lambda folder: maven("package", folder=folder))
    return [tool("java"), "-XX:TieredStopAtLevel=1", "-jar", str(built / "target/consumer.jar")]


COMMANDS: Mapping[str, Callable[[], list[str]]] = {
    "python": _python,
    "typescript": _typescript,
    "go": _go,
    "java": _java,
}
# A JVM that a signal ends says so, whatever it did before.
ENDS_WITH: Mapping[str, int] = {"python": 0, "typescript": 0, "go": 0, "java": 128 + signal.SIGTERM}


def command(language: str) -> list[str]:
    """How to start the consumer; it is built first where its sources changed. Left out without the toolchain."""
    try:
        return COMMANDS[language]()
    except UnavailableError as error:
        leave_out(language, error)


def leave_out(language: str, why: Exception) -> NoReturn:
    """Skip the test, or fail it where toolchains are required."""
    if os.environ.get(REQUIRE, "") not in ("", "0"):
        pytest.fail(f"{REQUIRE} is set, but for {language}: {why}")
    pytest.skip(f"LEFT OUT, the tests that need {language}: {why}")


class Consumer:
    """A running consumer. `errors` is the file of its standard error, `output` the file or pipe of the other."""

    def __init__(self, process: "subprocess.Popen[bytes]", errors: Path, output: "Path | NarrowPipe") -> None:
        self._process = process
        self._errors = errors
        self._output = output

    @property
    def printed(self) -> str:
        """Its standard output so far."""
        return self._output.read_text()

    @property
    def said(self) -> str:
        """All of its output, of both kinds."""
        return self.printed + self._errors.read_text()

    @property
    def lines(self) -> list[str]:
        """The whole lines that it printed."""
        return self.printed.rpartition("\n")[0].splitlines()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until `holds()`; fails when it doesn't within a bound, or when the consumer ends first."""
        end_s = time.monotonic() + WAIT_S
        while not holds():
            assert self._process.poll() is None, f"it ended before {what}: {self.said}"
            assert time.monotonic() < end_s, f"not within {WAIT_S} s: {what}; it said: {self.said}"
            time.sleep(0.02)

    def stop(self) -> int:
        """End it as an orchestrator does; returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(15)


class NarrowPipe:
    """A pipe with room for `room_bytes` until it is read: who writes more waits."""

    _CAPACITY_BYTES = 4096

    def __init__(self, room_bytes: int) -> None:
        self._end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, self._CAPACITY_BYTES)
        self._filled_bytes = os.write(self.write_end, b"." * (self._CAPACITY_BYTES - room_bytes))
        self._read = b""

    @property
    def waiting_bytes(self) -> int:
        """How much was written and not yet read."""
        count = bytearray(4)
        fcntl.ioctl(self._end, termios.FIONREAD, count)
        return int.from_bytes(count, sys.byteorder) - self._filled_bytes

    def read_text(self) -> str:
        """Everything that was written so far; makes room."""
        while self.waiting_bytes + self._filled_bytes:
            self._read += os.read(self._end, self._CAPACITY_BYTES)[self._filled_bytes :]
            self._filled_bytes = 0
        return self._read.decode()

    def close(self) -> None:
        """Close both ends."""
        os.close(self._end)
        os.close(self.write_end)


@contextmanager
def running(
    start: Sequence[str], topics: Sequence[str], folder: Path, pipe: NarrowPipe | None = None, **environment: str
) -> Iterator[Consumer]:
    """A consumer of these topics, killed at the end if it still runs. Its output goes to files, or to `pipe`."""
    settings = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    errors, output = folder / "err", folder / "out"
    with errors.open("wb") as err, output.open("wb") as out:
        process = subprocess.Popen(
            [*start, *topics],
            stdout=pipe.write_end if pipe else out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env=settings,
        )
        try:
            yield Consumer(process, errors, pipe or output)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
