"""Bounds that several requests share: a source's rate, and the bytes held in memory."""

import math

from bridge.settings.sources import RateLimit

BODY_BYTES_HELD_MAX = 64 << 20
ENTRY_OVERHEAD_BYTES = 1024
"""What a waiting request costs beside its body: bodies of a few bytes must not evade the bound."""


class TokenBucket:
    """So many requests a second, with a burst. Times are seconds of any clock that only moves forward."""

    __slots__ = ("_at_s", "_burst", "_rate", "_tokens")

    def __init__(self, settings: RateLimit, now_s: float) -> None:
        self._rate = settings.rate
        self._burst = float(settings.burst)
        self._tokens = self._burst
        self._at_s = now_s

    def take(self, now_s: float) -> int:
        """Take a token: 0. When there is none: the whole seconds after which there is one, at least 1."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return max(1, math.ceil((1 - self._tokens) / self._rate))


def body_bytes_held_max(max_body: int) -> int:
    """The bound on bodies in memory, while they arrive or wait for stable storage; above it 503. Without it, a disk
    that hangs would fill the memory with as many bodies as there are connections. Four of the largest must always fit.
    """
    return max(BODY_BYTES_HELD_MAX, 4 * max_body)


class ByteBudget:
    __slots__ = ("bytes_max", "held")

    def __init__(self, bytes_max: int = 0) -> None:
        self.bytes_max = bytes_max
        self.held = 0

    def take(self, count: int) -> bool:
        """Hold `count` more bytes, unless that is too many."""
        if self.held + count > self.bytes_max:
            return False
        self.held += count
        return True

    def give_back(self, count: int) -> None:
        self.held -= count
