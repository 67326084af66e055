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
_COMMIT_OVERHEAD_BYTES: Final = 200


class TailCache:
    """Commits in order, each with the id of its first entry."""

    def __init__(self) -> None:
        self._commits: deque[tuple[int, Sequence[Entry], int]] = deque()
        self._bytes = 0

    def committed(self, first_id: int, submissions: Sequence[Entry], size: int) -> None:
        """Entries of `size` bytes are durable; their ids go up from `first_id`."""
        size += len(submissions) * _ENTRY_OVERHEAD_BYTES + _COMMIT_OVERHEAD_BYTES
        self._commits.append((first_id, submissions, size))
        self._bytes += size
        while self._bytes > CACHE_BYTES_MAX:
            self._drop()

    def passed(self, next_id: int) -> None:
        """What is below `next_id` is forwarded, or waits for its topic: it is not read from here again."""
        commits = self._commits
        while commits and commits[0][0] + len(commits[0][1]) <= next_id:
            self._drop()

    def read(self, from_id: int, max_entries: int, max_bytes: int) -> list[Entry] | None:
        """As `Journal.read`; None when the first of them is not here any more."""
        commits = self._commits
        if not commits or from_id < commits[0][0]:
            return None
        found: list[Entry] = []
        left = max_bytes
        for first_id, submissions, _ in commits:
            entry_id = first_id
            for submission in submissions:
                if entry_id >= from_id:
                    left -= len(submission.headers) + len(submission.body)
                    if len(found) >= max_entries or (left < 0 and found):
                        return found
                    found.append(Entry._make((entry_id, *submission[1:])))
                entry_id += 1
        return found

    def _drop(self) -> None:
        self._bytes -= self._commits.popleft()[2]
