"""Topics on Kafka: made where that is wanted, compared with the configuration, asked whether they can take records."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, Self

from bridge.errors import TopicsError
from bridge.kafka.cluster import Cluster, ClusterView
from bridge.kafka.topic_commands import TopicCommands
from bridge.kafka.topic_differences import (
    COMPARED_SETTINGS,
    Difference,
    TopicState,
    differences,
    merged,
    state_of,
)
from bridge.model import TopicSpec
from bridge.settings.models import Kafka, Settings

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
