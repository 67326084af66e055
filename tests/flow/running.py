"""Handles on a running bridge: where it listens, what it said, how to end it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp

from bridge.catalogue import TABLE
from bridge.errors import ExitCode
from bridge.service import Service
from bridge.settings.load import load
from bridge.settings.sources import secrets_of
from bridge.telemetry.logs import Logs
from tests.fakes.sink import ScriptedSink

TOKEN = "flow-token-0123456789"
PATH = "/webhooks/treble/read"
WAIT_S = 30.0
_ROOT = Path(__file__).parent.parent.parent


def authorized(token: str = TOKEN) -> dict[str, str]:
    """The header that proves who calls."""
    return {"Authorization": f"Bearer {token}"}


def webhook(session: str = "s-1", **fields: Any) -> dict[str, Any]:
    """The body of a `read`."""
    body = {
        "country_code": "+57",
        "cellphone": "3176477608",
        "session_id": session,
        "read_at": "2026-06-22 15:19:08",
        "user_session_keys": [],
    }
    return {**body, **fields}


class Written:
    """Log lines, as they were written."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Take bytes, from any thread."""
        with self._lock:
            self._text += data

    @property
    def text(self) -> str:
        """All of it."""
        with self._lock:
            return self._text.decode()

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """The whole lines so far, of one event where it is named."""
        whole = self.text.rpartition("\n")[0]
        parsed = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in parsed if event is None or line["event.name"] == event]


async def until(condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
    """Wait for `condition` to hold, and return what it returned."""
    end_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end_s, f"{what}: not within {timeout_s} s"
        await asyncio.sleep(0.01)
    return found


class Bridge:
    """What both kinds of a running bridge have in common."""

    def __init__(self) -> None:
        self.log = Written()
        self.url = self.admin_url = ""

    def _take_addresses(self) -> None:
        (line,) = self.log.lines("service.started")[-1:]
        self.url, self.admin_url = f"http://{line['ingress'][0]}", f"http://{line['admin'][0]}"

    @property
    def port(self) -> int:
        """The ingress port."""
        return int(self.url.rpartition(":")[2])

    async def post(self, http: aiohttp.ClientSession, body: Any = None, token: str = TOKEN, path: str = PATH) -> int:
        """Send one webhook; the answer's status."""
        body = webhook() if body is None else body
        async with http.post(self.url + path, json=body, headers=authorized(token)) as answer:
            await answer.read()
            return answer.status

    async def get(self, http: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
        """Ask the admin port; status and JSON."""
        async with http.get(self.admin_url + path) as answer:
            return answer.status, await answer.json(content_type=None)

    async def metric(self, http: aiohttp.ClientSession, series: str) -> float | None:
        """The value of one series of /metrics, None when it isn't there."""
        async with http.get(f"{self.admin_url}/metrics") as answer:
            for line in (await answer.text()).splitlines():
                name, _, value = line.rpartition(" ")
                if name == f"treble_bridge_{series}":
                    return float(value)
        return None

    async def pending(self, http: aiohttp.ClientSession) -> int:
        """Entries that are not forwarded."""
        return int(await self.metric(http, "journal_pending_entries") or 0)

    async def all_forwarded(self, http: aiohttp.ClientSession, but: int = 0) -> None:
        """Wait until exactly `but` entries are pending: the journal notes a commit after Kafka has it."""
        end_s = time.monotonic() + WAIT_S
        while (pending := await self.pending(http)) != but:
            assert time.monotonic() < end_s, f"{pending} entries are still pending, not {but}"


class BridgeProcess(Bridge):
    """`treble-bridge run` as its own process."""

    def __init__(self, config: Path) -> None:
        super().__init__()
        self.config = config
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "run", "--config", str(config)],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.pid = self._process.pid
        self._may_read = threading.Event()
        self._may_read.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError), self._process.stdout as stream:
            while self._may_read.wait() and (data := os.read(stream.fileno(), 1 << 16)):
                self.log.write(data)

    def stop_reading(self) -> None:
        """Leave what it says from now on in the pipe."""
        self._may_read.clear()

    def go_on_reading(self) -> None:
        """Take what waits in the pipe."""
        self._may_read.set()

    async def started(self) -> None:
        """Return when it takes webhooks."""

        def up() -> bool:
            assert self._process.poll() is None, f"it ended with {self._process.returncode}:\n{self.log.text}"
            return bool(self.log.lines("service.started"))

        await until(up, "the start")
        self._take_addresses()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    async def ended(self, timeout_s: float = WAIT_S) -> int:
        """Its exit code, and all that it said is in the log."""
        await until(lambda: not self.running, "the end", timeout_s)
        await asyncio.to_thread(self._reader.join, WAIT_S)
        return self._process.wait()

    def kill(self) -> None:
        """End it now, if it runs."""
        self._may_read.set()
        self._process.kill()
        self._process.wait()
        self._reader.join(WAIT_S)


class BridgeInside(Bridge):
    """The service in this process's loop."""

    def __init__(self, config: Path, sink: ScriptedSink | None) -> None:
        super().__init__()
        self.config = config
        self.settings = load(config, TABLE).settings
        self.logs = Logs(
            self.settings.log.level, "json", sink=self.log.write, secrets=_secret_values(secrets_of(self.settings))
        )
        self.service = Service(self.settings, config, logs=self.logs, sink=sink)
        self._task: asyncio.Task[ExitCode] | None = None

    async def start(self) -> None:
        """Return when it takes webhooks."""
        self._task = task = asyncio.create_task(self.service.run())
        await until(lambda: task.done() or self.log.lines("service.started"), "the start")
        if task.done():
            await task
        self._take_addresses()

    @property
    def exit_code(self) -> ExitCode | None:
        """The exit code, once it has ended."""
        return self._task.result() if self._task is not None and self._task.done() else None

    async def ended(self) -> ExitCode:
        """Wait for the end that something else asked for."""
        assert self._task is not None
        code = await asyncio.wait_for(asyncio.shield(self._task), WAIT_S)
        self.logs.close()
        return code

    async def end(self) -> None:
        """End it in order, if it runs."""
        self.service.shutdown.request("test")
        with contextlib.suppress(Exception):
            await self.ended()


def _secret_values(found: Iterable[tuple[object, str]]) -> list[str]:
    return [secret for _, secret in found]
