"""Topics that come and go, lost answers, failures, kills, reloads and copies, at random: each event arrives once.

And where the map stays as it is, in the order of arrival for each key.
"""

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
import pytest

from bridge.errors import SinkTimeoutError, SinkUnavailableError, TopicPausedError
from bridge.kafka.batches import Sizing
from bridge.kafka.positions import Found
from bridge.kafka.sink import OnDelivered
from bridge.model import (
    NOTHING_IN_DOUBT,
    Entry,
    InDoubt,
    InDoubtTransaction,
    PendingMarker,
    Positions,
    Prepared,
    Record,
)
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.forward.running import DELIVERED, QUARANTINE, READ, Remembering, Running, configured, delivered, read
from tests.unit.journal.making import submission

Place = tuple[str, int]
"""A topic's partition."""

TOPICS = (READ, DELIVERED, "crm", QUARANTINE)
MAPS: tuple[dict[str, str], ...] = (
    {},
    {"message.read": "crm"},
    {"message.read": "crm", "message.delivered": "crm"},
    {"message.read": DELIVERED, "message.delivered": READ},
)


POSITIONS = ("positions", 0)
SEEDS = int(os.environ.get("BRIDGE_TEST_FAULT_SEEDS", "8"))


@dataclass
class Kept:
    """A record in its place; without an end it isn't visible."""

    place: Place
    record: Record
    has_end: bool


@dataclass
class Unreliable(Remembering):
    """Until it is `calm`, it fails at `chance`, before or after it took effect, leaves a part without an end, and kills
    the forwarder.
    """

    chance: random.Random = field(default_factory=random.Random)
    calm: bool = False
    kept: list[Kept] = field(default_factory=list)
    offset: int = 0
    positions_without_end: tuple[Positions, int] | None = None
    left: InDoubt = NOTHING_IN_DOUBT

    @property
    def visible(self) -> list[Record]:
        """What a reader of committed records sees."""
        return [kept.record for kept in self.kept if kept.has_end]

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Sometimes not. What is without an end among the positions gets that of the barrier, or goes before."""
        await ScriptedSink.open(self, known_offset, pending)
        if self._does(0.15):
            raise SinkUnavailableError("not now")
        without_end, self.positions_without_end = self.positions_without_end, None
        if without_end is not None and POSITIONS not in {(end.topic, end.partition) for end in pending}:
            self.positions, self.offset = without_end
        if self._does(0.05):
            raise SinkUnavailableError("not now")
        return Found(self.positions, self.offset or None, 0, POSITIONS[0])

    async def send(
        self,
        items: Sequence[Prepared],
        positions: Positions,
        partitions: Mapping[str, int],
        sizing: Sizing,
        on_delivered: OnDelivered | None = None,
    ) -> int | None:
        """Take all or none, or parts, and say so or not."""
        del partitions, sizing, on_delivered
        for item in items:
            if item.topic in self.blocked:
                raise TopicPausedError(item.topic, "leaderless", f"{item.topic} has no leader")
        await asyncio.sleep(0)
        places: dict[Place, list[Prepared]] = {POSITIONS: []}
        for item in items:
            assert item.record is not None
            places.setdefault((item.record.topic, crc32(item.record.key) % 2), []).append(item)
        markers = tuple(
            PendingMarker(*place, 0, tuple(item.entry_id for item in here)) for place, here in places.items()
        )
        offset = 1 + max(self.offset, self.positions_without_end[1] if self.positions_without_end else 0)
        acknowledged = False
        fate = 1.0 if self.calm else self.chance.random()
        if fate < 0.12:  # aborted
            self.left = InDoubt((), InDoubtTransaction(markers, positions, offset, acknowledged))
            raise SinkTimeoutError("aborted")
        passed_over: set[Place] = set()
        if fate < 0.24:
            acknowledged = self._does(0.6)
            passed_over = {place for place in places if self._does(0.5)}
            if not acknowledged and POSITIONS in passed_over:
                passed_over = set(places)
        for place, here in places.items():
            self._end(place, has_end=place not in passed_over)
            self.kept += [Kept(place, item.record, place not in passed_over) for item in here if item.record]
        if POSITIONS in passed_over:
            self.positions_without_end = positions, offset
        else:
            self.positions, self.offset = positions, offset
        if passed_over or fate < 0.32:
            self.left = InDoubt((), InDoubtTransaction(markers, positions, offset, acknowledged))
            raise SinkTimeoutError("no answer, or not from everywhere")
        if fate < 0.4:
            raise asyncio.CancelledError  # the process is killed here
        return offset

    async def close(self, *, healthy: bool) -> InDoubt:
        """Say what is unknown."""
        del healthy
        left, self.left = self.left, NOTHING_IN_DOUBT
        return left

    async def partition_counts(self, topics: Sequence[str], tries: int = 1) -> dict[str, int | TopicPausedError]:
        """Two partitions each, some without a leader."""
        await super().partition_counts(topics, tries)
        return {t: TopicPausedError(t, "leaderless", f"{t} has no leader") if t in self.blocked else 2 for t in topics}

    async def markers_written(self, ends: Collection[PendingMarker]) -> dict[PendingMarker, bool]:
        """Of some it can't be told."""
        without = {kept.place for kept in self.kept if not kept.has_end}
        return {end: (end.topic, end.partition) not in without for end in ends if not self._does(0.2)}

    async def abort_hanging(self, topic: str, ends: Collection[PendingMarker]) -> None:
        """Fails sometimes, before or after."""
        if self._does(0.1):
            raise SinkTimeoutError("not aborted")
        places = {(topic, end.partition) for end in ends}
        self.kept = [kept for kept in self.kept if kept.has_end or kept.place not in places]
        await asyncio.sleep(0)
        if self._does(0.1):
            raise SinkTimeoutError("aborted, and no answer")

    def _end(self, place: Place, *, has_end: bool) -> None:
        """The commit of a later transaction is taken for the end that is missing."""
        for kept in self.kept:
            kept.has_end |= has_end and kept.place == place

    def _does(self, share: float) -> bool:
        return not self.calm and self.chance.random() < share


