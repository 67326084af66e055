"""What the writer does besides commits, and when: retention, expiry of dedupe keys, checkpoints, figures.

All of it in steps of a few milliseconds, within the next commit or while nobody waits.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import apsw

from bridge.journal.capacity import YIELD, YIELD_TO
from bridge.journal.schema import BUCKETS, WAL_FRAME_BYTES
from bridge.journal.storage import Storage

RETIRE_ROWS: Final = 1000
PAUSE_S: Final = 0.02
"""Between two steps while there is more to do."""
IDLE_S: Final = 1.0
"""Between two looks while there is nothing to do."""
MEASURE_S: Final = 0.25
LOG_FRAMES_MAX: Final = 500
"""Frames in the log before they are moved into the database: 2 MiB, some milliseconds in which appends wait. Twice as
many would save a twentieth of an entry's CPU, and double that wait. The log begins anew then and overwrites itself,
which costs the file system half of what a growing file does."""
LOG_TOO_LONG: Final = 3  # times that
IDLE_CHECKPOINT_S: Final = 5.0
SWEEPS_PER_WINDOW: Final = 8
SWEEP_STEP_S_MIN: Final = 0.2
PENDING_MARGIN_MS: Final = 60_000


def log_frames_max(bytes_max: int) -> int:
    return max(8, min(LOG_FRAMES_MAX, bytes_max // 16 // WAL_FRAME_BYTES))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration says: a bound on what is in use, how long forwarded entries stay, and how long dedupe keys
    are remembered. A window of 0 remembers nothing."""

    bytes_max: int
    retain_ms: int
    retain_bytes: int
    window_ms: int


class Maintenance:
    """Decides what is due. `clock_ms` is the time that entries are stamped by, `monotonic` is in seconds.

    `used` is what was measured last: bytes.
    """

    def __init__(
        self,
        storage: Storage,
        limits: Limits,
        clock_ms: Callable[[], int],
        looking: threading.Lock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage, self._limits, self._looking = storage, limits, looking
        self._clock_ms, self._monotonic = clock_ms, monotonic
        self._log_frames_max = log_frames_max(limits.bytes_max)
        self._checkpoint_at_frames = self._log_frames_max
        self._checkpoint_at_s = self._retire_at_s = self._measure_at_s = self._sweep_pressed_at_s = 0.0
        self._unmeasured = 0
        self._swept_at = self._sweep_turn()
        # Begins where the clock says: a process that restarts often gets to all buckets.
        self._sweep_next = self._swept_at % BUCKETS
        self.used = self._measured()

    # in a transaction

    def due(self) -> bool:
        """Whether `work` has something to look at."""
        return self._monotonic() >= self._retire_at_s or self._sweep_turn() != self._swept_at

    def work(self) -> None:
        if self._monotonic() >= self._retire_at_s:
            more = self._retire()
            self._retire_at_s = self._monotonic() + (PAUSE_S if more else IDLE_S)
        turn = self._sweep_turn()
        if turn != self._swept_at or (self._pressed and self._monotonic() >= self._sweep_pressed_at_s):
            self._swept_at = turn
            # Under pressure not at the window's pace: a journal that was given less room holds too many dedupe keys.
            self._sweep_pressed_at_s = self._monotonic() + IDLE_S
            self._sweep_next = (self._sweep_next + 1) % BUCKETS
            self._sweep(self._sweep_next)

    def set_window(self, window_ms: int) -> None:
        """Another length of the window. From any thread: it is one assignment."""
        self._limits = replace(self._limits, window_ms=window_ms)

    def _retire(self) -> bool:
        storage, limits = self._storage, self._limits
        keep_bytes = limits.retain_bytes
        if self._pressed:
            excess = self.used + self._unmeasured - int(YIELD_TO * limits.bytes_max)
            keep_bytes = max(0, min(keep_bytes, storage.retained_bytes() - excess))
        found = storage.retire(
            received_before_ms=self._clock_ms() - limits.retain_ms, keep_bytes=keep_bytes, rows_max=RETIRE_ROWS
        )
        if found:
            self._measure_at_s = 0.0
        return found

    @property
    def _pressed(self) -> bool:
        return self.used + self._unmeasured >= YIELD * self._limits.bytes_max

    def _sweep(self, bucket: int) -> None:
        """Forget dedupe keys of one bucket that nobody can ask for any more.

        Counted back from the oldest entry that is pending, not from now: after a long outage both copies of a webhook
        may still wait, and the first is forwarded before the second.
        """
        now_ms, oldest_ms = self._clock_ms(), self._storage.oldest_pending_ms()
        newest_ms = now_ms if oldest_ms is None else min(now_ms, oldest_ms)
        self._storage.dedupe_keys.sweep(bucket, newest_ms - self._limits.window_ms - PENDING_MARGIN_MS)
        if self._pressed:
            self._measure_at_s = 0.0

    def _sweep_turn(self) -> int:
        """Changes whenever it is time for the next bucket."""
        pass_s = self._limits.window_ms / 1000 / SWEEPS_PER_WINDOW
        return int(self._clock_ms() / 1000 / max(SWEEP_STEP_S_MIN, pass_s / BUCKETS))

    # between transactions

    def committed(self, size: int, *, steps: int) -> None:
        """Entries of `size` bytes, and so many other steps, were committed."""
        self._unmeasured += size
        if steps:
            self._measure_at_s = 0.0
            if self._pressed:  # positions may have moved: what was pending may be only retained now
                self._retire_at_s = 0.0

    def measure(self) -> bool:
        """Measure again, when the last time is too long ago."""
        due = self._unmeasured * 256 >= self._limits.bytes_max or self._monotonic() >= self._measure_at_s
        if due:
            self.used, self._unmeasured = self._measured(), 0
            self._measure_at_s = self._monotonic() + MEASURE_S
        return due

    def _measured(self) -> int:
        """The log counts as if it were as long as it may become, so that its coming and going moves no mark."""
        frames, done = self._storage.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        log_bytes = max(frames - done, self._log_frames_max) * WAL_FRAME_BYTES
        return self._storage.bytes_used() + log_bytes

    def shortened_to_ms(self) -> int | None:
        """How far back dedupe keys go, when some had to be forgotten early since this was asked last."""
        trimmed_ms, self._storage.dedupe_keys.trimmed_ms = self._storage.dedupe_keys.trimmed_ms, None
        return None if trimmed_ms is None else max(0, self._clock_ms() - trimmed_ms)

    def checkpoint(self, *, idle: bool) -> None:
        """Move the log into the database when it is long enough, or when there is time. Nobody is kept waiting.

        Only this thread does it: done by another, new commits would come in between, and the log would never be
        empty, which it has to be to begin anew. A reader at this moment has the same effect: then once more, later.
        Our own reader, which a backlog keeps busy, is held off for that moment when the log has become too long.
        """
        connection = self._storage.connection
        frames, done = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        now_s = self._monotonic()
        if frames < self._log_frames_max:
            self._checkpoint_at_frames = self._log_frames_max
        if frames >= self._checkpoint_at_frames or (idle and frames > done and now_s >= self._checkpoint_at_s):
            too_long = frames >= LOG_TOO_LONG * self._log_frames_max
            with self._looking if too_long else contextlib.nullcontext():
                frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._checkpoint_at_frames = frames + self._log_frames_max // 4
            self._checkpoint_at_s = now_s + IDLE_CHECKPOINT_S

    def wait_s(self) -> float:
        """How long the writer may sleep when nothing comes."""
        return min(IDLE_S, max(0.0, self._retire_at_s - self._monotonic()))
