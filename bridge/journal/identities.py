"""What the window of duplicates remembers: 16-byte identities with the time their entry was received.

Identities are random, so each would change another page of a large table: 12 to 20 µs of logging and checkpointing
apiece. Hence two places. New ones go to the end of `identities_log`, and into memory. When memory holds enough of
them, those that share a first byte are merged into their part of the sorted table together, where several meet on
each page; the round goes over all 256 first bytes. Dying at any point is harmless: a row of the log stays until all
it says is merged, and merging twice is merging once.

`RecentIdentities` lives on the event loop; the functions are steps inside the writer's or the reader's transaction.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import apsw

from bridge.journal.layout import IDENTITY_BYTES, ITEM_BYTES, TIME_BYTES

RECENT_MAX: Final = 1 << 16
BUCKETS: Final = 256
LOG_ROWS_PER_STEP: Final = 512

_MERGE: Final = """
    INSERT INTO identities SELECT substr(value, 1, 16), substr(value, 17)
    FROM carray(?) WHERE true ORDER BY value
    ON CONFLICT DO UPDATE SET received_at = max(received_at, excluded.received_at)"""
# The last row always stays: SQLite numbers the next one after it, and a number must not come twice.
_TRIM: Final = """
    DELETE FROM identities_log WHERE seq <= min(?, (SELECT min(seq) FROM identities_log) + ?)
    AND seq < (SELECT max(seq) FROM identities_log)"""
_LOOK_UP: Final = """
    SELECT i.identity FROM carray(?) AS wanted CROSS JOIN identities AS i ON i.identity = wanted.value
    WHERE i.received_at >= ?"""
_SWEEP: Final = "DELETE FROM identities WHERE identity >= ? AND identity < ? AND received_at < ?"
_COUNT: Final = "SELECT count(*) FROM identities WHERE identity >= ? AND identity < ?"


class RecentIdentities:
    """The identities that are not merged yet, by their first byte; and what to merge next.

    `log_end` is the highest row of the log. A round begins at bucket 0; when it ends, everything that was logged
    before it began is merged, and those rows of the log can go.
    """

    def __init__(self, logged: Sequence[tuple[int, bytes]]) -> None:
        self._buckets: list[dict[bytes, int]] = [{} for _ in range(BUCKETS)]
        self._count = 0
        self._merging = 0
        self._next_bucket = 0
        self._log_end = self._round_log_end = logged[-1][0] if logged else 0
        self.log_merged = 0
        for seq, items in logged:
            self.add(seq, unpack(items))

    def add(self, seq: int, remembered: Iterable[tuple[bytes, int]]) -> None:
        """Take up what row `seq` of the log holds."""
        self._log_end = max(self._log_end, seq)
        buckets = self._buckets
        for identity, received_at_ms in remembered:
            bucket = buckets[identity[0]]
            before = bucket.get(identity)
            if before is None:
                self._count += 1
            if before is None or before < received_at_ms:
                bucket[identity] = received_at_ms

    def find(self, identities: Iterable[bytes], since_ms: int) -> set[bytes]:
        """Those that are here, received at `since_ms` or later."""
        buckets = self._buckets
        return {identity for identity in identities if buckets[identity[0]].get(identity, -1) >= since_ms}

    def to_merge(self) -> tuple[int, dict[bytes, int]] | None:
        """The next bucket (its number, a copy of what it holds), or None while memory holds few enough."""
        if self._count - self._merging <= RECENT_MAX:
            return None
        number = self._next_bucket
        if number == 0:
            self._round_log_end = self._log_end
        self._next_bucket = (number + 1) % BUCKETS
        taken = dict(self._buckets[number])
        self._merging += len(taken)
        return number, taken

    def merged(self, number: int, taken: dict[bytes, int]) -> None:
        """What `to_merge` gave is in the table: it can be found there from now on."""
        bucket = self._buckets[number]
        for identity, received_at_ms in taken.items():
            if bucket.get(identity) == received_at_ms:  # else it was added again since, later: it stays
                del bucket[identity]
                self._count -= 1
        self._merging -= len(taken)
        if number == BUCKETS - 1:
            self.log_merged = self._round_log_end


def pack(remembered: Iterable[tuple[bytes, int]]) -> bytes:
    """Identities and times as the log keeps them."""
    return b"".join([identity + at_ms.to_bytes(TIME_BYTES, "big") for identity, at_ms in remembered])


def unpack(items: bytes) -> list[tuple[bytes, int]]:
    """The reverse of `pack`."""
    return [
        (items[at : at + IDENTITY_BYTES], int.from_bytes(items[at + IDENTITY_BYTES : at + ITEM_BYTES], "big"))
        for at in range(0, len(items) - ITEM_BYTES + 1, ITEM_BYTES)
    ]


def log(connection: apsw.Connection, items: bytes) -> int:
    """Write packed identities to the end of the log. Returns the row's number."""
    connection.execute("INSERT INTO identities_log (items) VALUES (?)", (items,))
    return connection.last_insert_rowid()


def read_log(connection: apsw.Connection) -> list[tuple[int, bytes]]:
    """All rows of the log."""
    return connection.execute("SELECT seq, items FROM identities_log ORDER BY seq").fetchall()  # type: ignore[return-value]


def merge(connection: apsw.Connection, taken: dict[bytes, int], log_merged: int) -> None:
    """Merge identities into the table, and drop some rows of the log up to `log_merged`."""
    if taken:
        items = tuple([identity + at_ms.to_bytes(TIME_BYTES, "big") for identity, at_ms in taken.items()])
        connection.execute(_MERGE, (apsw.carray(items),))
    connection.execute(_TRIM, (log_merged, LOG_ROWS_PER_STEP))


def look_up(connection: apsw.Connection, identities: Sequence[bytes], since_ms: int) -> set[bytes]:
    """Those that are in the table, received at `since_ms` or later."""
    since = max(0, since_ms).to_bytes(TIME_BYTES, "big")
    rows = connection.execute(_LOOK_UP, (apsw.carray(tuple(identities)), since)).fetchall()
    return {row[0] for row in rows}  # type: ignore[misc]


def sweep(connection: apsw.Connection, bucket: int, received_before_ms: int) -> int:
    """Delete what is older in one bucket of the table. Returns how many are left in it."""
    begin, end = bytes([bucket]), bytes([bucket + 1]) if bucket + 1 < BUCKETS else b"\xff" * (IDENTITY_BYTES + 1)
    connection.execute(_SWEEP, (begin, end, max(0, received_before_ms).to_bytes(TIME_BYTES, "big")))
    return int(connection.execute(_COUNT, (begin, end)).fetchall()[0][0])  # type: ignore[arg-type]


def any_merged(connection: apsw.Connection) -> bool:
    """Whether the table holds anything."""
    return bool(connection.execute("SELECT 1 FROM identities LIMIT 1").fetchall())
