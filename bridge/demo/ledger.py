"""What was sent, what was answered, what came out on Kafka; and whether it adds up. Pure.

A record and the webhook that it comes from are told to belong together by the body, which the record carries.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from bridge.demo.plan import Plan
from bridge.demo.traffic import STATUS, Webhook
from bridge.kafka.consumer import Incoming

_FATES_ON_KAFKA: Final = {"forwarded", "quarantined"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A webhook and its answer. `at_s` is when it was posted, on the clock that `Ledger.arrived` gets its time from."""

    webhook: Webhook
    status: int
    ms: float
    at_s: float
    number: int

    @property
    def as_expected(self) -> bool:
        """Whether the answer is the one that it had to be."""
        return self.status == STATUS[self.webhook.fate]


@dataclass(frozen=True, slots=True)
class Counts:
    """The sum of a run.

    `sent` = `acknowledged` (200) + `refused` (401 and 400, as they had to be). `acknowledged` = `forwarded` +
    `duplicates` + `lost`. `quarantined` are those of the refused that were kept.
    """

    sent: int
    acknowledged: int
    refused: int
    forwarded: int
    duplicates: int
    quarantined: int
    lost: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sum, what the bridge's own metrics say of it, and what does not add up (nothing, if all is well)."""

    counts: Counts
    bridge: Mapping[str, float]
    forwarded_by_type: Mapping[str, int]
    repeated: int
    ack_ms: Mapping[str, float]
    problems: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"adds_up": not self.problems, **asdict(self)}


class Ledger:
    """The books of one run. With exactly_once a record that comes twice is a fault, else a remark."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sent: list[Sent] = []
        self._awaited: dict[bytes, Sent] = {}
        self._arrived: dict[bytes, Incoming] = {}
        self._by_key: defaultdict[tuple[str, str | None], list[tuple[int, int]]] = defaultdict(list)
        self._repeated = 0
        self._problems: list[str] = []

    def answered(self, webhook: Webhook, status: int, ms: float, at_s: float) -> Sent:
        """Note a webhook's answer. `status` 0: there was none."""
        sent = Sent(webhook, status, ms, at_s, len(self._sent))
        self._sent.append(sent)
        if not sent.as_expected:
            was = f"answered {status}" if status else "not answered"
            self.problem(f"a webhook ({webhook.event_type}) was {was} instead of {STATUS[webhook.fate]}")
        if webhook.fate in _FATES_ON_KAFKA:
            self._awaited[_mark(webhook)] = sent
        return sent

    def arrived(self, record: Incoming) -> Sent | None:
        """Note a record. Returns the webhook that it comes from."""
        mark = _mark_of(record.decoded)
        sent = None if mark is None else self._awaited.get(mark)
        if mark is None or sent is None:
            self.problem(f"a record on {record.topic} comes from no webhook that should be there")
            return None
        if mark in self._arrived:
            self._repeated += 1
            return sent
        self._arrived[mark] = record
        self._check(record, sent)
        return sent

    def missing(self) -> int:
        """How many records are still to come."""
        return len(self._awaited) - len(self._arrived)

    def verdict(self, bridge: Mapping[str, float]) -> Verdict:
        """Close the books. `bridge` has the same counts as the bridge's own metrics give them, and `pending`."""
        counts = self._counts()
        problems = [*self._problems]
        if counts.lost:
            problems.append(f"{counts.lost} webhooks were acknowledged, and are nowhere")
        if missing := self.missing() - counts.lost:
            problems.append(f"{missing} webhooks were to be kept in quarantine, and are not there")
        if self._repeated and self._plan.real:
            problems.append(f"{self._repeated} records came twice: that is not exactly once")
        own = {**asdict(counts), "pending": 0}
        problems += [
            f"the bridge counts {value:g} {name}, the demo {own[name]}"
            for name, value in bridge.items()
            if value != own[name]
        ]
        types = Counter(
            sent.webhook.event_type for mark, sent in self._awaited.items() if mark in self._arrived_events()
        )
        return Verdict(counts, bridge, dict(sorted(types.items())), self._repeated, self._times(), problems)

    def _counts(self) -> Counts:
        def count(holds: Callable[[Sent], bool]) -> int:
            return sum(map(holds, self._sent))

        acknowledged = count(lambda sent: sent.status == 200)
        forwarded = len(self._arrived_events())
        duplicates = count(lambda sent: sent.status == 200 and sent.webhook.fate == "duplicate")
        return Counts(
            sent=len(self._sent),
            acknowledged=acknowledged,
            refused=count(lambda sent: sent.status in {400, 401} and sent.as_expected),
            forwarded=forwarded,
            duplicates=duplicates,
            quarantined=len(self._arrived) - forwarded,
            lost=acknowledged - forwarded - duplicates,
        )

    def _arrived_events(self) -> set[bytes]:
        return {mark for mark in self._arrived if self._awaited[mark].webhook.fate == "forwarded"}

    def _check(self, record: Incoming, sent: Sent) -> None:
        """Topic, key, order, partition."""
        webhook = sent.webhook
        is_event = webhook.fate == "forwarded"
        topic = self._plan.topic_of(webhook.event_type) if is_event else self._plan.quarantine
        if record.topic != topic:
            self.problem(f"a webhook ({webhook.event_type}) came out on {record.topic} instead of {topic}")
        if not is_event:
            return
        if record.key != webhook.who:
            self.problem(f"an event on {topic} has not the key that it should have")
        before = self._by_key[topic, record.key]
        if before and (before[-1][0] > sent.number or before[-1][1] != record.partition):
            self.problem(f"events of one key on {topic} came out of order, or on two partitions")
        before.append((sent.number, record.partition))

    def _times(self) -> dict[str, float]:
        times = sorted(sent.ms for sent in self._sent if sent.status == 200)
        if not times:
            return {}
        return {"p50": round(times[len(times) // 2], 2), "max": round(times[-1], 2)}

    def problem(self, text: str) -> None:
        """Note that something is wrong; said once, however often it is."""
        if text not in self._problems:
            self._problems.append(text)


def _mark(webhook: Webhook) -> bytes:
    """What a body is recognised by: its JSON in one spelling, or its bytes where it is none."""
    try:
        return orjson.dumps(orjson.loads(webhook.body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return webhook.body


def _mark_of(value: Any) -> bytes | None:
    raw = value.get("raw") if isinstance(value, dict) else None
    if raw is None:
        return None
    return raw.encode() if isinstance(raw, str) else orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
