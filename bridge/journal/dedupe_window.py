"""The window of duplicates: which dedupe keys were remembered, and since when; in memory, in a log, and in a table.

A dedupe key is 16 random bytes, so each would change another page of a large table: 12 to 20 µs of logging and
checkpointing apiece. Hence two places. New ones go to the end of `identities_log`, and into memory (`DedupeWindow`).
When memory holds enough of them, those of one bucket (they share the first byte) are merged into their part of the
sorted table together, where several meet on each page; the round goes over all 256 buckets. Dying at any point is
harmless: a row of the log stays until all it says is merged, and merging twice is merging once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import apsw

from bridge.journal.schema import BUCKETS, DEDUPE_KEY_BYTES, ITEM_BYTES, TIME_BYTES

BUFFERED_MAX: Final = 1 << 16
"""In memory at the most, some 10 MiB; the log holds up to twice as many. A small journal has fewer: a sixteenth."""
LOG_ROWS_PER_STEP: Final = 512
ROW_DISK_BYTES: Final = 40
"""What a dedupe key takes in the table, about: 22 bytes, and pages that are not quite full."""
SHARE: Final = 0.25
"""Of the journal's bytes, at the most. Beyond it the oldest are forgotten early: better than to refuse webhooks."""
TRIM_TO: Final = 0.9

_MERGE: Final = """
    INSERT INTO identities SELECT substr(value, 1, 16), substr(value, 17) FROM carray(?) WHERE true ORDER BY value
    ON CONFLICT DO UPDATE SET received_at = max(received_at, excluded.received_at)"""
# The last row always stays: SQLite numbers the next one after it, and a number must not come twice.
_TRIM_LOG: Final = """
    DELETE FROM identities_log WHERE seq <= min(?, (SELECT min(seq) FROM identities_log) + ?)
    AND seq < (SELECT max(seq) FROM identities_log)"""
_LOOK_UP: Final = """
    SELECT i.identity, i.received_at FROM carray(?) AS wanted CROSS JOIN identities AS i ON i.identity = wanted.value
    WHERE i.received_at >= ?"""
_SWEEP: Final = "DELETE FROM identities WHERE identity >= ? AND identity < ? AND received_at < ?"
_COUNT: Final = "SELECT count(*) FROM identities WHERE identity >= ? AND identity < ?"
_NEWEST: Final = """
    SELECT received_at FROM identities WHERE identity >= ? AND identity < ?
    ORDER BY received_at DESC LIMIT 1 OFFSET ?"""


class Merge(NamedTuple):
    """A bucket's dedupe keys on their way into the table. `log_end` is set on the last bucket of a round: see below."""

    bucket: int
    taken: dict[bytes, int]
    log_end: int | None


