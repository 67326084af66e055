"""Questions to a Kafka cluster about its topics, and the making of topics: one client, kept, each call limited.

aiokafka's admin client has no time limit of its own, drops errors that are inside an answer, makes a topic that it is
asked about where the broker creates topics on first use, and says AttributeError when the cluster has no controller.

The lines of Kafka's own tools that make topics, and that mend those which differ. Pure: ready to paste.
"""

import asyncio
import contextlib
import json
import random
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaConnectionError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from bridge.errors import BridgeError, ConfigError, SinkUnavailableError
from bridge.kafka.client import client_options
from bridge.kafka.diagnosis import diagnose
from bridge.kafka.errors import translate
from bridge.model import TopicSpec
from bridge.settings.models import Kafka


class TopicCommands:
    """Commands for one cluster. A secured one needs `client.properties` with the operator's own credentials."""

    def __init__(self, kafka: Kafka) -> None:
        self._at = ["--bootstrap-server", ",".join(kafka.bootstrap_servers)]
        if kafka.security.protocol != "PLAINTEXT":
            self._at += ["--command-config", "client.properties"]
        self._user = kafka.security.username or "bridge"

    def create(self, spec: TopicSpec) -> str:
        """Make the topic."""
        counts = ["--partitions", str(spec.partitions), "--replication-factor", str(spec.replication_factor)]
        settings = [part for key, value in settings_of(spec).items() for part in ("--config", f"{key}={value}")]
        return self._line("kafka-topics.sh", "--create", "--topic", spec.name, *counts, *settings)

    def add_partitions(self, topic: str, partitions: int) -> str:
        """Raise the number of partitions. Keys move to other partitions: order across the change is lost."""
        return self._line("kafka-topics.sh", "--alter", "--topic", topic, "--partitions", str(partitions))

    def configure(self, topic: str, settings: Mapping[str, str]) -> str:
        """Set topic settings."""
        # Brackets keep a comma inside a value from ending it.
        added = ",".join(f"{key}=[{value}]" if "," in value else f"{key}={value}" for key, value in settings.items())
        entity = ("--entity-type", "topics", "--entity-name", topic)
        return self._line("kafka-configs.sh", "--alter", *entity, "--add-config", added)

    def allow(self, topic: str, operations: Sequence[str]) -> str:
        """Give the bridge's user what it needs on a topic."""
        wanted = [part for operation in operations for part in ("--operation", operation)]
        principal = ("--allow-principal", f"User:{self._user}")
        return self._line("kafka-acls.sh", "--add", *principal, *wanted, "--topic", topic)

    def replicate(
        self, topic: str, replicas: Mapping[int, Sequence[int]], brokers: Sequence[int], replication_factor: int
    ) -> str:
        """Bring each partition to `replication_factor` replicas; "" when there are not enough brokers.

        `replicas` maps a partition to the brokers that hold it, its preferred leader first: these are kept.
        """
        if replication_factor > len(brokers):
            return ""
        partitions = []
        for partition, held in sorted(replicas.items()):
            others = [broker for broker in sorted(brokers) if broker not in held]
            turn = partition % len(others) if others else 0  # spreads the new replicas over the brokers
            wanted = [*held, *others[turn:], *others[:turn]][:replication_factor]
            partitions.append({"topic": topic, "partition": partition, "replicas": wanted})
        plan = shlex.quote(json.dumps({"version": 1, "partitions": partitions}, separators=(",", ":")))
        file = f"{topic}.json"
        line = self._line("kafka-reassign-partitions.sh", "--reassignment-json-file", file, "--execute")
        return f"echo {plan} > {file} && {line}"

    def _line(self, script: str, *arguments: str) -> str:
        return shlex.join([script, *self._at, *arguments])


def settings_of(spec: TopicSpec) -> dict[str, str]:
    """All settings that the topic is made with, its retention included."""
    retention = {} if spec.retention_ms is None else {"retention.ms": str(spec.retention_ms)}
    return {**retention, **spec.config}


T = TypeVar("T")

CLOSE_TIMEOUT_S: Final = 2.0
ALREADY_EXISTS: Final = 36
NO_SUCH_TOPIC: Final = 3


@dataclass(frozen=True, slots=True)
class ClusterView:
    """An answer about topics: `topics` by name as Kafka describes them, `brokers` the ids of those alive."""

    topics: dict[str, dict[str, Any]]
    brokers: tuple[int, ...]


