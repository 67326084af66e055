"""The time that a record carries: its webhook's arrival, if the broker takes that; else the time of sending.

A broker refuses a batch that holds a time too far from its own clock (`message.timestamp.after.max.ms`, an hour by
default, and `message.timestamp.before.max.ms`). That is no fault of the event: its envelope says when it came, whatever
the record carries. So no record is from the future, and where a topic refuses old ones, they carry the time of sending.
Which age is too old isn't said: it is found by halving. When even the present time is refused, a clock is wrong.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bridge.errors import LaneBlockedError, TimestampRefusedError
from bridge.kafka.errors import blocked

AGE_MIN_MS: Final = 60_000
"""Below this age the search ends: then each record of the topic carries the time of sending."""

REMEMBER_S: Final = 3600.0
"""How long it counts what was found out: clocks and topics are put right."""


def now_ms() -> int:
    """This host's clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Times:
    """The times for one sending, at `now_ms`. `ages` has topics that refuse records which are so old, in ms."""

    now_ms: int
    ages: Mapping[str, int] = field(default_factory=dict)

    def of(self, topic: str, own_ms: int) -> int:
        """The time (ms since the epoch) of a record for `topic` whose own is `own_ms`."""
        if own_ms >= self.now_ms or (self.ages and self.now_ms - own_ms >= self.ages.get(topic, self.now_ms)):
            return self.now_ms
        return own_ms


class Stamps:
    """What is known of the times that topics refuse. In memory: a new process finds it out again.

    `clock_ms` is the host's clock, `seconds` one that never jumps.
    """

    def __init__(self, clock_ms: Callable[[], int] = now_ms, seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_ms = clock_ms
        self._seconds = seconds
        self._ages: dict[str, tuple[int, float]] = {}

    def times(self) -> Times:
        """The times for a sending that begins now."""
        if not self._ages:
            return Times(self._clock_ms())
        self._ages = {topic: known for topic, known in self._ages.items() if known[1] > self._seconds()}
        return Times(self._clock_ms(), {topic: age_ms for topic, (age_ms, _) in self._ages.items()})

    def refused(self, error: TimestampRefusedError, times: Times) -> TimestampRefusedError | LaneBlockedError:
        """A batch with these `times` was refused. Returns what that comes to.

        That is `error` itself when another try, with the times of `times()` by then, may pass; a LaneBlockedError when
        every record carried the present time already.
        """
        if error.oldest_ms is None or error.oldest_ms >= times.now_ms:
            return blocked(error.topic, "clock")
        age_ms = (times.now_ms - error.oldest_ms) // 2
        self._ages[error.topic] = (age_ms if age_ms >= AGE_MIN_MS else 0, self._seconds() + REMEMBER_S)
        return error
