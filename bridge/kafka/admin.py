"""One connection to a Kafka cluster for questions about its topics, and for making them.

aiokafka's admin client has no time limit of its own, drops errors that are inside an answer, makes a topic that it is
asked about where the broker creates topics on first use, and says AttributeError when the cluster has no controller.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaConnectionError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from bridge.errors import SinkUnavailableError
from bridge.kafka.client import close, current_options
from bridge.kafka.diagnosis import connect
from bridge.kafka.errors import translated
from bridge.model import TopicSpec
from bridge.settings.models import Kafka

_ALREADY_EXISTS: Final = 36
_NO_SUCH_TOPIC: Final = 3


@contextlib.asynccontextmanager
async def open_admin(kafka: Kafka) -> AsyncIterator["Admin"]:
    """A new connection, with files read again. Raises a SinkError when none comes about."""
    admin = Admin(kafka)
    try:
        await connect(admin, kafka)
        yield admin
    finally:
        await close(admin.close())


class Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka is untyped
    """Each call ends within `kafka.call_timeout`, and raises a SinkError."""

    def __init__(self, kafka: Kafka) -> None:
        self._call_timeout_s = kafka.call_timeout
        super().__init__(**current_options(kafka), request_timeout_ms=int(kafka.request_timeout * 1000))

    async def start(self) -> None:
        """Connect. Raises what aiokafka does."""
        async with asyncio.timeout(self._call_timeout_s):
            await super().start()
            # A broker that refuses an OAUTHBEARER token answers with an empty cluster, which aiokafka takes for good.
            # And one whose advertised.listeners are wrong sends clients to where nobody is.
            if await self._reachable() is None:
                raise KafkaConnectionError("no broker of the cluster can be reached")

    async def view(self, names: Sequence[str]) -> tuple[dict[str, dict[str, Any]], int]:
        """Describe these topics, and make none: each by its name as Kafka does. And how many brokers are alive."""
        request = MetadataRequest(list(names), allow_auto_topic_creation=False)
        with translated():
            answer = (await self._send_request(request)).to_object()
        return {topic["topic"]: topic for topic in answer["topics"]}, len(answer["brokers"])

    async def settings(self, names: Sequence[str], keys: Sequence[str]) -> dict[str, dict[str, str] | None]:
        """Topic settings that are in force, defaults included. None for a topic whose settings may not be read."""
        found: dict[str, dict[str, str] | None] = dict.fromkeys(names)
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(keys)) for name in names]
        with translated(), contextlib.suppress(IncompatibleBrokerVersion):
            for answer in await self.describe_configs(resources) if names else ():
                for code, _message, _kind, name, entries in answer.resources:
                    if not code:
                        found[name] = {entry[0]: entry[1] for entry in entries}
        return found

    async def create(self, specs: Sequence[TopicSpec], *, dry_run: bool = False) -> dict[str, str]:
        """Make topics. Returns those that could not be made, with Kafka's reason; one that exists is no failure.

        With `dry_run` Kafka says what it would do, and makes none.
        """
        wanted = [
            NewTopic(spec.name, spec.partitions, spec.replication_factor, topic_configs=settings_of(spec))
            for spec in specs
        ]
        with translated():
            answer = await self.create_topics(wanted, validate_only=dry_run)
        failed = [error for error in answer.topic_errors if error[1] not in {0, _ALREADY_EXISTS}]
        return {name: _reason(code, message) for name, code, message in failed}

    async def delete(self, names: Sequence[str]) -> dict[str, str]:
        """Remove topics. Returns those that could not be removed, with Kafka's reason; one that is gone is none."""
        with translated():
            answer = await self.delete_topics(list(names))
        return {name: _reason(code) for name, code in answer.topic_error_codes if code not in {0, _NO_SUCH_TOPIC}}

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
        async with asyncio.timeout(self._call_timeout_s):
            return await super()._send_request(request, await self._reachable() if node_id is None else node_id)

    async def _reachable(self) -> int | None:
        """A broker that takes connections. aiokafka asks any: with one of three away, every third call would fail."""
        brokers = [broker.nodeId for broker in self._client.cluster.brokers()]
        random.shuffle(brokers)
        for broker in brokers:
            if await self._client.ready(broker):
                return int(broker)
        return None

    async def _send_to_controller(self, request: Any) -> Any:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                return await super()._send_to_controller(request)
        except (AttributeError, IncompatibleBrokerVersion) as error:
            raise SinkUnavailableError(
                "the cluster has no controller that could make topics now (or can't make topics at all)"
            ) from error


def settings_of(spec: TopicSpec) -> dict[str, str]:
    """All settings that the topic is made with, its retention included."""
    retention = {} if spec.retention_ms is None else {"retention.ms": str(spec.retention_ms)}
    return {**retention, **spec.config}


def _reason(code: int, message: str | None = None) -> str:
    name: str = for_code(code).__name__.removesuffix("Error")
    return f"{name}: {message}" if message else name
