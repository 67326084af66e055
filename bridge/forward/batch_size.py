"""How much of the journal goes out at once: as much as Kafka confirms within its time limit.

Over a slow link, or under a broker's quota, a full batch may take longer than `kafka.call_timeout`. Tried again as it
is, it would do so for ever. So a timeout halves the next batch, down to one entry. A commit makes it grow again: a
quick one doubles it, a slow one adds an eighth, or every second batch over a slow link would end in a timeout.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from bridge.errors import SinkTimeoutError, TopicPausedError
from bridge.settings.models import Kafka

QUICK: Final = 0.25
"""A commit is quick within this part of `kafka.request_timeout`: one of twice the size has room, too."""


class BatchSize:
    """The size of the next batch. `seconds` is a clock that never jumps."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._quick_s = 0.0
        self._configured = (1, 1)
        self._reduced: tuple[int, int] | None = None

    def limits(self, kafka: Kafka) -> tuple[int, int]:
        """How many entries, and bytes of bodies, the next batch may have: those of `kafka`, or less."""
        self._quick_s = kafka.request_timeout * QUICK
        self._configured = kafka.batch_entries, kafka.batch_bytes
        entries, size_bytes = self._reduced or self._configured
        return min(entries, kafka.batch_entries), min(size_bytes, kafka.batch_bytes)

    @contextmanager
    def adapting(self, entries: int, size_bytes: int) -> Iterator[None]:
        """Around the sending of so many entries, with so many bytes of records: learn from how it goes."""
        began_s = self._seconds()
        try:
            yield
        except (SinkTimeoutError, TopicPausedError) as error:
            # A lost leader is found out by waiting: it may have been the link as well.
            if isinstance(error, SinkTimeoutError) or error.state == "leaderless":
                now = self._reduced or self._configured
                self._reduced = max(1, min(now[0], entries) // 2), max(1, min(now[1], size_bytes) // 2)
            raise
        # A small one says nothing of a full one.
        if self._reduced and (2 * entries >= self._reduced[0] or 2 * size_bytes >= self._reduced[1]):
            self._grow(quick=self._seconds() - began_s <= self._quick_s)

    def _grow(self, *, quick: bool) -> None:
        assert self._reduced is not None
        grown = [2 * limit if quick else limit + limit // 8 + 1 for limit in self._reduced]
        self._reduced = min(grown[0], self._configured[0]), min(grown[1], self._configured[1])
        if self._reduced == self._configured:
            self._reduced = None