class _Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka is untyped
    async def start(self) -> None:
        """Connect. Raises KafkaConnectionError."""
        await super().start()
        # So a broker answers that refuses an OAUTHBEARER token: with an empty cluster, which aiokafka takes for good.
        if self._client.get_random_node() is None:
            raise KafkaConnectionError("the brokers answer with an empty cluster")

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
        return await super()._send_request(request, await self._reachable() if node_id is None else node_id)

    async def _reachable(self) -> int | None:
        """A broker that takes connections. aiokafka asks any: with one of three away, every third call would fail."""
        brokers = [broker.nodeId for broker in self._client.cluster.brokers()]
        random.shuffle(brokers)
        for broker in brokers:
            if await self._client.ready(broker):
                return int(broker)
        return None

    async def view(self, names: Sequence[str] | None) -> ClusterView:
        """Describe topics, all of them with None, and make none."""
        request = MetadataRequest(None if names is None else list(names), allow_auto_topic_creation=False)
        answer = (await self._send_request(request)).to_object()
        topics = {topic["topic"]: topic for topic in answer["topics"]}
        return ClusterView(topics, tuple(broker["node_id"] for broker in answer["brokers"]))


class Cluster:
    """One cluster. After a failure the next call connects anew, with files read again."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._admin: _Admin | None = None
        self._one_at_a_time = asyncio.Lock()

    async def view(self, names: Sequence[str] | None = None) -> ClusterView:
        """Describe `names`; without them, every topic that the bridge's user may see. Raises a SinkError."""
        return await self._call(lambda admin: admin.view(names))

    async def settings(self, names: Sequence[str], keys: Sequence[str]) -> dict[str, dict[str, str] | None]:
        """Topic settings that are in force, defaults included. None for a topic whose settings may not be read."""

        async def ask(admin: _Admin) -> dict[str, dict[str, str] | None]:
            resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(keys)) for name in names]
            found: dict[str, dict[str, str] | None] = dict.fromkeys(names)
            with contextlib.suppress(IncompatibleBrokerVersion):
                for answer in await admin.describe_configs(resources):
                    for code, _message, _kind, name, entries in answer.resources:
                        if not code:
                            found[name] = {entry[0]: entry[1] for entry in entries}
            return found

        return await self._call(ask) if names else {}

    async def create(self, specs: Sequence[TopicSpec], *, only_ask: bool = False) -> dict[str, str]:
        """Make topics. Returns those that could not be made, with Kafka's reason; one that exists is no failure.

        `only_ask` makes none: Kafka says what it would.
        """

        async def make(admin: _Admin) -> dict[str, str]:
            wanted = [
                NewTopic(spec.name, spec.partitions, spec.replication_factor, topic_configs=settings_of(spec))
                for spec in specs
            ]
            try:
                answer = await admin.create_topics(
                    wanted, timeout_ms=int(self._kafka.request_timeout * 1000), validate_only=only_ask
                )
            except (AttributeError, IncompatibleBrokerVersion) as error:
                raise SinkUnavailableError(
                    "the cluster has no controller that could make topics now (or can't make topics at all)"
                ) from error
            return {
                name: _said(code, message)
                for name, code, message in answer.topic_errors
                if code not in {0, ALREADY_EXISTS}
            }

        return await self._call(make)

    async def delete(self, names: Sequence[str]) -> dict[str, str]:
        """Remove topics. Returns those that could not be removed, with Kafka's reason; one that is gone is none."""

        async def remove(admin: _Admin) -> dict[str, str]:
            answer = await admin.delete_topics(list(names), timeout_ms=int(self._kafka.request_timeout * 1000))
            return {
                name: _said(code, None) for name, code in answer.topic_error_codes if code not in {0, NO_SUCH_TOPIC}
            }

        return await self._call(remove)

    async def close(self) -> None:
        """End the connection."""
        async with self._one_at_a_time:
            await self._drop()

    async def _call(self, work: Callable[[_Admin], Awaitable[T]]) -> T:
        limit_s = self._kafka.call_timeout
        try:
            async with asyncio.timeout(limit_s), self._one_at_a_time:
                try:
                    return await self._twice(work)
                except BaseException:  # a cancelled client, too, may hold half an answer
                    await self._drop()
                    raise
        except BridgeError:
            raise
        except Exception as error:
            raise translate(error) from error

    async def _twice(self, work: Callable[[_Admin], Awaitable[T]]) -> T:
        kept = self._admin is not None
        admin = await self._connected()
        try:
            return await work(admin)
        except KafkaConnectionError:
            if not kept:
                raise
        # The connection ended while nobody looked, perhaps with its broker: others may be there.
        await self._drop()
        return await work(await self._connected())

    async def _connected(self) -> _Admin:
        if self._admin is None:
            try:
                options = client_options(self._kafka)
            except ConfigError as error:  # it was readable when the configuration was: something is replacing it
                raise SinkUnavailableError(str(error)) from error
            self._admin = _Admin(**options, request_timeout_ms=int(self._kafka.request_timeout * 1000))
            try:
                await self._admin.start()
            except KafkaConnectionError as error:
                findings = await diagnose(self._kafka, self._kafka.request_timeout)
                raise SinkUnavailableError("no connection to Kafka: " + ("; ".join(findings) or str(error))) from error
        return self._admin

    async def _drop(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await admin.close()


def _said(code: int, message: str | None) -> str:
    name: str = for_code(code).__name__.removesuffix("Error")
    return f"{name}: {message}" if message else name