def webhook(chance: random.Random, number: int) -> tuple[str, Entry]:
    """What is expected to come out of it, and the webhook."""
    kind, session = chance.choice(("read", "delivered", "neither")), f"s{chance.randrange(3)}"
    if kind == "neither":
        return "", submission(b"[%d]" % number)
    return f"{kind} {session} {number}", (read if kind == "read" else delivered)(session, number)


@pytest.mark.parametrize("reloads", [False, True], ids=["one map", "changing maps"])
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_each_event_arrives_once(tmp_path: Path, seed: int, reloads: bool) -> None:
    chance = random.Random(seed)
    kafka = {
        "batch_entries": chance.choice((2, 3, 5, 20)),
        "topic_retry_interval": "1ms",
        "backoff": "1ms",
        "backoff_max": "2ms",
    }
    settings = configured(kafka)
    sink = Unreliable(chance=chance)
    running = Running(tmp_path / "journal", sink, settings)
    sent: list[tuple[str, Entry]] = []
    for _ in range(25):
        for _ in range(chance.randrange(6)):
            is_copy = sent and chance.random() < 0.35
            sent.append(chance.choice(sent[-4:]) if is_copy else webhook(chance, len(sent)))
            running.journal.append(sent[-1][1])
        if chance.random() < 0.5:
            sink.blocked = {topic for topic in TOPICS if chance.random() < 0.3}
        if reloads and chance.random() < 0.3:
            settings = configured(kafka, topics={"map": chance.choice(MAPS)})
            running.reload(settings)
        await asyncio.sleep(chance.choice((0, 0.002, 0.005)))
        if running.task.done() or chance.random() < 0.2:
            await running.kill()
            running = Running(tmp_path / "journal", sink, settings)
    sink.calm, sink.blocked = True, set()
    if running.task.done():
        await running.kill()
        running = Running(tmp_path / "journal", sink, settings)
    await running.all_forwarded()
    await until(lambda: running.journal.in_doubt == NOTHING_IN_DOUBT, "all markers to be resolved", 10)
    await running.kill()
    assert all(kept.has_end for kept in sink.kept)

    events = list(dict.fromkeys(name for name, _ in sent if name))
    arrived: list[str] = []
    for record in sink.visible:
        if record.topic != QUARANTINE:
            value: dict[str, Any] = orjson.loads(record.value)
            arrived.append(f"{value['type'].rpartition('.')[2]} {record.key.decode()} {value['raw']['n']}")
    assert sorted(arrived) == sorted(events)
    assert len(sink.visible) - len(arrived) == sum(not name for name, _ in sent)
    if not reloads:
        assert by_key(arrived) == by_key(events)


def by_key(names: list[str]) -> dict[str, list[str]]:
    """The numbers of each type and session, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        key, _, number = name.rpartition(" ")
        found[key].append(number)
    return found
