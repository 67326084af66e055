"""The tables against a simple model, over random lives with restarts. By hypothesis."""

import shutil
import tempfile
from pathlib import Path

import apsw
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.journal import queries
from bridge.journal.database import open_writer, prepare_folder, transaction
from bridge.journal.offline.inspect import verify
from bridge.journal.storage import Storage
from bridge.model import Positions
from tests.unit.journal.making import NOON_MS, submission

TOPICS = ("a", "b", "c")


class Journals(RuleBasedStateMachine):
    """The model: what each entry's body is, what is deferred for which topic, what is held; and the positions."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.entries: dict[int, bytes] = {}
        self.deferred: dict[int, str] = {}
        self.pinned: set[int] = set()
        self.positions = Positions()
        self.last_id = 0
        self.now_ms = NOON_MS
        self.received: dict[int, int] = {}

    @initialize()
    def start(self) -> None:
        prepare_folder(self.folder)
        self._open()

    def _open(self) -> None:
        self.storage = Storage(open_writer(self.folder, NOON_MS))

    def teardown(self) -> None:
        self.storage.connection.close()
        report = verify(self.folder)
        assert (report.damage, report.findings) == ((), ())
        shutil.rmtree(self.folder)

    @rule(bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=70))
    def append(self, bodies: list[bytes]) -> None:
        self.now_ms += 1000
        with transaction(self.storage.connection):
            first = self.storage.append([submission(body, at_ms=self.now_ms) for body in bodies])
        assert first == self.last_id + 1
        for number, body in enumerate(bodies):
            self.entries[first + number] = body
            self.received[first + number] = self.now_ms
        self.last_id += len(bodies)

    @precondition(lambda self: self.positions.next_id <= self.last_id)
    @rule(data=st.data())
    def forward(self, data: st.DataObject) -> None:
        """The front moves; some entries stay behind, deferred for their topic; a queue may move or reach the front."""
        front = self.positions.next_id
        next_id = data.draw(st.integers(front + 1, min(self.last_id + 1, front + 40)))
        waiting = data.draw(st.dictionaries(st.integers(front, next_id - 1), st.sampled_from(TOPICS), max_size=10))
        behind = dict(self.positions.behind)
        for topic in data.draw(st.sets(st.sampled_from(TOPICS))):
            if topic in behind:
                reached = data.draw(st.integers(behind[topic], front))
                if reached < front:
                    behind[topic] = reached
                else:
                    del behind[topic]
        for entry_id, topic in sorted(waiting.items()):
            behind.setdefault(topic, entry_id)
        positions = Positions(next_id, behind)
        with transaction(self.storage.connection):
            self.storage.defer([(entry_id, topic, "x") for entry_id, topic in waiting.items()])
            self.storage.advance(positions, next_id)
        self.deferred |= waiting
        self.deferred = {i: topic for i, topic in self.deferred.items() if i >= positions.of(topic)}
        self.positions = positions

    @rule(beyond=st.integers(1, 5))
    def restored_from_an_older_copy(self, beyond: int) -> None:
        """Kafka's positions are beyond the last entry."""
        next_id = self.last_id + 1 + beyond
        with transaction(self.storage.connection):
            self.storage.advance(Positions(next_id, self.positions.behind), None)
        self.positions = Positions(next_id, self.positions.behind)
        self.last_id = next_id - 1

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def pin(self, data: st.DataObject) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.entries)))
        with transaction(self.storage.connection):
            self.storage.pin([entry_id])
        self.pinned.add(entry_id)

    @precondition(lambda self: self.pinned)
    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.pinned)))
        with transaction(self.storage.connection):
            self.storage.unpin([entry_id])
        self.pinned.remove(entry_id)

    @rule(age_s=st.integers(0, 20), rows=st.integers(1, 50))
    def retire(self, age_s: int, rows: int) -> None:
        """Repeated until nothing is due, exactly those go that are old enough and that nothing keeps."""
        before_ms = self.now_ms - age_s * 1000
        more = True
        while more:
            with transaction(self.storage.connection):
                more = self.storage.retire(received_before_ms=before_ms, keep_bytes=1 << 40, rows_max=rows)
        for entry_id in list(self.entries):
            old = entry_id < self.positions.next_id and self.received[entry_id] < before_ms
            if old and entry_id not in self.deferred and entry_id not in self.pinned:
                del self.entries[entry_id]

    @rule()
    def restart(self) -> None:
        self.storage.connection.close()
        self._open()

    @rule()
    def checkpoint(self) -> None:
        self.storage.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    @invariant()
    def the_tables_say_what_the_model_says(self) -> None:
        if not hasattr(self, "storage"):
            return
        storage, connection = self.storage, self.storage.connection
        assert {e.id: e.body for e in queries.read(connection, 1, 10_000, 1 << 30)} == self.entries
        assert (storage.last_id, storage.positions, storage.entries) == (
            self.last_id,
            self.positions,
            len(self.entries),
        )
        assert storage.pending == self.last_id + 1 - self.positions.next_id + len(self.deferred)
        for topic in TOPICS:
            deferred = sorted(entry_id for entry_id, queue in self.deferred.items() if queue == topic)
            assert [e.id for e in queries.read_deferred(connection, topic, 1, 10_000, 1 << 30)] == deferred
            assert storage.deferred.get(topic, 0) == len(deferred)
        waits = [self.received[i] for i in self.entries if i >= self.positions.next_id or i in self.deferred]
        assert storage.oldest_pending_ms() == min(waits, default=None)


Journals.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestJournals = Journals.TestCase
