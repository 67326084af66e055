"""Topics on Kafka: made where that is wanted, compared with the configuration, asked whether they can take records.

Nothing that exists is ever changed. A difference is said in words; of a missing topic the line that makes it, too.
"""

import asyncio
import dataclasses
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import for_code

from bridge.errors import SinkUnavailableError
from bridge.kafka.admin import Admin, open_admin, settings_of
from bridge.model import TopicSpec
from bridge.settings.models import Kafka, Settings
from bridge.settings.units import format_duration

VISIBLE_TRIES_MAX: Final = 100
VISIBLE_PAUSE_S: Final = 0.05
# What is read of a topic. Other settings that a topic is made with are advice, and its owner may change them.
COMPARED_SETTINGS: Final = ("retention.ms", "cleanup.policy", "max.message.bytes", "min.insync.replicas")
_ENOUGH_IF_MORE: Final = {"max.message.bytes", "min.insync.replicas"}
_STATUS_BY_CODE: Final = {0: "ok", 3: "missing", 5: "leaderless", 17: "invalid", 29: "unauthorized"}
_POSITIONS_SEGMENT_BYTES: Final = 16 << 20  # the segment in use is never compacted, and recovery may read all of it
_ROOM_FOR_ONE_BROKER_AWAY: Final = 3


def system_topics(settings: Settings) -> list[TopicSpec]:
    """The topics that the bridge needs for itself: the quarantine, and the positions if they are kept on Kafka."""
    topics, kafka = settings.topics, settings.kafka
    retention_ms = None if topics.retention is None else int(topics.retention * 1000)
    quarantine = TopicSpec(
        topics.quarantine,
        topics.partitions,
        topics.replication_factor,
        retention_ms,
        {"max.message.bytes": str(settings.quarantine_bytes_max)},
    )
    if kafka.delivery != "exactly_once":
        return [quarantine]
    config = {"cleanup.policy": "compact", "segment.bytes": str(_POSITIONS_SEGMENT_BYTES)}
    if topics.replication_factor >= _ROOM_FOR_ONE_BROKER_AWAY:
        config["min.insync.replicas"] = "2"
    return [quarantine, TopicSpec(kafka.positions_topic, 1, topics.replication_factor, None, config)]


def merged(specs: Iterable[TopicSpec]) -> list[TopicSpec]:
    """One spec a topic, in order of first mention; where two speak of the same topic, what either says counts."""
    by_name: dict[str, TopicSpec] = {}
    for spec in specs:
        first = by_name.setdefault(spec.name, spec)
        retention_ms = spec.retention_ms if first.retention_ms is None else first.retention_ms
        by_name[spec.name] = dataclasses.replace(
            first, retention_ms=retention_ms, config={**first.config, **spec.config}
        )
    return list(by_name.values())


def create_line(kafka: Kafka, spec: TopicSpec) -> str:
    """The line of Kafka's own tools that makes the topic.

    On a secured cluster it needs a `client.properties` with the operator's own credentials.
    """
    parts = ["kafka-topics.sh", "--bootstrap-server", ",".join(kafka.bootstrap_servers)]
    if kafka.security.protocol != "PLAINTEXT":
        parts += ["--command-config", "client.properties"]
    parts += ["--create", "--topic", spec.name, "--partitions", str(spec.partitions)]
    parts += ["--replication-factor", str(spec.replication_factor)]
    for key, value in settings_of(spec).items():
        parts += ["--config", f"{key}={value}"]
    return shlex.join(parts)


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as Kafka has it now.

    `status` is ok, missing, unauthorized, leaderless or invalid (Kafka says `unauthorized` of a missing topic too, to
    who may not create it). `replication_factor` is that of the partition with the fewest replicas, `leaderless` are the
    partitions without a leader. `settings` is None where the bridge's user may not read them.
    """

    name: str
    status: str
    partitions: int = 0
    replication_factor: int = 0
    leaderless: tuple[int, ...] = ()
    settings: Mapping[str, str] | None = None


def state_of(name: str, described: Mapping[str, Any] | None, settings: Mapping[str, str] | None) -> TopicState:
    """What Kafka's description of a topic says. Raises SinkUnavailableError for an answer that says nothing of it."""
    code = 3 if described is None else described["error_code"]
    if code not in _STATUS_BY_CODE:
        raise SinkUnavailableError(f"Kafka can't describe topic {name} now: {for_code(code).__name__}")
    partitions = described["partitions"] if described is not None else []
    leaderless = tuple(sorted(p["partition"] for p in partitions if p["leader"] < 0))
    return TopicState(
        name,
        "leaderless" if code == 0 and leaderless else _STATUS_BY_CODE[code],
        len(partitions),
        min((len(p["replicas"]) for p in partitions), default=0),
        leaderless,
        settings,
    )


UNUSABLE: Final = frozenset({"missing", "unauthorized", "invalid", "leaderless"})
"""Kinds of differences with which a topic takes no records, or not all."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a topic is not as configured.

    `kind` is missing, unauthorized, invalid, leaderless, partitions, replication_factor, retention, setting or
    unreadable. `create_line` makes a missing topic. `blocking` is False for what could not be compared, or will be made
    at the start.
    """

    topic: str
    kind: str
    message: str
    create_line: str = ""
    blocking: bool = True

    def __str__(self) -> str:
        return f"{self.topic}: {self.message}" + (f"\n    {self.create_line}" if self.create_line else "")

    @property
    def sentence(self) -> str:
        """The same on one line, for a log."""
        return f"{self.topic}: {self.message}" + (f"; create it with: {self.create_line}" if self.create_line else "")


