"""One run of the demo in values: its names, tokens and configuration file; and its ledger. Pure.

The ledger holds what was sent, what was answered, and what came out on Kafka, and says whether it adds up. A record
carries the body of its webhook: by that, the two are matched.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson

from bridge.catalogue import TABLE
from bridge.catalogue.samples import Posting
from bridge.demo.posting import Outcome
from bridge.kafka.consumer import Incoming

PATH = "/webhooks/treble"
EMBEDDED: Final = "an embedded Kafka (librdkafka's mock cluster, in memory)"
_NOT_KEYED_BY_SESSION: Final = frozenset({"hsm.status_changed", "deployment.failed"})

_FILE = """\
# A configuration of treble-bridge, made by its demo. What it does not say is at its default.
server:
  listen: "127.0.0.1:{port}"{any_port}
  drain_deadline: 5s
admin:
  listen: "127.0.0.1:0" # 0: any free port
journal:
  path: {journal}
  max_bytes: 64MiB
kafka:
  bootstrap_servers: {servers}
{kafka}
sources:
  treble: # POST {path} and {path}/<hint>
    auth: # both headers, as Treble's "Webhook Headers" adds them to every call
      - bearer: "${{TREBLE_TOKEN}}"
        header: {{name: X-API-Key, value: "${{TREBLE_API_KEY}}"}}
topics:
{topics}
"""

# The embedded Kafka would keep a batch twice that comes again because its first copy found the broker frozen.
_KAFKA_EMBEDDED = """\
  delivery: at_least_once # the embedded Kafka only pretends to have transactions; on a real one: exactly_once
  request_timeout: 40s # a batch waits for a broker that is away, rather than being sent again:
  call_timeout: 45s # the embedded Kafka does not know a batch that it has already
  transaction_timeout: 60s"""
_TOPICS_EMBEDDED = """\
  create: off # the embedded Kafka makes topics when they are first used"""

_KAFKA_REAL = """\
  delivery: exactly_once
  positions_topic: {plan.positions}
  transactional_id_prefix: {plan.prefix}"""
_TOPICS_REAL = """\
  create: missing
  partitions: 3
  replication_factor: {plan.replication_factor}
  quarantine: {plan.quarantine}
  default: {plan.prefix}treble.{{event_type}}"""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `prefix` stands before the names of topics, so that runs on one Kafka don't mix."""

    folder: Path
    servers: tuple[str, ...]
    real: bool
    token: str = field(repr=False)
    api_key: str = field(repr=False)
    prefix: str = ""
    replication_factor: int = 1
    port: int = 0

    @property
    def delivery(self) -> str:
        return "exactly_once" if self.real else "at_least_once"

    @property
    def kafka_name(self) -> str:
        return f"the Kafka at {', '.join(self.servers)}" if self.real else EMBEDDED

    @property
    def config_file(self) -> Path:
        return self.folder / "bridge.yaml"

    @property
    def log_file(self) -> Path:
        return self.folder / "bridge.log"

    @property
    def quarantine(self) -> str:
        return f"{self.prefix}treble.quarantine"

    @property
    def positions(self) -> str:
        return f"{self.prefix}treble.bridge.positions"

    def topic_of(self, event_type: str) -> str:
        return f"{self.prefix}treble.{event_type}"

    def topics(self) -> Sequence[str]:
        """Every topic that holds events, and the quarantine."""
        return [*map(self.topic_of, TABLE), self.quarantine]

    def headers(self) -> Mapping[str, str]:
        """What Treble would be told to add to every call."""
        return {"Authorization": f"Bearer {self.token}", "X-API-Key": self.api_key}

    def environment(self) -> Mapping[str, str]:
        """The variables that the configuration file names."""
        return {"TREBLE_TOKEN": self.token, "TREBLE_API_KEY": self.api_key}

    def configuration(self) -> str:
        """The text of the configuration file. It holds no secret."""
        kafka, topics = (_KAFKA_REAL, _TOPICS_REAL) if self.real else (_KAFKA_EMBEDDED, _TOPICS_EMBEDDED)
        return _FILE.format(
            port=self.port,
            any_port="" if self.port else " # 0: any free port",
            journal=_quoted(str(self.folder / "journal")),
            servers=f"[{', '.join(map(_quoted, self.servers))}]",
            kafka=kafka.format(plan=self),
            path=PATH,
            topics=topics.format(plan=self),
        )


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
    """With exactly_once a record that comes twice is a fault, else a remark."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._statuses: Counter[int] = Counter()
        self._ack_ms: list[float] = []
        self._awaited: dict[bytes, Sent] = {}
        self._last_by_key: dict[tuple[str, str | None], tuple[float, int]] = {}
        self._duplicates = 0
        self._problems: dict[str, None] = {}

    def posted(self, posting: Posting, at_s: float) -> None:
        """Note a webhook, before its answer is there: its record may be the faster one.

        The same body once more is a duplicate, of which nothing may come out.
        """
        mark = _mark(posting.body)
        if mark in self._awaited:
            self._duplicates += 200 in posting.expected
        elif posting.expected & {200, 400}:
            self._awaited[mark] = Sent(posting, at_s)

    def answered(self, outcome: Outcome) -> None:
        self._statuses[outcome.status] += 1
        if outcome.status == 200:
            self._ack_ms.append(outcome.ms)
        if not outcome.as_expected:
            was = f"answered {outcome.status}" if outcome.status else "not answered"
            posting = outcome.posting
            self.problem(f"a webhook ({posting.event_type}) was {was} instead of {min(posting.expected)}")

    def arrived(self, record: Incoming) -> Sent | None:
        """Note a record. Returns the webhook that it comes from."""
        sent = self._awaited.get(_mark_of_record(record.decoded))
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
        self._problems[text] = None

    def verdict(self, bridge: Mapping[str, float]) -> Verdict:
        """The sum. `bridge` has the same counts as the bridge's own metrics give them, and `pending`."""
        statuses = self._statuses
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
        times = self._ack_ms
        ack_ms = {"p50": round(median(times), 2), "max": round(max(times), 2)} if times else {}
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


def _mark_of_record(value: Any) -> bytes:
    raw = value.get("raw") if isinstance(value, dict) else None
    return raw.encode() if isinstance(raw, str) else orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)


def _quoted(text: str) -> str:
    """A text as YAML has it in double quotes; `$` would begin the name of a variable."""
    return orjson.dumps(text.replace("$", "$$")).decode()
