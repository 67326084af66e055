"""A logger that repeats itself no oftener than it helps."""

import time
from collections.abc import Hashable
from typing import Any, Literal

import structlog

Level = Literal["debug", "info", "warning", "error"]

REPEAT_EVERY_S = 30.0
ONCE_KEYS_MAX = 10_000
THROTTLE_KEYS_MAX = 1024


class RateLimitedLogger:
    """A log, and what it has said already."""

    def __init__(self, every_s: float = REPEAT_EVERY_S) -> None:
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger("bridge")
        self.verbose = False
        """Whether level debug is on. What happens for each request asks this before it makes a line."""
        self._once: set[tuple[str, ...]] = set()
        self._throttle = LogThrottle(every_s)

    def once(self, event: str, *key: str, **fields: Any) -> None:
        """Log a warning the first time that (`event`, `key`) happens in this process."""
        if (event, *key) not in self._once and len(self._once) < ONCE_KEYS_MAX:
            self._once.add((event, *key))
            self.log.warning(event, **fields)

    def throttled(self, event: str, *key: str, level: Level = "warning", **fields: Any) -> None:
        """Log what may repeat often: one line per (`event`, `key`) and period, with the count of the others."""
        held_back = self._throttle.held_back((event, *key), time.monotonic())
        if held_back is None:
            return
        if held_back:
            fields["held_back"] = held_back
        getattr(self.log, level)(event, **fields)


class LogThrottle:
    """Remembers for each key when its line was last written. Bounded: the key of the oldest line is forgotten first."""

    def __init__(self, every_s: float, keys_max: int = THROTTLE_KEYS_MAX) -> None:
        self._every_s = every_s
        self._keys_max = keys_max
        self._written: dict[Hashable, tuple[float, int]] = {}  # key → (when it was written, held back since)

    def held_back(self, key: Hashable, now_s: float) -> int | None:
        """How many equal lines were held back, when this one may be written; None when it is held back too."""
        written = self._written.get(key)
        if written is not None and now_s - written[0] < self._every_s:
            self._written[key] = (written[0], written[1] + 1)
            return None
        self._written.pop(key, None)  # goes to the end of the order
        if len(self._written) >= self._keys_max:
            self._written.pop(next(iter(self._written)), None)
        self._written[key] = (now_s, 0)
        return 0 if written is None else written[1]