class DedupeWindow:
    """In memory: the dedupe keys that are not merged yet, by their first byte; and what to merge next.

    A round begins at bucket 0. When its last bucket is merged, everything that was logged before it began is merged,
    and those rows of the log can go: up to `log_merged`.
    """

    def __init__(self, logged: Sequence[tuple[int, bytes]], bytes_max: int, *, merged_any: bool = False) -> None:
        self.merged_any = merged_any
        self._count_max = min(BUFFERED_MAX, bytes_max // 16 // (2 * ITEM_BYTES))
        self._buckets: list[dict[bytes, int]] = [{} for _ in range(BUCKETS)]
        self._count = self._merging = 0
        self._next_bucket = 0
        self._log_end = self._round_log_end = self.log_merged = 0
        for seq, items in logged:
            self.add(seq, unpack(items))

    def add(self, seq: int, remembered: Iterable[tuple[bytes, int]]) -> None:
        """Take up what row `seq` of the log holds."""
        self._log_end = max(self._log_end, seq)
        buckets = self._buckets
        for dedupe_key, received_at_ms in remembered:
            bucket = buckets[dedupe_key[0]]
            before = bucket.get(dedupe_key)
            if before is None:
                self._count += 1
            if before is None or before < received_at_ms:
                bucket[dedupe_key] = received_at_ms

    def find(self, dedupe_keys: Iterable[bytes], since_ms: int) -> dict[bytes, int]:
        """Those that are here, received at `since_ms` or later → when."""
        buckets = self._buckets
        return {
            dedupe_key: at_ms
            for dedupe_key in dedupe_keys
            if (at_ms := buckets[dedupe_key[0]].get(dedupe_key, -1)) >= max(since_ms, 0)
        }

    def to_merge(self) -> Merge | None:
        """The next bucket, or None while memory holds few enough."""
        if self._count - self._merging <= self._count_max:
            return None
        self.merged_any = True
        bucket = self._next_bucket
        if bucket == 0:
            self._round_log_end = self._log_end
        self._next_bucket = (bucket + 1) % BUCKETS
        taken = dict(self._buckets[bucket])
        self._merging += len(taken)
        # Noted now: the next round may begin before this one's last merge is done.
        return Merge(bucket, taken, self._round_log_end if self._next_bucket == 0 else None)

    def merged(self, merge: Merge) -> None:
        """What `to_merge` gave is in the table: it can be found there from now on. Called in the same order."""
        bucket = self._buckets[merge.bucket]
        for dedupe_key, received_at_ms in merge.taken.items():
            if bucket.get(dedupe_key) == received_at_ms:  # else it was added again since, later: it stays
                del bucket[dedupe_key]
                self._count -= 1
        self._merging -= len(merge.taken)
        if merge.log_end is not None:
            self.log_merged = merge.log_end


class DedupeTable:
    """The log and the table: steps inside the writer's transaction. `bytes_max` is the whole journal's bound.

    `trimmed_ms` is the time before which dedupe keys were forgotten for want of room, None when there was room.
    """

    def __init__(self, connection: apsw.Connection, bytes_max: int) -> None:
        self._connection = connection
        self._bucket_rows_max = max(8, int(bytes_max * SHARE / ROW_DISK_BYTES / BUCKETS))
        self._rows: dict[int, int] = {}
        self.trimmed_ms: int | None = None

    def log(self, items: bytes) -> int:
        """Write packed dedupe keys to the end of the log. Returns the row's number."""
        self._connection.execute("INSERT INTO identities_log (items) VALUES (?)", (items,))
        return self._connection.last_insert_rowid()

    def logged(self) -> list[tuple[int, bytes]]:
        rows = self._connection.execute("SELECT seq, items FROM identities_log ORDER BY seq")
        return [(int(str(seq)), bytes(items)) for seq, items in rows]

    def merge(self, bucket: int, taken: Mapping[bytes, int], log_merged: int) -> None:
        """Merge dedupe keys of one bucket into the table, and drop some rows of the log up to `log_merged`."""
        if taken:
            items = tuple([dedupe_key + at_ms.to_bytes(TIME_BYTES, "big") for dedupe_key, at_ms in taken.items()])
            self._connection.execute(_MERGE, (apsw.carray(items),))
            known = self._rows.get(bucket)
            self._rows[bucket] = self._count(bucket) if known is None else known + len(taken)
            if self._rows[bucket] > self._bucket_rows_max:
                self.sweep(bucket, 0)
        self._connection.execute(_TRIM_LOG, (log_merged, LOG_ROWS_PER_STEP))

    def sweep(self, bucket: int, received_before_ms: int) -> None:
        """Forget what is older in one bucket; and if that leaves too many, the oldest of those."""
        self._delete(bucket, max(0, received_before_ms).to_bytes(TIME_BYTES, "big"))
        self._rows[bucket] = self._count(bucket)
        if self._rows[bucket] > self._bucket_rows_max:
            keep = int(self._bucket_rows_max * TRIM_TO)
            cut = self._connection.execute(_NEWEST, (*_bounds(bucket), keep)).fetchall()[0][0]
            self._delete(bucket, bytes(cut))  # type: ignore[arg-type]
            self._rows[bucket] = self._count(bucket)
            self.trimmed_ms = max(self.trimmed_ms or 0, int.from_bytes(bytes(cut), "big"))  # type: ignore[arg-type]

    def _delete(self, bucket: int, before: bytes) -> None:
        self._connection.execute(_SWEEP, (*_bounds(bucket), before))

    def _count(self, bucket: int) -> int:
        return int(str(self._connection.execute(_COUNT, _bounds(bucket)).fetchall()[0][0]))


def _bounds(bucket: int) -> tuple[bytes, bytes]:
    return bytes([bucket]), bytes([bucket + 1]) if bucket + 1 < BUCKETS else b"\xff" * (DEDUPE_KEY_BYTES + 1)


def look_up(connection: apsw.Connection, dedupe_keys: Sequence[bytes], since_ms: int) -> dict[bytes, int]:
    """Those that are in the table, received at `since_ms` or later → when."""
    since = max(0, since_ms).to_bytes(TIME_BYTES, "big")
    rows = connection.execute(_LOOK_UP, (apsw.carray(tuple(dedupe_keys)), since)).fetchall()
    return {bytes(row[0]): int.from_bytes(bytes(row[1]), "big") for row in rows}  # type: ignore[arg-type]


def any_merged(connection: apsw.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM identities LIMIT 1").fetchall())


def pack(remembered: Iterable[tuple[bytes, int]]) -> bytes:
    """Dedupe keys and times as the log keeps them."""
    return b"".join([dedupe_key + at_ms.to_bytes(TIME_BYTES, "big") for dedupe_key, at_ms in remembered])


def unpack(items: bytes) -> list[tuple[bytes, int]]:
    return [
        (items[at : at + DEDUPE_KEY_BYTES], int.from_bytes(items[at + DEDUPE_KEY_BYTES : at + ITEM_BYTES], "big"))
        for at in range(0, len(items) - ITEM_BYTES + 1, ITEM_BYTES)
    ]
