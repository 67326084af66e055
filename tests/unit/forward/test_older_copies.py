"""A journal that is older than what Kafka knows of it: what it took since then is told apart from what it forwarded."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridge.forward import forwarder
from bridge.journal.offline.inspect import reading
from bridge.journal.offline.replay import replay
from bridge.kafka.positions import Found
from bridge.model import DoubtfulEnd, Positions
from bridge.telemetry import Telemetry
from tests.fakes.sink import ScriptedSink
from tests.flow.running import until
from tests.unit.forward.test_forwarder import forwarding
from tests.unit.journal.making import NOON_MS, Clock, storage_in, submission


@dataclass
class Knowing(ScriptedSink):
    """Says once what Kafka `knows`. Notes, at each send, what the database says is not compared yet."""

    folder: Path = Path()
    knows: Found | None = None
    marks: list[object] = field(default_factory=list)

    async def open(self, known_offset: int | None, doubtful: Collection[DoubtfulEnd] = ()) -> Found | None:
        """Say it; under a new id, nothing is known."""
        found = self.knows
        if found is not None:
            self.knows = Found(None, None, 0)
        return found

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


async def test_what_was_taken_or_replayed_by_earlier_processes_on_an_older_copy_is_forwarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "journal"
    with storage_in(folder) as storage:
        storage.append([submission(read_of(session)) for session in ("a", "b", "c")])
        storage.advance(Positions(4), None)
        storage.confirm()
        former_id = storage.journal_id
    list(replay(folder, [1], again=True, originals_only=False, clock_ms=Clock(NOON_MS + 1)))  # 4: Kafka counts another
    with storage_in(folder) as storage:
        storage.append([submission(read_of("d"))])
    sink = Knowing(folder=folder, knows=Found(Positions(10), 7, 8))
    monkeypatch.setattr(forwarder, "build_sink", lambda *_: sink)  # a new id gets a new one
    async with forwarding(folder, sink, Telemetry()) as (journal, _):
        await until(lambda: not journal.usage().pending, "the end of the backlog")
        assert journal.id != former_id
    assert [record.key for record in sink.taken] == [b"a", b"d"]
