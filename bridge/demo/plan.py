"""What one run of the demo is made of: names, tokens, and the bridge's configuration file. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bridge.catalogue import TABLE

PATH = "/webhooks/treble"

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
        """The guarantee that this run shows."""
        return "exactly_once" if self.real else "at_least_once"

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


def _quoted(text: str) -> str:
    """A text as YAML has it in double quotes; `$` would begin the name of a variable."""
    return orjson.dumps(text.replace("$", "$$")).decode()
