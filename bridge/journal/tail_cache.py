"""The newest entries, kept as they were committed: a forwarder at the front reads them without the disk.

Only what is durable comes in. What the positions have passed goes at once, and what is more than `CACHE_BYTES_MAX`
goes too, the oldest first: a backlog is read from the disk.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from bridge.model import Entry

CACHE_BYTES_MAX: Final = 4 << 20
_ENTRY_OVERHEAD_BYTES: Final = 400


class TailCache:
    """The entries in order of their ids."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def committed(self, first_id: int, submissions: Sequence[Entry]) -> None:
        """Entries are durable; their ids go up from `first_id`."""
        for entry_id, submission in enumerate(submissions, first_id):
            self._entries.append(Entry._make((entry_id, *submission[1:])))
            self._bytes += _size(submission)
        while self._bytes > CACHE_BYTES_MAX:
            self._drop()

    def passed(self, next_id: int) -> None:
        """What is below `next_id` is forwarded, or waits for its topic: it is not read from here again."""
        while self._entries and self._entries[0].id < next_id:
            self._drop()

    def read(self, from_id: int, max_entries: int, max_bytes: int) -> list[Entry] | None:
        """As `Journal.read`; None when the first of them is not here any more."""
        if not self._entries or from_id < self._entries[0].id:
            return None
        found: list[Entry] = []
        left = max_bytes
        for entry in self._entries:
            if entry.id >= from_id:
                left -= len(entry.headers) + len(entry.body)
                if len(found) >= max_entries or (left < 0 and found):
                    break
                found.append(entry)
        return found

    def _drop(self) -> None:
        self._bytes -= _size(self._entries.popleft())


def _size(entry: Entry) -> int:
    return len(entry.headers) + len(entry.body) + _ENTRY_OVERHEAD_BYTES
