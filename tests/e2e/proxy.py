"""HAProxy in front of bridges, with the configuration that the documentation gives (deploy/haproxy/haproxy.cfg)."""

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.bridge_process import Bridge
from tests.flow.running import until
from tests.kafka_broker.broker import free_port

CONFIG = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
REQUIRE = "REQUIRE_TOOLCHAINS"
STOP_S_MAX = 10


def haproxy() -> str:
    """The path of HAProxy. Without one: skipped, or failed where it is required."""
    # /usr/sbin is not on everybody's PATH, and Debian's package puts it there.
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if found is None:
        why = "LEFT OUT, the tests that need HAProxy: no `haproxy` on PATH"
        (pytest.fail if os.environ.get(REQUIRE) == "1" else pytest.skip)(why)
    return found


class Proxy:
    """A running HAProxy. `log` is the file with what it said."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log

    def lines(self, pattern: str) -> list[str]:
        """The lines so far in which a pattern is found."""
        return [line for line in self.log.read_text().splitlines() if re.search(pattern, line)]

    async def noticed(self, replica: int, state: str) -> None:
        """Wait until its health checks have found a replica UP or DOWN; counts from the last change."""
        changes = rf"^Server bridges/bridge-{replica} is (\w+)"

        def is_so() -> bool:
            said = self.lines(changes)
            return bool(said) and f"is {state}" in said[-1]

        await until(is_so, f"replica {replica} is {state}")


@asynccontextmanager
async def proxying(first: Bridge, second: Bridge, folder: Path) -> AsyncIterator[Proxy]:
    """Run HAProxy in front of two bridges; it listens when the block begins, and is gone when it ends."""
    port = free_port()
    environment = {
        "LISTEN": f"127.0.0.1:{port}",
        "BRIDGE_0": f"127.0.0.1:{first.port}",
        "BRIDGE_0_ADMIN": str(first.admin_port),
        "BRIDGE_1": f"127.0.0.1:{second.port}",
        "BRIDGE_1_ADMIN": str(second.admin_port),
    }
    proxy = Proxy(port, folder / "haproxy.log")
    with proxy.log.open("wb") as log:
        process = subprocess.Popen(
            [haproxy(), "-db", "-f", str(CONFIG)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            await until(lambda: _listens(process, proxy), "HAProxy listens")
            yield proxy
        finally:
            process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            print(proxy.log.read_text()[-2000:])  # shown when the test failed


def _listens(process: "subprocess.Popen[bytes]", proxy: Proxy) -> bool:
    assert process.poll() is None, proxy.log.read_text()
    table = Path("/proc/net/tcp").read_text().splitlines()
    return any(f"0100007F:{proxy.port:04X} 00000000:0000 0A" in line for line in table)
