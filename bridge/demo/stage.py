"""Kafka, bridge and consumer: put up before a run, taken down after it, whatever happens in between."""

import asyncio
import contextlib
import ctypes
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Final, Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bridge.auth.proof import Recipient
from bridge.demo.plan import PATH, Plan
from bridge.demo.posting import Poster
from bridge.errors import BridgeError
from bridge.kafka.admin import open_admin
from bridge.kafka.consumer import Incoming, Reader
from bridge.settings.models import Kafka

START_S: Final = 20.0
STOP_S: Final = 8.0
ANSWER_S: Final = 10.0
LOOK_S: Final = 0.03
LOG_LINES_SHOWN: Final = 25
_START_S: Final = 15.0
_FETCH_WAIT_S: Final = 0.02
"""The embedded Kafka answers when the wait is over, also if records come before."""
_REPLICAS_MAX: Final = 3
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None

# librdkafka's mock cluster, without an installation. Its arguments are the topics that it makes; it prints where it
# listens, and ends with its input. What it does not do: transactions, fencing, knowing a batch that it has already.
# A process of its own can be frozen (SIGSTOP): a broker that is away, with all that it holds.
_EMBEDDED: Final = """
import sys
from confluent_kafka import Producer

# The cluster lives as long as this handle. The address is never asked: a mock cluster takes its place.
handle = Producer({"bootstrap.servers": "localhost:1", "test.mock.num.brokers": 1, "log_level": 0})
for topic in sys.argv[1:]:
    handle.list_topics(topic, timeout=10)  # a topic comes into being by being asked for
brokers = handle.list_topics(timeout=10).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
sys.stdin.read()
"""


class StageError(BridgeError):
    """Something that the demo needs did not start, ended too early, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a run shows what happens: lines of text, with a style of rich's, and records.

    `record` gets a record and how many seconds after its webhook it came; None: somebody else posted it.
    """

    line: Callable[[str, str], None]
    record: Callable[[Incoming, float | None], None]


@dataclass(frozen=True, slots=True)
class BridgeProcess:
    """The bridge, as a process of its own."""

    process: Process
    log: Path

    @classmethod
    async def start(cls, plan: Plan) -> Self:
        environment = {**os.environ, **plan.environment()}
        arguments = ("-m", "bridge", "run", "--config", str(plan.config_file))
        with plan.log_file.open("ab") as log:
            process = await start_child(*arguments, stdin=DEVNULL, stdout=log, stderr=log, env=environment)
        return cls(process, plan.log_file)

    async def ports(self) -> tuple[str, str]:
        """Wait until it takes webhooks: the URLs of its two ports. Raises StageError."""
        deadline_s = time.monotonic() + START_S
        while True:
            for line in self.end_of_log().splitlines():
                if '"service.started"' in line:
                    fields = json.loads(line)
                    return f"http://{fields['ingress'][0]}", f"http://{fields['admin'][0]}"
            if self.process.returncode is not None:
                raise StageError(f"the bridge did not start: it ended with exit code {self.process.returncode}")
            if time.monotonic() > deadline_s:
                raise StageError(f"the bridge did not start within {START_S:.0f} s")
            await asyncio.sleep(LOOK_S)

    async def fail_at_exit(self) -> None:
        """Wait for an end that nobody asked for. Raises StageError."""
        exit_code = await self.process.wait()
        raise StageError(f"the bridge ended by itself, with exit code {exit_code}")

    async def end(self) -> int:
        """SIGTERM, and SIGKILL when it has not ended in time. Returns its exit code (negative: by which signal)."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            return await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()

    def end_of_log(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


@dataclass(frozen=True, slots=True)
class Stage:
    """What is up. `url` and `admin_url` are the bridge's two ports.

    Only the embedded Kafka has a process here. While it is frozen (SIGSTOP), connections stay open, and nothing is
    answered.
    """

    plan: Plan
    kafka: Process | None
    bridge: BridgeProcess
    poster: Poster
    reader: Reader
    http: aiohttp.ClientSession
    url: str
    admin_url: str

    async def status(self) -> dict[str, Any]:
        """The admin port's /status. Raises aiohttp.ClientError or TimeoutError."""
        async with self.http.get(f"{self.admin_url}/status") as answer:
            status: dict[str, Any] = await answer.json()
            return status

    async def counts(self) -> Mapping[str, float]:
        """The counts of the run as the bridge's own metrics have them."""
        async with self.http.get(f"{self.admin_url}/metrics") as answer:
            text = await answer.text()
        sums: dict[tuple[str, str], float] = defaultdict(float)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                sums[sample.name.removeprefix("treble_bridge_"), sample.labels.get("outcome", "")] += sample.value
        return {
            "acknowledged": sums["requests_total", "accepted"],
            "refused": sums["requests_total", "unauthorized"] + sums["requests_total", "not_json"],
            "forwarded": sums["events_total", "forwarded"],
            "duplicates": sums["duplicates_total", ""],
            "quarantined": sums["quarantined_total", ""],
            "pending": sums["journal_pending_entries", ""],
        }


