"""The Kafka of a run: the embedded one, or the one that the user names."""

import importlib.util
import signal
import sys
from collections.abc import Sequence
from typing import Final, Protocol

from bridge.demo.errors import NoEmbeddedKafkaError, StageError
from bridge.demo.plan import Plan
from bridge.demo.processes import Child
from bridge.errors import SinkError
from bridge.kafka.admin import open_admin
from bridge.kafka.consumer import FETCH_WAIT_S
from bridge.settings.models import Kafka

EMBEDDED_TIMEOUT_S: Final = 60.0
"""Beyond every outage of the demo: whoever waits for the frozen broker gets its answer late, rather than none."""

_STEP_S: Final = 15.0
_REPLICAS_MAX: Final = 3


class Broker(Protocol):
    """What a run needs of its Kafka."""

    real: bool
    name: str
    fetch_wait_s: float

    @property
    def servers(self) -> tuple[str, ...]:
        """Where it listens."""

    @property
    def settings(self) -> Kafka:
        """How the demo's own clients reach it."""

    async def prepare(self, plan: Plan) -> None:
        """Before the bridge starts."""

    async def clean_up(self, plan: Plan) -> str:
        """After the bridge has ended: remove the run's topics. Returns what could not be removed, and why, or ""."""

    async def close(self) -> None:
        """End what was started for it."""


class EmbeddedBroker:
    """librdkafka's mock cluster in a process of its own."""

    real = False
    name = "an embedded Kafka (librdkafka's mock cluster, in memory)"
    fetch_wait_s = 0.02  # it answers when the wait is over, also if records come before

    def __init__(self, child: Child, servers: Sequence[str]) -> None:
        self.child = child
        self.servers = tuple(servers)
        self.settings = Kafka.model_validate(
            {"bootstrap_servers": list(servers), "request_timeout": "40s", "call_timeout": "45s"}
            | {"transaction_timeout": f"{EMBEDDED_TIMEOUT_S:.0f}s"}
        )

    @classmethod
    async def start(cls) -> "EmbeddedBroker":
        """Start it. Raises NoEmbeddedKafkaError, or StageError."""
        if importlib.util.find_spec("confluent_kafka") is None:
            raise NoEmbeddedKafkaError(
                "the demo's embedded Kafka comes with the package confluent-kafka, which is not installed. "
                f"Install it with\n  {sys.executable} -m pip install 'treble-bridge[demo]'\n"
                "or run the demo on a Kafka of your own with --kafka host:port"
            )
        child = await Child.start([sys.executable, "-m", "bridge.demo.embedded"])
        try:
            if servers := await child.line(_STEP_S):
                return cls(child, servers.split(","))
        except BaseException:
            await child.kill()
            raise
        await child.kill()
        raise StageError("the embedded Kafka did not start")

    def freeze(self) -> None:
        """Be away: connections stay open, nothing is answered."""
        self.child.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Be back."""
        self.child.signal(signal.SIGCONT)

    async def prepare(self, plan: Plan) -> None:
        """Make the topics, so that the consumer is there before the first event."""
        for topic in plan.topics():
            await self.child.tell(topic)
            if await self.child.line(_STEP_S) != topic:
                raise StageError(f"the embedded Kafka did not make the topic {topic}")

    async def clean_up(self, plan: Plan) -> str:
        """Nothing is left when the process is gone."""
        del plan
        return ""

    async def close(self) -> None:
        """End the process: it holds nothing that anyone needs."""
        await self.child.kill()


class GivenBroker:
    """A real Kafka that somebody else runs."""

    real = True
    fetch_wait_s = FETCH_WAIT_S

    def __init__(self, settings: Kafka) -> None:
        self.settings = settings
        self.servers = tuple(settings.bootstrap_servers)
        self.name = f"the Kafka at {', '.join(self.servers)}"
        self.replication_factor = 1

    @classmethod
    async def reach(cls, settings: Kafka) -> "GivenBroker":
        """Ask it for its brokers. Raises a SinkError when it can't be reached."""
        broker = cls(settings)
        async with open_admin(settings) as admin:
            _, brokers = await admin.view([])
        broker.replication_factor = max(1, min(_REPLICAS_MAX, brokers))
        return broker

    async def prepare(self, plan: Plan) -> None:
        """Nothing: the bridge makes its topics itself."""

    async def clean_up(self, plan: Plan) -> str:
        """Remove the run's topics."""
        try:
            async with open_admin(self.settings) as admin:
                left = await admin.delete([*plan.topics(), plan.positions])
        except SinkError as error:
            return f"all of them ({error})"
        return ", ".join(f"{name} ({reason})" for name, reason in left.items())

    async def close(self) -> None:
        """Nothing is kept open."""
