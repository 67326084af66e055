"""Topics that come and go, lost answers, failures, kills, reloads and copies, at random: each event arrives once.

And where the map stays as it is, in the order of arrival for each key.
"""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.errors import SinkTimeoutError, SinkUnavailableError
from bridge.kafka.positions import Found
from bridge.model import Submission
from tests.unit.forward.running import DELIVERED, QUARANTINE, READ, Remembering, Running, configured, delivered, read
from tests.unit.journal.making import submission

TOPICS = (READ, DELIVERED, "crm", QUARANTINE)
MAPS: tuple[dict[str, str], ...] = (
    {},
    {"message.read": "crm"},
    {"message.read": "crm", "message.delivered": "crm"},
    {"message.read": DELIVERED, "message.delivered": READ},
)


@dataclass
class Unreliable(Remembering):
    """Fails at `chance`, before or after it took effect, and kills the forwarder, until it is `calm`."""

    chance: random.Random = field(default_factory=random.Random)
    calm: bool = False

    async def open(self, known_offset: int | None) -> Found | None:
        """Sometimes not."""
        if not self.calm and self.chance.random() < 0.15:
            raise SinkUnavailableError("not now")
        return await super().open(known_offset)

    async def send(self, *batch: Any, **options: Any) -> int | None:
        """Take all or none, and say so or not."""
        fate = 1.0 if self.calm else self.chance.random()
        if fate < 0.12:
            raise SinkTimeoutError("aborted")
        self.loses_answer = fate < 0.3
        await super().send(*batch, **options)
        if fate < 0.38:
            raise asyncio.CancelledError  # the process is killed here
        return None


def webhook(chance: random.Random, number: int) -> tuple[str, Submission]:
    """What is expected to come out of it, and the webhook."""
    kind, session = chance.choice(("read", "delivered", "neither")), f"s{chance.randrange(3)}"
    if kind == "neither":
        return "", submission(b"[%d]" % number)
    return f"{kind} {session} {number}", (read if kind == "read" else delivered)(session, number)


@pytest.mark.parametrize("reloads", [False, True], ids=["one map", "changing maps"])
@pytest.mark.parametrize("seed", range(8))
async def test_each_event_arrives_once(tmp_path: Path, seed: int, reloads: bool) -> None:
    chance = random.Random(seed)
    kafka = {"batch_entries": chance.choice((2, 3, 5, 20)), "lane_probe": "1ms", "backoff": "1ms", "backoff_max": "2ms"}
    settings = configured(kafka)
    sink = Unreliable(chance=chance)
    running = Running(tmp_path / "journal", sink, settings)
    sent: list[tuple[str, Submission]] = []
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
    await running.kill()

    events = list(dict.fromkeys(name for name, _ in sent if name))
    arrived: list[str] = []
    for record in sink.taken:
        if record.topic != QUARANTINE:
            value: dict[str, Any] = orjson.loads(record.value)
            arrived.append(f"{value['type'].rpartition('.')[2]} {record.key.decode()} {value['raw']['n']}")
    assert sorted(arrived) == sorted(events)
    assert len(sink.taken) - len(arrived) == sum(not name for name, _ in sent)
    if not reloads:
        assert by_key(arrived) == by_key(events)


def by_key(names: list[str]) -> dict[str, list[str]]:
    """The numbers of each type and session, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        key, _, number = name.rpartition(" ")
        found[key].append(number)
    return found