@asynccontextmanager
async def staged(kafka: Kafka | None, port: int, screen: Screen) -> AsyncIterator[Stage]:
    """A stage for one run, on `kafka` or on an embedded one; `port` is the bridge's, 0 for any that is free.

    Raises a BridgeError when it can't be put up, or what is on it fails.
    """
    async with AsyncExitStack() as closing:
        plan, reached, frozen = await _with_kafka(kafka, port, closing, screen)
        plan.config_file.write_text(plan.configuration())
        bridge = await BridgeProcess.start(plan)
        closing.push_async_callback(bridge.end)
        try:
            url, admin_url = await bridge.ports()
            poster = Poster(Recipient(url + PATH), headers=plan.headers(), timeout_s=ANSWER_S)
            closing.push_async_callback(poster.close)
            http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_S))
            await closing.enter_async_context(http)
            reader = Reader(reached, plan.topics(), from_beginning=True, committed=True, fetch_wait_s=_FETCH_WAIT_S)
            stage = Stage(plan, frozen, bridge, poster, reader, http, url, admin_url)
            _show(stage, screen)
            await _topics_there(stage)
            await closing.enter_async_context(reader)
            yield stage
        except Exception as error:  # noqa: BLE001 - it is raised again, with the end of the log
            cause: Exception = error
            while isinstance(cause, ExceptionGroup):  # what goes on beside an act ends the act
                cause = cause.exceptions[0]
            if isinstance(cause, aiohttp.ClientError | TimeoutError):
                cause = StageError("the bridge's admin port did not answer")
            cause.add_note(f"the bridge's log ends with:\n{bridge.end_of_log()}")
            raise cause from None


@asynccontextmanager
async def embedded_broker(topics: Sequence[str]) -> AsyncIterator[tuple[Kafka, Process]]:
    """librdkafka's mock cluster, with these topics: how to reach it, and its process. Raises StageError."""
    process = await start_child("-c", _EMBEDDED, *topics, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    line = b""
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                line = await process.stdout.readline()
        if not line:
            raise StageError("the embedded Kafka did not start")
        settings = Kafka.model_validate(
            {"bootstrap_servers": line.decode().strip().split(","), "request_timeout": "40s", "call_timeout": "45s"}
            | {"transaction_timeout": "60s"}  # beyond every outage of the demo: an answer comes late, rather than never
        )
        yield settings, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # frozen or not; it holds nothing that anyone needs
        process.stdin.close()
        await process.wait()


async def start_child(*arguments: str, **streams: Any) -> Process:
    """A Python process. `streams` are options of asyncio's create_subprocess_exec.

    In a session of its own: Ctrl-C in a terminal reaches the demo alone, which ends its children in order. When the
    demo is killed, Linux kills them.
    """
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, start_new_session=True, preexec_fn=_end_with_parent, **streams
    )


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _with_kafka(
    kafka: Kafka | None, port: int, closing: AsyncExitStack, screen: Screen
) -> tuple[Plan, Kafka, Process | None]:
    """A folder and a Kafka, with the plan that names them. What must go at the end goes on `closing`."""
    folder = tempfile.TemporaryDirectory(prefix="treble-bridge-demo-", ignore_cleanup_errors=True)
    plan = Plan(
        folder=Path(closing.enter_context(folder)),
        servers=(),
        real=kafka is not None,
        token=f"demo-{secrets.token_urlsafe(18)}",
        api_key=f"demo-{secrets.token_urlsafe(18)}",
        prefix="" if kafka is None else topic_prefix(),
        port=port,
    )
    if kafka is None:
        embedded, process = await closing.enter_async_context(embedded_broker(plan.topics()))
        return replace(plan, servers=tuple(embedded.bootstrap_servers)), embedded, process
    async with open_admin(kafka) as admin:
        _, brokers = await admin.view([])
    closing.push_async_callback(_remove_topics, kafka, [*plan.topics(), plan.positions], screen)
    plan = replace(plan, servers=tuple(kafka.bootstrap_servers), replication_factor=max(1, min(_REPLICAS_MAX, brokers)))
    return plan, kafka, None


async def _remove_topics(kafka: Kafka, topics: Sequence[str], screen: Screen) -> None:
    async with open_admin(kafka) as admin:
        for topic, reason in (await admin.delete(topics)).items():
            screen.line(f"The topic {topic} could not be removed ({reason}).", "yellow")


def topic_prefix() -> str:
    """Of letters only: eight digits in a row would be masked as a phone number on the screen."""
    return f"demo-{''.join(secrets.choice(ascii_lowercase) for _ in range(8))}."


def _show(stage: Stage, screen: Screen) -> None:
    plan = stage.plan
    screen.line(f"Kafka   {plan.kafka_name}", "bold")
    if not plan.real:
        screen.line("        Its transactions are only pretended, so the bridge runs with at_least_once here.", "")
        screen.line("        On a real Kafka (--kafka host:port) it runs with exactly_once.", "")
    command = f"treble-bridge run --config {plan.config_file}"
    screen.line(f"Bridge  process {stage.bridge.process.pid}: {command}", "bold")
    screen.line(f"        webhooks at {stage.url}{PATH}", "")
    screen.line(f"        health, metrics and more at {stage.admin_url}/readyz, /metrics, /status", "")
    screen.line("        what Treble is told to add to each call (Webhook Headers):", "")
    screen.line(f"        {json.dumps(dict(plan.headers()))}\n", "")
    for line in plan.configuration().splitlines():
        screen.line(f"  │ {line}", "dim")


async def _topics_there(stage: Stage) -> None:
    """Wait until the topics are as the configuration wants them (or nobody looks after them)."""
    deadline_s = time.monotonic() + START_S
    while (topics := (await stage.status())["topics"])["state"] not in {"ok", "off"}:
        ended = stage.bridge.process.returncode is not None
        if topics["state"] == "differ" or time.monotonic() > deadline_s or ended:
            found = "; ".join(topics["differences"]) or topics["problem"] or "no answer"
            raise StageError(f"the bridge does not have its topics: {found}")
        await asyncio.sleep(LOOK_S)