def differences(kafka: Kafka, spec: TopicSpec, state: TopicState, brokers: int) -> Iterator[Difference]:
    """Every way in which `state` is not what `spec` wants, on a cluster with so many `brokers`."""
    if state.status == "missing":
        yield Difference(spec.name, "missing", "is missing", create_line(kafka, spec))
        return
    if state.status == "invalid":
        yield Difference(spec.name, "invalid", "its name is not legal: change it in `topics`")
        return
    if state.status == "unauthorized":
        acls = "Describe, Write and Read" if spec.config.get("cleanup.policy") == "compact" else "Describe and Write"
        message = f"the bridge's user may not see it (or it is missing): it needs the ACLs {acls}"
        yield Difference(spec.name, "unauthorized", message)
        return
    if state.leaderless:
        ids = ", ".join(map(str, state.leaderless))
        yield Difference(spec.name, "leaderless", f"no leader for partition {ids}: a broker is away")
    if state.partitions != spec.partitions:
        message = f"has {_count(state.partitions, 'partition')}, expected {spec.partitions}"
        if state.partitions > spec.partitions:
            message += f": Kafka can't take partitions away, so set `partitions: {state.partitions}` for it"
        yield Difference(spec.name, "partitions", message)
    if state.replication_factor != spec.replication_factor:
        message = f"has {_count(state.replication_factor, 'replica')}, expected {spec.replication_factor}"
        if spec.replication_factor > brokers:
            message += f": the cluster has {_count(brokers, 'broker')}, so add some or lower topics.replication_factor"
        yield Difference(spec.name, "replication_factor", message)
    yield from _differing_settings(spec, state)


def _differing_settings(spec: TopicSpec, state: TopicState) -> Iterator[Difference]:
    wanted = {key: value for key, value in settings_of(spec).items() if key in COMPARED_SETTINGS}
    if state.settings is None:
        if wanted:
            message = f"{', '.join(wanted)} can't be compared: the bridge's user needs the ACL DescribeConfigs"
            yield Difference(spec.name, "unreadable", message, blocking=False)
        return
    for key, value in wanted.items():
        actual = state.settings.get(key, "")
        if actual == value or (key in _ENOUGH_IF_MORE and actual.isdigit() and int(actual) >= int(value)):
            continue
        if key == "retention.ms":
            has = retention_text(int(actual) if actual else None)
            yield Difference(spec.name, "retention", f"has retention {has}, expected {retention_text(int(value))}")
        else:
            least = "at least " if key in _ENOUGH_IF_MORE else ""
            yield Difference(spec.name, "setting", f"has {key} {actual}, expected {least}{value}")


def retention_text(retention_ms: int | None) -> str:
    """For people; "?" where it can't be read."""
    if retention_ms is None:
        return "?"
    return "without end" if retention_ms < 0 else format_duration(retention_ms / 1000)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class Topics:
    """The topics of one cluster. Each call has a connection of its own, and raises a SinkError."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    async def probe(self, names: Sequence[str]) -> dict[str, TopicState]:
        """Whether each topic can take records now, and its settings where they may be read."""
        async with open_admin(self._kafka) as admin:
            return (await _look(admin, names))[0]

    async def compare(self, specs: Sequence[TopicSpec]) -> list[Difference]:
        """Every difference between the topics and `specs`; an empty list when there is none."""
        async with open_admin(self._kafka) as admin:
            return await self._compare(admin, specs)

    async def create_missing(self, specs: Sequence[TopicSpec], *, dry_run: bool = False) -> list[Difference]:
        """Make what is missing. Returns the differences that are left, with Kafka's reason for what could not be made.

        Another bridge that makes the same at the same moment is no error. With `dry_run` none is made; a missing topic
        that could be made is then a difference that doesn't block.
        """
        async with open_admin(self._kafka) as admin:
            left = await self._compare(admin, specs)
            names = {difference.topic for difference in left if difference.kind == "missing"}
            missing = [spec for spec in specs if spec.name in names]
            reasons = await admin.create(missing, dry_run=dry_run) if missing else {}
            if missing and not dry_run:
                await _await_visible(admin, [spec.name for spec in missing if spec.name not in reasons])
                left = await self._compare(admin, specs)
        return [_after_create(difference, reasons, dry_run=dry_run) for difference in left]

    async def _compare(self, admin: Admin, specs: Sequence[TopicSpec]) -> list[Difference]:
        states, brokers = await _look(admin, [spec.name for spec in specs])
        return [d for spec in specs for d in differences(self._kafka, spec, states[spec.name], brokers)]


async def _look(admin: Admin, names: Sequence[str]) -> tuple[dict[str, TopicState], int]:
    """The topics' states, and how many brokers there are."""
    topics, brokers = await admin.view(names)
    there = [name for name in names if name in topics and topics[name]["error_code"] == 0]
    settings = await admin.settings(there, COMPARED_SETTINGS)
    return {name: state_of(name, topics.get(name), settings.get(name)) for name in names}, brokers


async def _await_visible(admin: Admin, names: Sequence[str]) -> None:
    """A topic that was made is known to the brokers a moment later only."""
    for _ in range(VISIBLE_TRIES_MAX):
        if all(state.status == "ok" for state in (await _look(admin, names))[0].values()):
            return
        await asyncio.sleep(VISIBLE_PAUSE_S)  # the comparison that follows says what is not there even then


def _after_create(difference: Difference, reasons: Mapping[str, str], *, dry_run: bool) -> Difference:
    if difference.topic in reasons:
        message = f"{difference.message}, and could not be made: {reasons[difference.topic]}"
        return dataclasses.replace(difference, message=message)
    if dry_run and difference.kind == "missing":
        message = "is missing, and will be made at the start"
        return dataclasses.replace(difference, message=message, create_line="", blocking=False)
    return difference
