"""How full the journal is, and whether it takes one more entry. Pure: figures in, a word out."""

from typing import Final

from bridge.errors import JournalFullError

NEARLY_FULL: Final = 0.80
NOT_ANY_MORE: Final = 0.79
"""Lower than where it began, so that a fill that plays around the mark is said once."""
RESUME: Final = 0.95
YIELD: Final = 0.75
"""From here on what is only retained is deleted early: so a warning at 80 % always means entries that wait."""
YIELD_TO: Final = 0.70
"""How far that goes."""
QUEUED_BYTES_MAX: Final = 64 << 20
"""Bytes of entries that may wait for a commit: a disk that stalls must not fill the memory. One entry alone may have
more: `server.max_body` may be larger than this."""
ENTRY_OVERHEAD_BYTES: Final = 96
"""What an entry takes on disk besides its own bytes, about."""


class Capacity:
    """Counts what was admitted since the last measurement, so that a burst between two can't overshoot.

    `used` is what was measured last, bytes. `state` is ok, nearly_full or full: true from the start on, and the first
    `settle` reports it unless it is ok.
    """

    def __init__(self, bytes_max: int, used: int = 0) -> None:
        self.bytes_max = bytes_max
        self.used = used
        self.state = self._settled = "ok"
        self._queued = self._unmeasured = 0
        self._judge()

    @property
    def fill(self) -> float:
        """Between 0 and about 1."""
        return (self.used + self._queued + self._unmeasured) / self.bytes_max

    def admit(self, size: int) -> None:
        """Count an entry of `size` bytes in. Raises JournalFullError if it can't be taken now."""
        size += ENTRY_OVERHEAD_BYTES
        if self.state != "full":
            if self._queued and self._queued + size > QUEUED_BYTES_MAX:
                raise JournalFullError(f"{self._queued} bytes wait for the disk already")
            taken = self.used + self._queued + self._unmeasured
            if taken + size <= self.bytes_max:
                self._queued += size
                return
            if taken < RESUME * self.bytes_max:
                raise JournalFullError(f"an entry of {size} bytes does not fit in any more")
            self.state = "full"
        raise JournalFullError(
            f"the journal holds {self.used} of {self.bytes_max} bytes: it takes entries again below {RESUME:.0%}"
        )

    def committed(self, entries: int, size: int) -> None:
        """Entries of `size` bytes together left the queue."""
        size += entries * ENTRY_OVERHEAD_BYTES
        self._queued -= size
        self._unmeasured += size

    def measured(self, used: int) -> None:
        """The database and its log hold `used` bytes, everything committed included."""
        self.used, self._unmeasured = used, 0

    def settle(self) -> bool:
        """Bring `state` up to date. Returns whether it is another than at the last call (ok before the first)."""
        self._judge()
        before, self._settled = self._settled, self.state
        return self.state != before

    def _judge(self) -> None:
        fill = self.fill
        if fill >= 1 or (self.state == "full" and fill >= RESUME):
            self.state = "full"
        else:
            self.state = "nearly_full" if fill >= (NEARLY_FULL if self.state == "ok" else NOT_ANY_MORE) else "ok"
