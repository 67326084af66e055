"""The dedupe keys on disk: the log, the sorted table, and their bounds. `dedupe_window` says why there are two.

Steps inside the writer's transaction; `look_up` and `any_merged` are for any connection.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import apsw

from bridge.journal.schema import BUCKETS, DEDUPE_KEY_BYTES, TIME_BYTES

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


class DedupeTable:
    """Both tables, by the writing connection. `bytes_max` is the whole journal's bound.

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
