"""Topics on Kafka: made where that is wanted, compared with the configuration, asked whether they can take records.

Topics as they are, held against topics as the configuration wants them. Pure.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from aiokafka.errors import for_code

from bridge.errors import SinkUnavailableError, TopicsError
from bridge.kafka.admin import Cluster, ClusterView, TopicCommands, settings_of
from bridge.model import TopicSpec
from bridge.settings.models import Kafka, Settings
from bridge.settings.units import format_duration

# What is read of a topic. Other settings that a topic is made with are advice, and its owner may change them.
COMPARED_SETTINGS: Final = ("retention.ms", "cleanup.policy", "max.message.bytes", "min.insync.replicas")
_ENOUGH_IF_MORE: Final = {"max.message.bytes", "min.insync.replicas"}
_STATUS_BY_CODE: Final = {0: "ok", 3: "missing", 5: "leaderless", 17: "invalid", 29: "unauthorized"}


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as Kafka has it now.

    `status` is ok, missing, unauthorized, leaderless or invalid (Kafka says `unauthorized` of a missing topic too, to
    who may not create it). `leaderless` are the partitions without a leader. `settings` is None where the bridge's user
    may not read them.
    """

    name: str
    status: str
    replicas: Mapping[int, Sequence[int]]
    leaderless: tuple[int, ...] = ()
    settings: Mapping[str, str] | None = None

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self.replicas)

    @property
    def replication_factor(self) -> int:
        """The number of replicas of the partition that has the fewest."""
        return min(map(len, self.replicas.values()), default=0)

    @property
    def max_message_bytes(self) -> int | None:
        """The largest record batch that it takes, None where that can't be read."""
        value = (self.settings or {}).get("max.message.bytes")
        return int(value) if value is not None else None


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a topic is not as configured.

    `kind` is missing, unauthorized, invalid, leaderless, partitions, replication_factor, retention, setting or
    unreadable. `mend` is the command to paste, "" where none can. `blocking` is False for what could not be compared.
    """

    topic: str
    kind: str
    message: str
    mend: str = ""
    blocking: bool = True

    def __str__(self) -> str:
        return f"{self.topic}: {self.message}" + (f"\n    {self.mend}" if self.mend else "")

    @property
    def sentence(self) -> str:
        """The same on one line, for a log."""
        return f"{self.topic}: {self.message}" + (f"; mended by: {self.mend}" if self.mend else "")


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
        {p["partition"]: tuple(p["replicas"]) for p in partitions},
        leaderless,
        settings,
    )


def differences(
    spec: TopicSpec, state: TopicState, brokers: Sequence[int], commands: TopicCommands
) -> Iterator[Difference]:
    """Every way in which `state` is not what `spec` wants, with the command that mends it."""
    if state.status in {"missing", "unauthorized", "invalid"}:
        yield _unusable(spec, state.status, commands)
        return
    if state.leaderless:
        ids = ", ".join(map(str, state.leaderless))
        yield Difference(spec.name, "leaderless", f"no leader for partition {ids}: a broker is away")
    if state.partitions < spec.partitions:
        message = f"has {_count(state.partitions, 'partition')}, expected {spec.partitions}"
        yield Difference(spec.name, "partitions", message, commands.add_partitions(spec.name, spec.partitions))
    elif state.partitions > spec.partitions:
        message = (
            f"has {_count(state.partitions, 'partition')}, expected {spec.partitions}: Kafka can't take partitions "
            f"away, so set `partitions: {state.partitions}` for it"
        )
        yield Difference(spec.name, "partitions", message)
    if state.replication_factor != spec.replication_factor:
        yield _replication(spec, state, brokers, commands)
    yield from _settings(spec, state, commands)


def _unusable(spec: TopicSpec, status: str, commands: TopicCommands) -> Difference:
    if status == "missing":
        return Difference(spec.name, status, "is missing", commands.create(spec))
    if status == "unauthorized":
        operations = (
            ["Describe", "Write", "Read"] if spec.config.get("cleanup.policy") == "compact" else ["Describe", "Write"]
        )
        message = "the bridge's user may not see it (or it is missing)"
        return Difference(spec.name, status, message, commands.allow(spec.name, operations))
    return Difference(spec.name, status, "its name is not legal: change it in `topics`")


def _replication(spec: TopicSpec, state: TopicState, brokers: Sequence[int], commands: TopicCommands) -> Difference:
    message = f"has {_count(state.replication_factor, 'replica')}, expected {spec.replication_factor}"
    mend = commands.replicate(spec.name, state.replicas, brokers, spec.replication_factor)
    if not mend:
        message += f": the cluster has {_count(len(brokers), 'broker')}, so add some or lower topics.replication_factor"
    return Difference(spec.name, "replication_factor", message, mend)


def _settings(spec: TopicSpec, state: TopicState, commands: TopicCommands) -> Iterator[Difference]:
    wanted = {key: value for key, value in settings_of(spec).items() if key in COMPARED_SETTINGS}
    if state.settings is None:
        if wanted:
            keys = ", ".join(wanted)
            message = f"{keys} can't be compared: the bridge's user may not read the topic's configuration"
            mend = commands.allow(spec.name, ["DescribeConfigs"])
            yield Difference(spec.name, "unreadable", message, mend, blocking=False)
        return
    for key, value in wanted.items():
        actual = state.settings.get(key, "")
        if actual == value or (key in _ENOUGH_IF_MORE and actual.isdigit() and int(actual) >= int(value)):
            continue
        retention = key == "retention.ms"
        has, expected = (_retention(actual), _retention(value)) if retention else (actual, value)
        name = "retention" if retention else key
        least = "at least " if key in _ENOUGH_IF_MORE else ""
        yield Difference(
            spec.name,
            "retention" if retention else "setting",
            f"has {name} {has}, expected {least}{expected}",
            commands.configure(spec.name, {key: value}),
        )


def _retention(text: str) -> str:
    if text == "-1":
        return "without end"
    return format_duration(int(text) / 1000) if text.isdigit() else text


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def merged(specs: Iterable[TopicSpec]) -> list[TopicSpec]:
    """One spec a topic, in order of first mention; where two speak of the same topic, what either says counts."""
    by_name: dict[str, TopicSpec] = {}
    for spec in specs:
        first = by_name.get(spec.name)
        if first is None:
            by_name[spec.name] = spec
            continue
        by_name[spec.name] = TopicSpec(
            spec.name,
            first.partitions,
            first.replication_factor,
            spec.retention_ms if first.retention_ms is None else first.retention_ms,
            {**first.config, **spec.config},
        )
    return list(by_name.values())


__all__ = ["Difference", "TopicState", "Topics", "merged", "report", "system_topics", "with_reason"]

VISIBLE_TRIES_MAX: Final = 100
VISIBLE_PAUSE_S: Final = 0.05
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


def report(found: Iterable[Difference]) -> str:
    """What differs, a topic a line, each followed by the command that mends it."""
    return "\n".join(f"  {difference}" for difference in found)


class Topics:
    """The topics of one cluster. Every call ends within `kafka.call_timeout`, or raises a SinkError."""

    def __init__(self, kafka: Kafka) -> None:
        self._cluster = Cluster(kafka)
        self._commands = TopicCommands(kafka)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection."""
        await self._cluster.close()

    def create_command(self, spec: TopicSpec) -> str:
        """The `kafka-topics.sh` line that makes the topic."""
        return self._commands.create(spec)

    async def probe(self, names: Sequence[str]) -> dict[str, TopicState]:
        """Whether each topic can take records now, and its settings where they may be read."""
        return (await self._look(names))[0]

    async def _look(self, names: Sequence[str]) -> tuple[dict[str, TopicState], ClusterView]:
        view = await self._cluster.view(names)
        there = [name for name in names if name in view.topics and view.topics[name]["error_code"] == 0]
        settings = await self._cluster.settings(there, COMPARED_SETTINGS)
        return {name: state_of(name, view.topics.get(name), settings.get(name)) for name in names}, view

    async def compare(self, specs: Iterable[TopicSpec]) -> list[Difference]:
        """Every difference between the topics and `specs`; an empty list when there is none."""
        wanted = merged(specs)
        states, view = await self._look([spec.name for spec in wanted])
        return [
            difference
            for spec in wanted
            for difference in differences(spec, states[spec.name], view.brokers, self._commands)
        ]

    async def ensure(self, specs: Iterable[TopicSpec], mode: Literal["missing", "verify", "off"]) -> list[Difference]:
        """Do what `topics.create` says. Returns the differences that are left, for the log.

        `missing` makes what is missing and changes nothing that exists; another bridge that makes the same at the same
        moment is no error. Raises TopicsError when `verify` finds a difference, or when `missing` can't make a topic.
        """
        if mode == "off":
            return []
        wanted = merged(specs)
        reasons = await self._make_missing(wanted) if mode == "missing" else {}
        found = [with_reason(difference, reasons) for difference in await self.compare(wanted)]
        failures = [d for d in found if d.blocking and (mode == "verify" or d.topic in reasons or d.kind == "missing")]
        if failures:
            raise TopicsError(_complaint(failures, mode), [difference.sentence for difference in found])
        return found

    async def could_make(self, specs: Iterable[TopicSpec]) -> dict[str, str]:
        """Whether missing topics could be made, and makes none: Kafka's reason for each that could not."""
        return await self._cluster.create(merged(specs), only_ask=True)

    async def _make_missing(self, wanted: Sequence[TopicSpec]) -> dict[str, str]:
        """Make what is missing. Returns Kafka's reason for each topic that could not be made."""
        names = [spec.name for spec in wanted]
        view = await self._cluster.view(names)
        missing = [s for s in wanted if state_of(s.name, view.topics.get(s.name), None).status == "missing"]
        if not missing:
            return {}
        reasons = await self._cluster.create(missing)
        await self._visible([spec.name for spec in missing if spec.name not in reasons])
        return reasons

    async def _visible(self, names: Sequence[str]) -> None:
        """A topic that was made is known to the brokers a moment later only."""
        for _ in range(VISIBLE_TRIES_MAX if names else 0):
            topics = (await self._cluster.view(names)).topics
            if all(state_of(name, topics.get(name), None).status == "ok" for name in names):
                return
            await asyncio.sleep(VISIBLE_PAUSE_S)  # the comparison that follows says what is not there even then


def with_reason(difference: Difference, reasons: Mapping[str, str]) -> Difference:
    """The difference with Kafka's reason, where the topic is one of those that could not be made."""
    if difference.topic not in reasons:
        return difference
    message = f"{difference.message}, and could not be made: {reasons[difference.topic]}"
    return Difference(difference.topic, difference.kind, message, difference.mend)


def _complaint(failures: Sequence[Difference], mode: str) -> str:
    count = len({failure.topic for failure in failures})
    what = "1 topic is" if count == 1 else f"{count} topics are"
    advice = ""
    if mode == "verify" and any(failure.kind == "missing" for failure in failures):
        advice = "\nThe bridge makes missing topics by itself with topics.create: missing."
    return f"{what} not as the configuration wants:\n{report(failures)}{advice}"
