"""What the writer does besides commits, and when: retention, expiry of identities, checkpoints, figures.

All of it in steps of a few milliseconds, within the next commit or while nobody waits.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import apsw

from bridge.journal import identities
from bridge.journal.capacity import YIELD
from bridge.journal.layout import WAL_FRAME_BYTES
from bridge.journal.storage import Storage

RETIRE_ROWS: Final = 1000
PAUSE_S: Final = 0.02
"""Between two steps while there is more to do."""
IDLE_S: Final = 1.0
"""Between two looks while there is nothing to do."""
MEASURE_S: Final = 0.25
LOG_FRAMES_MAX: Final = 1000
"""Frames in the log before they are moved into the database: 4 MiB, some milliseconds of work. The log begins anew
then and overwrites itself, which costs the file system half of what a growing file does."""
IDLE_CHECKPOINT_S: Final = 5.0
SWEEPS_PER_WINDOW: Final = 8
SWEEP_STEP_S_MIN: Final = 0.2
IDENTITY_DISK_BYTES: Final = 40
IDENTITIES_SHARE: Final = 0.25
PENDING_MARGIN_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration says. A window of 0 remembers nothing."""

    bytes_max: int
    retain_ms: int
    retain_bytes: int
    window_ms: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. `window_share` is below 1 while the window is shortened because identities take too much."""

    used: int
    oldest_pending_ms: int | None
    window_share: float


class Upkeep:
    """Decides what is due. `clock_ms` is the time that entries are stamped by, `monotonic` is in seconds."""

    def __init__(
        self,
        storage: Storage,
        limits: Limits,
        clock_ms: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._limits = limits
        self._clock_ms = clock_ms
        self._monotonic = monotonic
        self._log_frames_max = max(8, min(LOG_FRAMES_MAX, limits.bytes_max // 16 // WAL_FRAME_BYTES))
        self._checkpoint_at_frames = self._log_frames_max
        self._checkpoint_at_s = 0.0
        self._retire_at_s = 0.0
        self._measure_at_s = 0.0
        self._unmeasured = 0
        self._left_by_bucket: dict[int, int] = {}
        self._window_share = 1.0
        self._swept = self._sweep_now()
        self.figures = self._measured()

    # in a transaction

    def due(self) -> bool:
        """Whether `work` has something to look at."""
        return self._monotonic() >= self._retire_at_s or self._sweep_now() != self._swept

    def work(self) -> None:
        """One step of what is due."""
        if self._monotonic() >= self._retire_at_s:
            more = self._retire()
            self._retire_at_s = self._monotonic() + (PAUSE_S if more else IDLE_S)
        now = self._sweep_now()
        if now != self._swept:
            if not 0 < now - self._swept <= identities.BUCKETS:  # the clock was set, or the step has changed
                self._swept = now - 1
            self._swept += 1
            self._sweep(self._swept % identities.BUCKETS)

    def set_window(self, window_ms: int) -> None:
        """Another length of the window. From any thread: it is one assignment."""
        self._limits = replace(self._limits, window_ms=window_ms)

    def hasten(self) -> None:
        """Positions have moved: what is retained may have become too much."""
        if self._pressed:
            self._retire_at_s = 0.0

    def _retire(self) -> bool:
        limits = self._limits
        keep_bytes = 0 if self._pressed else limits.retain_bytes
        found = self._storage.retire(
            received_before_ms=self._clock_ms() - limits.retain_ms, keep_bytes=keep_bytes, rows_max=RETIRE_ROWS
        )
        if found:
            self._measure_at_s = 0.0
        return found

    @property
    def _pressed(self) -> bool:
        return self.figures.used + self._unmeasured >= YIELD * self._limits.bytes_max

    def _sweep(self, bucket: int) -> None:
        """Forget identities of one bucket that nobody can ask for any more.

        Counted back from the oldest entry that is pending, not from now: after a long outage both copies of a webhook
        may still wait, and the first is forwarded before the second.
        """
        now_ms, oldest_ms = self._clock_ms(), self._storage.oldest_pending_ms()
        newest_ms = now_ms if oldest_ms is None else min(now_ms, oldest_ms)
        before_ms = newest_ms - int(self._limits.window_ms * self._window_share) - PENDING_MARGIN_MS
        counts = self._left_by_bucket
        counts[bucket] = identities.sweep(self._storage.connection, bucket, before_ms)
        used = sum(counts.values()) / len(counts) * identities.BUCKETS * IDENTITY_DISK_BYTES
        self._window_share = min(1.0, IDENTITIES_SHARE * self._limits.bytes_max / max(1.0, used))

    def _sweep_now(self) -> int:
        """Which bucket's turn it is, by the clock: so a process that restarts often gets to all of them."""
        pass_s = self._limits.window_ms / 1000 * self._window_share / SWEEPS_PER_WINDOW
        return int(self._clock_ms() / 1000 / max(SWEEP_STEP_S_MIN, pass_s / identities.BUCKETS))

    # between transactions

    def committed(self, size: int) -> None:
        """Entries of `size` bytes were committed."""
        self._unmeasured += size

    def measure(self, *, now: bool) -> Figures | None:
        """New figures, when the last ones are too old, or when it has to be `now`."""
        fresh = self._unmeasured * 256 < self._limits.bytes_max and self._monotonic() < self._measure_at_s
        if fresh and not now:
            return None
        self.figures = self._measured()
        self._measure_at_s = self._monotonic() + MEASURE_S
        self._unmeasured = 0
        return self.figures

    def _measured(self) -> Figures:
        frames, _ = self._storage.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        used = self._storage.bytes_used() + frames * WAL_FRAME_BYTES
        return Figures(used, self._storage.oldest_pending_ms(), self._window_share)

    def checkpoint(self, *, idle: bool) -> None:
        """Move the log into the database when it is long enough, or when there is time. Nobody is kept waiting.

        Only this thread does it: done by another, new commits would come in between, and the log would never be
        empty, which it has to be to begin anew. A reader at this moment has the same effect: then once more, later.
        """
        connection = self._storage.connection
        frames, done = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        now_s = self._monotonic()
        if frames < self._log_frames_max:
            self._checkpoint_at_frames = self._log_frames_max
        if frames >= self._checkpoint_at_frames or (idle and frames > done and now_s >= self._checkpoint_at_s):
            frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._checkpoint_at_frames = frames + self._log_frames_max // 4
            self._checkpoint_at_s = now_s + IDLE_CHECKPOINT_S

    def wait_s(self) -> float:
        """How long the writer may sleep when nothing comes."""
        return min(IDLE_S, max(0.0, self._retire_at_s - self._monotonic()))
