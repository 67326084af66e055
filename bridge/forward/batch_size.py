"""How much of the journal goes out at once: as much as Kafka confirms within its time limit.

Over a slow link, or under a broker's quota, a full slice may take longer than `kafka.call_timeout`. Tried again as it
is, it would do so for ever. So after each timeout the next slice is half as large, down to one entry. Commits make it
grow again, at once while they are quick. Where growth led to another timeout, twice as many commits are wanted before
the next try, so that a link which is slow for good carries slices of the right size nearly all the time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from bridge.errors import LaneBlockedError, SinkTimeoutError
from bridge.settings.models import Kafka

QUICK: Final = 0.25
"""A commit is quick within this part of `kafka.request_timeout`: one of twice the size has room, too."""

QUICK_COUNTS: Final = 8
"""A quick commit says as much for growing as so many that aren't."""

PATIENCE_MAX: Final = 64
"""The most quick commits that are wanted before a slice grows."""


class Pace:
    """The size of the next slice. `seconds` is a clock that never jumps."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = self._now = (1, 1)
        self._reduced = False
        self._quick_s = 0.0
        self._passed = 0
        self._patience = 1
        self._has_grown = False

    def limits(self, kafka: Kafka) -> tuple[int, int]:
        """How many entries, and bytes of bodies, the next slice may have: those of `kafka`, or less."""
        self._most = kafka.batch_entries, kafka.batch_bytes
        self._quick_s = kafka.request_timeout * QUICK
        if not self._reduced:
            self._now = self._most
        return min(self._now[0], self._most[0]), min(self._now[1], self._most[1])

    @contextmanager
    def timing(self, entries: int, size_bytes: int) -> Iterator[None]:
        """Around the sending of a slice of so many entries, with so many bytes of records: learn from how it goes."""
        began_s = self._seconds()
        try:
            yield
        except SinkTimeoutError:
            self._shrink(entries, size_bytes)
            raise
        except LaneBlockedError as error:
            if error.state == "leaderless":  # found out by waiting: it may have been the link as well
                self._shrink(entries, size_bytes)
            raise
        self._committed(entries, size_bytes, self._seconds() - began_s)

    def _shrink(self, entries: int, size_bytes: int) -> None:
        self._now = max(1, min(self._now[0], entries) // 2), max(1, min(self._now[1], size_bytes) // 2)
        self._reduced, self._passed = True, 0
        if self._has_grown:
            self._patience, self._has_grown = min(PATIENCE_MAX, 2 * self._patience), False

    def _committed(self, entries: int, size_bytes: int, seconds: float) -> None:
        if not self._reduced:
            self._patience, self._has_grown = 1, False
            return
        if 2 * entries < self._now[0] and 2 * size_bytes < self._now[1]:
            return  # a small one says nothing of a full one
        self._passed += QUICK_COUNTS if seconds <= self._quick_s else 1
        if self._passed < QUICK_COUNTS * self._patience:
            return
        self._now = min(2 * self._now[0], self._most[0]), min(2 * self._now[1], self._most[1])
        self._reduced, self._passed, self._has_grown = self._now != self._most, 0, True
