"""A journal that is older than what Kafka knows of it: nothing goes from it until an operator has renewed it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import JournalRestoredError
from bridge.forward import Forwarder
from bridge.journal.offline.inspect import reading
from bridge.journal.offline.replay import renew, replay
from bridge.kafka.positions import Found
from bridge.model import PendingMarker, Positions
from bridge.telemetry import Telemetry
from bridge.transform.prepare import Preparer
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.forward.running import DELIVERED
from tests.unit.forward.test_forwarder import SETTINGS, forwarding
from tests.unit.journal.making import NOON_MS, Clock, open_journal, storage_in, submission


@dataclass
class Knowing(ScriptedSink):
    """Says what Kafka `knows`. Notes, at each send, what the database says is not compared yet."""

    folder: Path = Path()
    knows: Found | None = None
    marks: list[object] = field(default_factory=list)

    async def open(self, known_offset: int | None, pending: Collection[PendingMarker] = ()) -> Found | None:
        """Say it."""
        return self.knows

    async def send(self, *batch: Any, **options: Any) -> int | None:
        """Look, and take all."""
        with reading(self.folder) as connection:
            self.marks.append(connection.execute("SELECT unconfirmed_from FROM state").fetchall()[0][0])
        return await super().send(*batch, **options)


def read_of(session: str) -> str:
    return f'{{"session_id": "{session}", "read_at": "2026-06-22 15:19:08"}}'


@pytest.mark.parametrize(
    ("knows", "mark"), [(Found(None, None, 0), None), (Found(Positions(1), 7, 8), None), (None, 1)]
)
async def test_that_positions_were_compared_is_durable_before_anything_is_sent(
    tmp_path: Path, knows: Found | None, mark: int | None
) -> None:
    """Were it not, a process that dies after its first transaction would be taken for an older copy of itself."""
    sink = Knowing(folder=tmp_path / "journal", knows=knows)
    async with forwarding(tmp_path / "journal", sink, Telemetry()) as (journal, _):
        await journal.append(submission(read_of("a")))
        await until(lambda: sink.marks, "the first batch")
    assert sink.marks == [mark]


async def test_an_older_copy_forwards_nothing_until_it_is_renewed_and_then_what_kafka_does_not_have(
    tmp_path: Path,
) -> None:
    """Kafka has a and b, and counts 10 entries; c waits for its topic. Number 5, 6 and 7 are others than Kafka's."""
    folder = tmp_path / "journal"
    with storage_in(folder) as storage:
        storage.append([submission(read_of(session)) for session in ("a", "b")])
        storage.append([submission(read_of("c").replace("read_at", "delivered_at"), hint="")])
        storage.append([submission(read_of("d"))])
        storage.advance(Positions(2), None)
        storage.confirm()
        former_id = storage.journal_id
    list(replay(folder, [1], again=True, originals_only=False, clock_ms=Clock(NOON_MS + 1)))
    with storage_in(folder) as storage:
        storage.append([submission(read_of("e"))])
    knows = Found(Positions(10, {DELIVERED: 3}, {DELIVERED: 1}), 7, 8)
    for attempt in range(2):  # and again, should somebody just start it again
        sink, journal = Knowing(folder=folder, knows=knows), open_journal(folder)
        forwarder = Forwarder(
            SETTINGS, journal, Preparer(SETTINGS, journal.id), Telemetry(), lambda: NOON_MS, sink=sink
        )
        with pytest.raises(JournalRestoredError, match=f"treble-bridge journal renew {folder}"):
            await forwarder.run()
        assert "journal renew" in forwarder.status()["stopped"]
        assert journal.id == former_id
        assert journal.positions == Positions(5, {DELIVERED: 3})
        assert not sink.taken
        if attempt == 0:
            assert await journal.append(submission(read_of("f"))) == 7, "webhooks are taken"
        await journal.close()

    renewed = renew(folder, Clock())
    assert (renewed.former_id, renewed.pending) == (former_id, 4)
    sink = Knowing(folder=folder, knows=Found(None, None, 0))
    async with forwarding(folder, sink, Telemetry()) as (journal, _):
        await until(lambda: not journal.usage().pending, "the end of the backlog")
        assert journal.id == renewed.journal_id != former_id
    assert sorted(record.key for record in sink.taken) == [b"a", b"c", b"e", b"f"]
