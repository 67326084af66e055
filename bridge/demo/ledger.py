"""What was sent, what was answered, what came out on Kafka; and whether it adds up. Pure.

A record carries the body of its webhook: by that, the two are matched.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bridge.catalogue.samples import Posting
from bridge.demo.plan import Plan
from bridge.demo.posting import Outcome, Summary
from bridge.kafka.consumer import Incoming

_KEPT: Final = frozenset({200, 400})
_NOT_KEYED_BY_SESSION: Final = frozenset({"hsm.status_changed", "deployment.failed"})


@dataclass(slots=True)
class Sent:
    """A webhook that must come out on Kafka. `at_s` is when it was posted, `records` how many came out for it."""

    posting: Posting
    at_s: float
    records: int = 0

    @property
    def is_event(self) -> bool:
        """Whether an event must come of it. If not, it must come out in the quarantine."""
        return 200 in self.posting.expected


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sum, what the bridge's own metrics say of it, and what does not add up (nothing, if all is well).

    In `counts`, `sent` = `acknowledged` + `refused`, and `acknowledged` = `forwarded` + `duplicates` + `lost`. The
    quarantined ones are those of the refused that were kept.
    """

    counts: Mapping[str, int]
    bridge: Mapping[str, float]
    forwarded_by_type: Mapping[str, int]
    repeated: int
    ack_ms: Mapping[str, float]
    problems: Sequence[str]


class Ledger:
    """The books of one run. With exactly_once a record that comes twice is a fault, else a remark."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._answers, self._acks = Summary(), Summary()
        self._awaited: dict[bytes, Sent] = {}
        self._last_by_key: dict[tuple[str, str | None], tuple[float, int]] = {}
        self._duplicates = 0
        self._problems: list[str] = []

    def posted(self, posting: Posting, at_s: float) -> None:
        """Note a webhook, before its answer is there: its record may be the faster one.

        The same body once more is a duplicate, of which nothing may come out.
        """
        mark = _mark(posting.body)
        if mark in self._awaited:
            self._duplicates += 200 in posting.expected
        elif posting.expected & _KEPT:
            self._awaited[mark] = Sent(posting, at_s)

    def answered(self, outcome: Outcome) -> None:
        """Note a webhook's answer."""
        self._answers.add(outcome)
        if outcome.status == 200:
            self._acks.add(outcome)
        if not outcome.as_expected:
            was = f"answered {outcome.status}" if outcome.status else "not answered"
            self.problem(
                f"a webhook ({outcome.posting.event_type}) was {was} instead of {min(outcome.posting.expected)}"
            )

    def arrived(self, record: Incoming) -> Sent | None:
        """Note a record. Returns the webhook that it comes from."""
        mark = _mark_of_record(record.decoded)
        sent = None if mark is None else self._awaited.get(mark)
        if sent is None:
            self.problem(f"a record on {record.topic} comes from no webhook that should be there")
            return None
        sent.records += 1
        if sent.records == 1:
            self._check(record, sent)
        return sent

    def missing(self) -> int:
        """How many records are still to come."""
        return sum(not sent.records for sent in self._awaited.values())

    def problem(self, text: str) -> None:
        """Note that something is wrong; said once, however often it is."""
        if text not in self._problems:
            self._problems.append(text)

    def verdict(self, bridge: Mapping[str, float]) -> Verdict:
        """Close the books. `bridge` has the same counts as the bridge's own metrics give them, and `pending`."""
        statuses = self._answers.statuses
        arrived = [sent for sent in self._awaited.values() if sent.records]
        forwarded = Counter(sent.posting.event_type for sent in arrived if sent.is_event)
        repeated = sum(sent.records - 1 for sent in arrived)
        lost = statuses[200] - forwarded.total() - self._duplicates
        counts = {
            "sent": statuses.total(),
            "acknowledged": statuses[200],
            "refused": statuses[400] + statuses[401],
            "forwarded": forwarded.total(),
            "duplicates": self._duplicates,
            "quarantined": len(arrived) - forwarded.total(),
            "lost": lost,
        }
        problems = [*self._problems]
        if lost:
            problems.append(f"{lost} webhooks were acknowledged, and are nowhere")
        if missing := self.missing() - lost:
            problems.append(f"{missing} webhooks were to be kept in quarantine, and are not there")
        if repeated and self._plan.real:
            problems.append(f"{repeated} records came twice: that is not exactly once")
        own = {**counts, "pending": 0}
        problems += [
            f"the bridge counts {value:g} {name}, the demo {own[name]}"
            for name, value in bridge.items()
            if value != own[name]
        ]
        times = {"p50": self._acks.quantile_ms(0.5), "max": self._acks.quantile_ms(1.0)}
        ack_ms = {name: round(ms, 2) for name, ms in times.items() if ms is not None}
        return Verdict(counts, bridge, dict(sorted(forwarded.items())), repeated, ack_ms, problems)

    def _check(self, record: Incoming, sent: Sent) -> None:
        """Topic, key, order, partition."""
        posting = sent.posting
        topic = self._plan.topic_of(posting.event_type) if sent.is_event else self._plan.quarantine
        if record.topic != topic:
            self.problem(f"a webhook ({posting.event_type}) came out on {record.topic} instead of {topic}")
        if not sent.is_event:
            return
        if record.key is None or (record.key != posting.session and posting.event_type not in _NOT_KEYED_BY_SESSION):
            self.problem(f"an event on {topic} has not the key that it should have")
        at_s, partition = self._last_by_key.get((topic, record.key), (0.0, record.partition))
        if at_s > sent.at_s or partition != record.partition:
            self.problem(f"events of one key on {topic} came out of order, or on two partitions")
        self._last_by_key[topic, record.key] = sent.at_s, record.partition


def _mark(body: bytes) -> bytes:
    """A body in one spelling: sorted JSON, or the bytes if it is no JSON."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body


def _mark_of_record(value: Any) -> bytes | None:
    raw = value.get("raw") if isinstance(value, dict) else None
    if raw is None:
        return None
    return raw.encode() if isinstance(raw, str) else orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
