"""The window of duplicates as the event loop sees it: which dedupe keys were remembered, and since when.

A dedupe key is 16 random bytes, so each would change another page of a large table: 12 to 20 µs of logging and
checkpointing apiece. Hence two places. New ones go to the end of `identities_log`, and into memory (`DedupeBuffer`).
When memory holds enough of them, those of one bucket (they share the first byte) are merged into their part of the
sorted table together, where several meet on each page; the round goes over all 256 buckets. Dying at any point is
harmless: a row of the log stays until all it says is merged, and merging twice is merging once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import apsw

from bridge.journal import dedupe_table
from bridge.journal.schema import BUCKETS, DEDUPE_KEY_BYTES, ITEM_BYTES, TIME_BYTES
from bridge.journal.storage import Storage
from bridge.journal.writer import Step

BUFFERED_MAX: Final = 1 << 16
"""In memory at the most, some 10 MiB; the log holds up to twice as many. A small journal has fewer: a sixteenth."""

Ask = Callable[[Callable[[apsw.Connection], dict[bytes, int]]], Awaitable[dict[bytes, int]]]


class DedupeWindow:
    """Memory and table as one. `queue` puts a step into the writer's next commit, `ask` a query to the reader."""

    def __init__(
        self, storage: Storage, bytes_max: int, *, queue: Callable[[Step], "asyncio.Future[Any]"], ask: Ask
    ) -> None:
        self.buffer = DedupeBuffer(storage.dedupe_keys.logged(), bytes_max)
        self._merged_any = dedupe_table.any_merged(storage.connection)
        self._queue, self._ask = queue, ask

    async def seen(self, wanted: Sequence[bytes], since_ms: int) -> dict[bytes, int]:
        found = self.buffer.find(wanted, since_ms)
        if self._merged_any and (rest := [dedupe_key for dedupe_key in wanted if dedupe_key not in found]):
            found |= await self._ask(lambda connection: dedupe_table.look_up(connection, rest, since_ms))
        return found

    def merge(self) -> None:
        """Move dedupe keys from memory into the table, when there are too many. Raises what `queue` does."""
        while (merge := self.buffer.to_merge()) is not None:
            self._merged_any = True
            done = self._queue(partial(_merge_step, merge, self.buffer.log_merged))
            done.add_done_callback(partial(self._merged, merge))

    def _merged(self, merge: "Merge", done: "asyncio.Future[Any]") -> None:
        if not done.cancelled() and done.exception() is None:
            self.buffer.merged(merge)


def _merge_step(merge: "Merge", log_merged: int, storage: Storage) -> None:
    storage.dedupe_keys.merge(merge.bucket, merge.taken, log_merged)


class Merge(NamedTuple):
    """A bucket's dedupe keys on their way into the table. `log_end` is set on the last bucket of a round: see below."""

    bucket: int
    taken: dict[bytes, int]
    log_end: int | None


class DedupeBuffer:
    """The dedupe keys that are not merged yet, by their first byte; and what to merge next.

    A round begins at bucket 0. When its last bucket is merged, everything that was logged before it began is merged,
    and those rows of the log can go: up to `log_merged`.
    """

    def __init__(self, logged: Sequence[tuple[int, bytes]], bytes_max: int) -> None:
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


def pack(remembered: Iterable[tuple[bytes, int]]) -> bytes:
    """Dedupe keys and times as the log keeps them."""
    return b"".join([dedupe_key + at_ms.to_bytes(TIME_BYTES, "big") for dedupe_key, at_ms in remembered])


def unpack(items: bytes) -> list[tuple[bytes, int]]:
    return [
        (items[at : at + DEDUPE_KEY_BYTES], int.from_bytes(items[at + DEDUPE_KEY_BYTES : at + ITEM_BYTES], "big"))
        for at in range(0, len(items) - ITEM_BYTES + 1, ITEM_BYTES)
    ]
