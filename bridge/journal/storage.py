"""What is done to the tables, by the one who writes: each method a step inside a transaction that the caller opens.

Plain and synchronous: no threads, no queue, no clock. The writer thread calls it, the offline commands, and the tests.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import apsw

from bridge.journal import queries
from bridge.journal.dedupe_window import DedupeTable
from bridge.journal.schema import PAGE_BYTES
from bridge.model import Entry, InDoubt, PinnedEntries, Positions

ROWS_PER_INSERT: Final = 64
_COLUMNS: Final = 7
BYTES_MAX_DEFAULT: Final = 2 << 30
RETIRE_BYTES: Final = 8 << 20
"""Bytes of entries deleted in one step: the pages of large bodies have to be freed one by one."""

ROUND_PART: Final = 10
"""Of the rows of a step, those further on that may be looked at are one in so many: they are read from the disk again
and again, while commits wait."""


def _insert(rows: int) -> str:
    return "INSERT INTO entries VALUES " + ",".join(["(?,?,?,?,?,?,?)"] * rows)  # noqa: S608 - constants


# One statement for each number of rows: a step gives the interpreter's lock away and has to get it back, which costs
# more than a row does when the event loop is busy. So a commit is as few steps as can be, for most of them one.
_INSERTS: Final = ("", *(_insert(rows) for rows in range(1, ROWS_PER_INSERT + 1)))

_WINDOW_END: Final = """
    SELECT max(id) FROM (SELECT id, stream_end FROM entries WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3)
    WHERE stream_end <= ?4 + (SELECT stream_end FROM entries WHERE id >= ?1 ORDER BY id LIMIT 1)"""
_FREE: Final = """
    AND NOT EXISTS (SELECT 1 FROM parked WHERE entry_id = entries.id)
    AND NOT EXISTS (SELECT 1 FROM held WHERE entry_id = entries.id)"""
_RETIRE: Final = f"""
    DELETE FROM entries WHERE id BETWEEN ? AND ? AND (received_at < ? OR stream_end <= ?) {_FREE}"""  # noqa: S608
_FIRST_FREE: Final = f"SELECT id FROM entries WHERE id BETWEEN ? AND ? {_FREE} ORDER BY id LIMIT 1"  # noqa: S608
_SIZE: Final = "SELECT length(headers) + length(body) FROM entries WHERE id = ?"
_FORWARDED_END: Final = "SELECT stream_end FROM entries WHERE id < ? ORDER BY id DESC LIMIT 1"
_OLDEST: Final = "SELECT received_at FROM entries WHERE id >= ? ORDER BY id LIMIT 1"
_OLDEST_DEFERRED: Final = """
    SELECT received_at FROM entries WHERE id = (SELECT min(entry_id) FROM parked WHERE topic = ?)"""


class Storage:
    """The tables by their writing connection. Keeps in memory what would cost a scan to ask.

    `last_id` is the highest id that was used; `deferred` counts deferred entries by topic, `pinned` the pinned.
    Opening sets `unconfirmed_from` (see `schema`), if it isn't set.
    """

    def __init__(self, connection: apsw.Connection, bytes_max: int = BYTES_MAX_DEFAULT) -> None:
        self.connection = connection
        self.dedupe_keys = DedupeTable(connection, bytes_max)
        state = queries.journal_state(connection)
        self.journal_id = state.journal_id
        self.positions = state.positions
        self.positions_offset = state.positions_offset
        self._deleted = state.deleted
        last = self._one("SELECT max(id) FROM entries", ())
        self.last_id = max(last or 0, self.positions.next_id - 1)
        self._stream_end = self._one("SELECT stream_end FROM entries WHERE id = ?", (last,)) or 0
        self._retained_from = self._one("SELECT min(id) FROM entries", ()) or self.last_id + 1
        self._round_from = 0
        rows = connection.execute("SELECT topic, count(*) FROM parked GROUP BY topic")
        self.deferred = {str(topic): int(count) for topic, count in rows}
        self.pinned = queries.pinned(connection)
        self.in_doubt = queries.in_doubt(connection)
        self.unconfirmed_from = self._one("SELECT unconfirmed_from FROM state", ())
        if self.unconfirmed_from is None:
            self.unconfirmed_from = self.last_id + 1
            connection.execute("UPDATE state SET unconfirmed_from = ?", (self.unconfirmed_from,))

    @property
    def entries(self) -> int:
        return self.last_id - self._deleted

    @property
    def pending(self) -> int:
        """How many entries are still to be forwarded."""
        return self.last_id - self.positions.next_id + 1 + sum(self.deferred.values())

    # entries

    def append(self, submissions: Sequence[Entry]) -> int:
        """Write entries in this order. Returns the first one's id; the others follow by one."""
        entry_id, end = self.last_id, self._stream_end
        values: list[int | str | bytes] = []
        for s in submissions:
            entry_id += 1
            end += len(s.headers) + len(s.body)
            values += (entry_id, s.received_at_ms, end, s.source, s.hint, s.headers, s.body)
        execute, width = self.connection.execute, ROWS_PER_INSERT * _COLUMNS
        for start in range(0, len(values), width):
            part = values[start : start + width] if len(values) > width else values
            execute(_INSERTS[len(part) // _COLUMNS], part)
        first_id = self.last_id + 1
        self.last_id, self._stream_end = entry_id, end
        return first_id

    def defer(self, rows: Iterable[tuple[int, str, str]]) -> None:
        """Note entries (id, topic, event type) that wait for a topic. One that is deferred already stays as it is."""
        for entry_id, topic, event_type in rows:
            self.connection.execute("INSERT OR IGNORE INTO parked VALUES (?, ?, ?)", (topic, entry_id, event_type))
            if self.connection.changes():
                self.deferred[topic] = self.deferred.get(topic, 0) + 1

    def drop_deferred_from(self, entry_id: int) -> None:
        self._drop_deferred("entry_id >= ?", (entry_id,))

    def drop_deferred(self, entry_ids: Iterable[int]) -> None:
        for entry_id in entry_ids:
            self._drop_deferred("entry_id = ?", (entry_id,))

    def _drop_deferred(self, where: str, bindings: tuple[int | str, ...]) -> None:
        sql = f"SELECT topic, count(*), min(entry_id) FROM parked WHERE {where} GROUP BY topic"  # noqa: S608 - ours
        for topic, count, first in self.connection.execute(sql, bindings).fetchall():
            left = self.deferred.pop(str(topic)) - int(str(count))
            if left:
                self.deferred[str(topic)] = left
            # Retention passed them over, because they waited.
            self._retained_from = min(self._retained_from, int(str(first)))
        self.connection.execute(f"DELETE FROM parked WHERE {where}", bindings)  # noqa: S608 - ours

    def pin(self, entry_ids: Iterable[int]) -> None:
        for entry_id in entry_ids:
            self.connection.execute("INSERT OR IGNORE INTO held VALUES (?)", (entry_id,))
            if self.connection.changes():
                size = self._one(_SIZE, (entry_id,)) or 0
                self.pinned = PinnedEntries(self.pinned.entries + 1, self.pinned.bytes + size)

    def unpin(self, entry_ids: Iterable[int]) -> None:
        for entry_id in entry_ids:
            self.connection.execute("DELETE FROM held WHERE entry_id = ?", (entry_id,))
            self._retained_from = min(self._retained_from, entry_id)
        self.pinned = queries.pinned(self.connection)

    # positions

    def advance(self, positions: Positions, positions_offset: int | None) -> None:
        """Note the positions, and drop the deferred rows that they have passed.

        Positions beyond the last id come from Kafka when this database is older than what Kafka knows (a restored
        copy): the ids in between were used, and are not used again.
        """
        if positions.next_id > self.last_id + 1:
            self._deleted += positions.next_id - 1 - self.last_id
            self.last_id = positions.next_id - 1
        self.connection.execute(
            "UPDATE state SET next_id = ?, behind = ?, kafka_offset = coalesce(?, kafka_offset), deleted = ?",
            (positions.next_id, json.dumps(dict(positions.behind)), positions_offset, self._deleted),
        )
        for topic in list(self.deferred):
            self._drop_deferred("topic = ? AND entry_id < ?", (topic, positions.of(topic)))
        self.positions = positions
        if positions_offset is not None:
            self.positions_offset = positions_offset

    def confirm(self) -> None:
        self.connection.execute("UPDATE state SET unconfirmed_from = NULL")
        self.unconfirmed_from = None

    def note_in_doubt(self, in_doubt: InDoubt) -> None:
        self.connection.execute("UPDATE state SET doubts = ?", (queries.in_doubt_text(in_doubt),))
        self.in_doubt = in_doubt

    def rename(self, journal_id: str) -> None:
        """Another id for the journal. What the positions topic holds under the old one is no longer its own."""
        self.connection.execute("UPDATE state SET journal_id = ?, kafka_offset = NULL", (journal_id,))
        self.journal_id, self.positions_offset = journal_id, None

    # retention

    def retire(self, *, received_before_ms: int, keep_bytes: int, rows_max: int) -> bool:
        """Delete forwarded entries that are older than `received_before_ms`, or before the last `keep_bytes`.

        Each by its own time, since the clock may have jumped. Bytes count back from the next entry to forward, whatever
        queues are behind. Looks at the oldest `rows_max` rows at the most, and about RETIRE_BYTES; when none of those
        was due, at some further on, in turn. Returns whether there may be more to do at once.
        """
        next_id = self.positions.next_id
        if self._retained_from >= next_id:
            return False
        end = self._forwarded_end()

        def look(from_id: int, rows: int) -> tuple[int | None, int]:
            """Where the rows from this id on end, None when there are none; and how many of them were deleted."""
            last = self._one(_WINDOW_END, (from_id, next_id, rows, RETIRE_BYTES))
            if last is None:
                return None, 0
            self.connection.execute(_RETIRE, (from_id, last, received_before_ms, end - keep_bytes))
            if deleted := self.connection.changes():
                self._deleted += deleted
                self.connection.execute("UPDATE state SET deleted = ?", (self._deleted,))
            return last, deleted

        first = self._retained_from
        last, deleted = look(first, rows_max)
        if last is None:
            self._retained_from = next_id
            return False
        self._retained_from = self._one(_FIRST_FREE, (first, last)) or last + 1
        if deleted or self._retained_from > last:
            return True
        last, deleted = look(max(self._round_from, last + 1), max(1, rows_max // ROUND_PART))
        self._round_from = 0 if last is None else last + 1
        return deleted > 0

    def retained_bytes(self) -> int:
        """Bytes from the oldest entry that retention hasn't passed over, to the next entry to forward."""
        if self._retained_from >= self.positions.next_id:
            return 0
        first = self._one("SELECT stream_end FROM entries WHERE id >= ? ORDER BY id LIMIT 1", (self._retained_from,))
        return max(0, self._forwarded_end() - (first or 0))

    def _forwarded_end(self) -> int:
        """`stream_end` of the last entry before the next one to forward."""
        return self._one(_FORWARDED_END, (self.positions.next_id,)) or 0

    # figures

    def oldest_pending_ms(self) -> int | None:
        """When the oldest entry that is still to be forwarded was received."""
        found = [self._one(_OLDEST, (self.positions.next_id,))]
        found += [self._one(_OLDEST_DEFERRED, (topic,)) for topic in self.deferred]
        return min((at_ms for at_ms in found if at_ms is not None), default=None)

    def bytes_used(self) -> int:
        """Bytes of the pages in use. Pages that deletion has freed don't count: they are used again."""
        pages = int(self.connection.pragma("page_count")) - int(self.connection.pragma("freelist_count"))
        return pages * PAGE_BYTES

    def _one(self, sql: str, bindings: tuple[int | str | None, ...]) -> int | None:
        rows = self.connection.execute(sql, bindings).fetchall()
        value = rows[0][0] if rows else None
        assert value is None or isinstance(value, int)
        return value
