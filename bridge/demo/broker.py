"""The Kafka of a run: the embedded one, or the one that the user names."""

import asyncio
import contextlib
import ctypes
import importlib.util
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from bridge.errors import BridgeError, ExitCode
from bridge.kafka.admin import open_admin
from bridge.kafka.consumer import FETCH_WAIT_S
from bridge.settings.models import Kafka

_START_S: Final = 15.0
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


class NoEmbeddedKafkaError(BridgeError):
    """The package that brings the embedded Kafka is not installed."""

    exit_code = ExitCode.USAGE


class StageError(BridgeError):
    """Something that the demo needs did not start, ended too early, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka that is up. `settings` is how the demo's own clients reach it.

    Only the embedded one has a `process`. While it is frozen (SIGSTOP), connections stay open, and nothing is answered.
    """

    name: str
    settings: Kafka
    replication_factor: int = 1
    fetch_wait_s: float = FETCH_WAIT_S
    process: Process | None = None


@asynccontextmanager
async def embedded_broker(topics: Sequence[str]) -> AsyncIterator[Broker]:
    """librdkafka's mock cluster, with these topics. Raises NoEmbeddedKafkaError, or StageError."""
    if importlib.util.find_spec("confluent_kafka") is None:
        raise NoEmbeddedKafkaError(
            "the demo's embedded Kafka comes with the package confluent-kafka, which is not installed. "
            f"Install it with\n  {sys.executable} -m pip install 'treble-bridge[demo]'\n"
            "or run the demo on a Kafka of your own with --kafka host:port"
        )
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
        name = "an embedded Kafka (librdkafka's mock cluster, in memory)"
        # It answers when the wait is over, also if records come before.
        yield Broker(name, settings, fetch_wait_s=0.02, process=process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # frozen or not; it holds nothing that anyone needs
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def given_broker(
    kafka: Kafka, temporary: Sequence[str], line: Callable[[str, str], None]
) -> AsyncIterator[Broker]:
    """A real Kafka that somebody else runs. The `temporary` topics are removed at the end.

    Raises a SinkError when it can't be reached.
    """
    async with open_admin(kafka) as admin:
        _, brokers = await admin.view([])
    try:
        yield Broker(f"the Kafka at {', '.join(kafka.bootstrap_servers)}", kafka, max(1, min(_REPLICAS_MAX, brokers)))
    finally:
        if temporary:
            async with open_admin(kafka) as admin:
                left = await admin.delete(temporary)
            for topic, reason in left.items():
                line(f"The topic {topic} could not be removed ({reason}).", "yellow")


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
