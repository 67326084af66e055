"""How a happening is said: always, once, or once in a while."""

import time
from collections.abc import Callable
from typing import Any, Literal

import structlog

from bridge.telemetry.sparing import Sparing

Level = Literal["debug", "info", "warning", "error"]

REPEAT_EVERY_S = 30.0
KEYS_MAX = 10_000


class Voice:
    """The log of one process, and what it has said already. `monotonic` is in seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger("bridge")
        self.verbose = False
        """Whether level debug is on. What happens for each request asks this before it makes a line."""
        self._monotonic = monotonic
        self._once: set[tuple[str, ...]] = set()
        self._sparing = Sparing(REPEAT_EVERY_S)

    def once(self, event: str, *key: str, **fields: Any) -> None:
        """Log a warning the first time that (`event`, `key`) happens in this process."""
        if (event, *key) not in self._once and len(self._once) < KEYS_MAX:
            self._once.add((event, *key))
            self.log.warning(event, **fields)

    def once_a_while(self, event: str, *key: str, level: Level = "warning", **fields: Any) -> None:
        """Log what may repeat often: a line per (`event`, `key`) in 30 s at the most, with the count of the others."""
        held_back = self._sparing.admit((event, *key), self._monotonic())
        if held_back is None:
            return
        if held_back:
            fields["held_back"] = held_back
        getattr(self.log, level)(event, **fields)
