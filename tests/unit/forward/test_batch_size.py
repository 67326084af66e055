"""How large the next batch is: halved by timeouts, grown by commits."""

import contextlib

import pytest

from bridge.errors import SinkError, SinkTimeoutError, SinkUnavailableError, TopicPausedError
from bridge.forward.batch_size import BatchSize
from bridge.settings.models import Kafka
from tests.unit.journal.making import Clock

KAFKA = Kafka.model_validate({"bootstrap_servers": ["k:1"], "batch_entries": 1000, "batch_bytes": "1MiB"})
FULL = (1000, 1 << 20)
QUICK_MS, SLOW_MS = 1000, 4000


class Drive:
    """A batch size, and a clock that goes on while something is sent."""

    def __init__(self) -> None:
        self.clock = Clock(0)
        self.size = BatchSize(lambda: self.clock.ms / 1000)

    @property
    def limits(self) -> tuple[int, int]:
        return self.size.limits(KAFKA)

    def send(self, entries: int = 0, size_bytes: int = 0, *, ms: int = 0, error: SinkError | None = None) -> None:
        """A slice, a full one unless it is said."""
        full = self.limits
        with contextlib.suppress(SinkError), self.size.adapting(entries or full[0], size_bytes or full[1]):
            self.clock.ms += ms
            if error is not None:
                raise error

    def fail(self, entries: int = 0, size_bytes: int = 0) -> None:
        """A slice that isn't confirmed in time."""
        self.send(entries, size_bytes, error=SinkTimeoutError("no answer"))


def test_slices_are_as_large_as_configured_while_all_goes_well() -> None:
    drive = Drive()
    for ms in (0, SLOW_MS):
        drive.send(ms=ms)
        assert drive.limits == FULL


def test_each_timeout_halves_the_next_slice_down_to_one_entry() -> None:
    drive, seen = Drive(), []
    for _ in range(12):
        drive.fail()
        seen.append(drive.limits[0])
    assert seen == [500, 250, 125, 62, 31, 15, 7, 3, 1, 1, 1, 1]
    assert drive.limits == (1, (1 << 20) >> 12)


def test_what_is_halved_is_the_slice_that_was_sent() -> None:
    drive = Drive()
    drive.fail(40, 20_000)
    assert drive.limits == (20, 10_000)


@pytest.mark.parametrize(
    ("error", "entries"),
    [
        (TopicPausedError("t", "leaderless", ""), 500),
        (TopicPausedError("t", "missing", ""), 1000),
        (SinkUnavailableError("Kafka is down"), 1000),
    ],
)
def test_only_what_took_too_long_halves(error: SinkError, entries: int) -> None:
    drive = Drive()
    drive.send(error=error)
    assert drive.limits[0] == entries


def test_quick_commits_of_full_slices_double_it_up_to_what_is_configured() -> None:
    drive, seen = Drive(), []
    for _ in range(4):
        drive.fail()
    for _ in range(6):
        drive.send(ms=QUICK_MS)
        seen.append(drive.limits)
    assert [entries for entries, _ in seen] == [124, 248, 496, 992, 1000, 1000]
    assert seen[-1] == FULL


def test_small_slices_say_nothing_of_full_ones() -> None:
    drive = Drive()
    drive.fail()
    for _ in range(100):
        drive.send(3, 1000)
    assert drive.limits[0] == 500


def test_commits_that_are_never_quick_make_it_grow_as_well() -> None:
    """A cluster whose every commit takes seconds, whatever is in it, must not stay at single entries for ever."""
    drive = Drive()
    for _ in range(12):
        drive.fail()
    commits = 0
    while drive.limits != FULL:
        drive.send(ms=SLOW_MS)
        commits += 1
        assert commits < 100


def over_a_link(bytes_per_ms: float) -> int:
    """Ten minutes of a backlog of small entries: how many got through."""
    drive, forwarded = Drive(), 0
    while drive.clock.ms < 600_000:
        entries = drive.limits[0]
        took_ms = int(entries * 1000 / bytes_per_ms)
        if took_ms > KAFKA.call_timeout * 1000:
            drive.clock.ms += int(KAFKA.call_timeout * 1000)
            drive.fail(entries, entries * 1000)
        else:
            drive.send(entries, entries * 1000, ms=took_ms)
            forwarded += entries
    return forwarded


@pytest.mark.parametrize(("bytes_per_ms", "share"), [(0.3, 0.5), (5, 0.7), (20, 0.7), (200, 0.95)])
def test_a_slow_link_is_used_most_of_the_time(bytes_per_ms: float, share: float) -> None:
    """Three entries in ten seconds: half of the ten minutes is gone before the size is found."""
    assert over_a_link(bytes_per_ms) * 1000 > share * bytes_per_ms * 600_000


def test_limits_that_are_lowered_by_a_reload_hold_at_once() -> None:
    drive = Drive()
    drive.fail()
    lower = KAFKA.model_copy(update={"batch_entries": 10})
    assert drive.size.limits(lower) == (10, 1 << 19)
