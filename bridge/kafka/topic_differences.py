"""Topics as they are, held against topics as the configuration wants them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import for_code

from bridge.errors import SinkUnavailableError
from bridge.kafka.topic_commands import TopicCommands, settings_of
from bridge.model import TopicSpec
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
