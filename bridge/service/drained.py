"""What became of a journal that was drained, and why entries are left. Pure: figures in, an account out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge.errors import ExitCode
from bridge.model import JournalUsage


@dataclass(frozen=True, slots=True)
class Left:
    """Entries that were not forwarded. `topic` is the lane they are parked for, None for those that no lane holds.

    `state` says why in a word: the lane's state, `kafka` (nothing goes to Kafka at all), or `time` (it ran out).
    """

    topic: str | None
    entries: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of a journal's entries, in numbers of them.

    `pending` is how many there were to forward; `known` those that Kafka turned out to have. `kept` are still in the
    journal, forwarded or not; `held` those of them whose quarantine record carries only a part: the journal has the
    only whole copy. `cause` of the end: "nothing left", "deadline", or a signal's name.
    """

    journal_id: str
    pending: int
    forwarded: int
    quarantined: int
    dropped: int
    duplicates: int
    known: int
    left: tuple[Left, ...]
    kept: int
    held: int
    seconds: float
    cause: str

    @property
    def entries_left(self) -> int:
        """How many entries were not forwarded."""
        return sum(left.entries for left in self.left)

    @property
    def removable(self) -> bool:
        """Whether nothing is lost with the folder but copies kept for replay."""
        return not self.left and not self.held

    @property
    def exit_code(self) -> ExitCode:
        """OK when nothing is left to forward."""
        return ExitCode.UNREACHABLE if self.left else ExitCode.OK


NO_JOURNAL: Final = Drained("", 0, 0, 0, 0, 0, 0, (), 0, 0, 0.0, "no journal")
"""The account of a folder in which there is none."""


def why_left(usage: JournalUsage, forwarder: Mapping[str, Any]) -> Iterator[Left]:
    """What is left by `usage`, with the reason that the forwarder's status gives."""
    lanes = {lane["topic"]: lane for lane in forwarder["lanes_behind"]}
    connected, error = forwarder["connected"], forwarder["last_error"]
    general = ("time", "it was still being forwarded") if connected else ("kafka", error or "no connection yet")
    for topic, entries in sorted(usage.parked.items()):
        lane = lanes.get(topic, {})
        waits = connected and lane.get("cause")
        yield Left(topic, entries, *((lane["state"], lane["cause"]) if waits else general))
    if others := usage.pending - sum(usage.parked.values()):
        yield Left(None, others, *general)


def account(
    before: JournalUsage, after: JournalUsage, outcomes: Mapping[str, int], left: tuple[Left, ...], **rest: Any
) -> Drained:
    """The account. `outcomes` counts the entries that left the journal: forwarded, quarantined, dropped, duplicate."""
    done = before.pending - sum(one.entries for one in left)
    return Drained(
        pending=before.pending,
        forwarded=outcomes.get("forwarded", 0),
        quarantined=outcomes.get("quarantined", 0),
        dropped=outcomes.get("dropped", 0),
        duplicates=outcomes.get("duplicate", 0),
        known=max(0, done - sum(outcomes.values())),
        left=left,
        kept=after.entries,
        **rest,
    )
