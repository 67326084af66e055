"""A bridge for end-to-end tests: its folder, and one process after another on it, on a real broker.

The topics' names begin with the bridge's own prefix, so tests share a broker without meeting.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.flow.running import TOKEN, BridgeProcess
from tests.kafka_broker import unique
from tests.kafka_broker.broker import free_port

WAIT_S = 60.0
TAIL_LINES = 40


class Bridge:
    """One bridge. `process` is the one that runs on its folder now, or ran last."""

    def __init__(self, folder: Path, bootstrap: str, http: aiohttp.ClientSession, **sections: dict[str, Any]) -> None:
        """Write its configuration: a small one, with sections replaced or extended by keyword. Starts nothing."""
        folder.mkdir()
        self.folder, self.bootstrap, self._http = folder, bootstrap, http
        self.journal = folder / "journal"
        self.config = folder / "bridge.yaml"
        self.prefix = unique("t")
        self.port, self.admin_port = free_port(), free_port()
        self._processes: list[BridgeProcess] = []
        self._sections: dict[str, dict[str, Any]] = {
            "server": {"listen": f"127.0.0.1:{self.port}"},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "journal": {"path": str(self.journal)},
            "kafka": {
                "bootstrap_servers": [bootstrap],
                "positions_topic": self.positions_topic,
                "backoff_max": "2s",
                "topic_retry_interval": "500ms",
            },
            "sources": {"treble": {"auth": [{"bearer": [TOKEN]}]}},
            "topics": {
                "create": "missing",
                "partitions": 3,
                "replication_factor": 1,
                "default": self.topic("{event_type}"),
                "quarantine": self.quarantine,
            },
            "log": {"format": "json"},
        }
        self.configure(**sections)

    def configure(self, **sections: dict[str, Any]) -> None:
        """Extend sections of the configuration, and write the file."""
        for name, section in sections.items():
            self._sections[name] = {**self._sections.get(name, {}), **section}
        fresh = self.config.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(self._sections))
        fresh.replace(self.config)

    def topic(self, event_type: str) -> str:
        """The topic of an event type, unless it is mapped."""
        return f"{self.prefix}.{event_type}"

    @property
    def quarantine(self) -> str:
        """The quarantine topic."""
        return self.topic("quarantine")

    @property
    def positions_topic(self) -> str:
        """The positions topic."""
        return self.topic("positions")

    @property
    def process(self) -> BridgeProcess:
        """The process that runs now, or ran last."""
        return self._processes[-1]

    # life

    async def start(self) -> None:
        """Start a process (again, on the same journal and ports); return when it is ready to take webhooks."""
        assert not self._processes or not self.process.running, "it runs already"
        self._processes.append(BridgeProcess(self.config))
        await self.process.started()
        status, ready = await self.get("/readyz")
        assert status == 200, ready

    def kill(self) -> None:
        """`kill -9`, if it runs; returns when it is gone."""
        if self._processes:
            self.process.kill()

    async def restart(self) -> None:
        """`kill -9`, and a new process."""
        self.kill()
        await self.start()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.process.signal(signal.SIGTERM)
        return await self.process.ended()

    def reload(self) -> None:
        """SIGHUP."""
        self.process.signal(signal.SIGHUP)

    # what it says

    async def get(self, path: str) -> tuple[int, Any]:
        """Ask the admin port; status and JSON."""
        async with self._http.get(f"http://127.0.0.1:{self.admin_port}{path}") as answer:
            return answer.status, await answer.json(content_type=None)

    async def status(self) -> Any:
        """What /status says."""
        return (await self.get("/status"))[1]

    async def metric(self, series: str) -> float:
        """The value of one series of /metrics; 0 when it isn't there."""
        async with self._http.get(f"http://127.0.0.1:{self.admin_port}/metrics") as answer:
            for line in (await answer.text()).splitlines():
                name, _, value = line.rpartition(" ")
                if name == f"treble_bridge_{series}":
                    return float(value)
        return 0.0

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event, of the process that runs now or ran last."""
        return self.process.log.lines(event)

    async def connected(self) -> None:
        """Wait until it forwards to Kafka."""
        await self.until("a connection to Kafka", lambda status: status["forwarder"]["connected"])

    async def drained(self, timeout_s: float = WAIT_S) -> None:
        """Wait until all that it accepted is forwarded."""
        await self.until("an empty journal", lambda status: status["journal"]["pending"] == 0, timeout_s)

    async def topic_paused(self, topic: str, state: str, deferred: int = 1) -> None:
        """Wait until a topic queue is held up, with at least so many entries deferred."""

        def waits(status: Any) -> bool:
            queues = {queue["topic"]: queue["state"] for queue in status["forwarder"]["topics_behind"]}
            return queues.get(topic) == state and status["journal"]["deferred"].get(topic, 0) >= deferred

        await self.until(f"{deferred} entries that wait for {topic}, which is {state}", waits)

    async def until(self, what: str, holds: Callable[[Any], bool], timeout_s: float = WAIT_S) -> None:
        """Wait until /status says so."""

        async def says_so() -> bool:
            return holds(await self.status())

        try:
            await until(says_so, what, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await self.status()}") from None

    def tail(self) -> str:
        """The end of what each of its processes said, for a test that failed."""
        parts = []
        for number, process in enumerate(self._processes, 1):
            lines = process.log.text.splitlines()[-TAIL_LINES:]
            parts.append(f"--- {self.folder.name}, process {number} ({process.pid}):\n" + "\n".join(lines))
        return "\n".join(parts)


async def until(holds: Callable[[], Awaitable[Any]], what: str, timeout_s: float = WAIT_S) -> Any:
    """Wait for something that has to be asked for; returns what it was."""
    end_s = time.monotonic() + timeout_s
    while not (found := await holds()):
        assert time.monotonic() < end_s, f"{what}: not within {timeout_s:g} s"
        await asyncio.sleep(0.05)
    return found
