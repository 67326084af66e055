"""The values that cross the boundaries between stages. Frozen, slotted, without behaviour of their own.

Times are integers: milliseconds since the epoch, UTC (`…_ms`). Text for people is made where it is shown.
What is made for every event is a named tuple: making one costs a third of making a frozen dataclass.
No repr shows what people said, or their phones: it may end in a log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

IdFrom = Literal["event_id", "fields", "body"]
"""What an event's id is: Treble's own, or a hash of the identifying fields, or of the whole body."""


class Entry(NamedTuple):
    """One accepted request in the journal. `id` grows by arrival, starts at 1, is never used twice; 0 is none yet.

    `hint` is the last path segment of the URL, "" when the source's bare path was called. `headers` is the JSON object
    of the selected request headers (lower-case names), b"" when there are none.
    """

    id: int
    received_at_ms: int
    source: str
    hint: str
    headers: bytes
    body: bytes

    def __repr__(self) -> str:
        return f"Entry({self.id}, {self.source}, {self.hint}, {len(self.body)} bytes)"


REPLAY_FIELD: Final = "x-treble-bridge-replay"
"""Field of an entry's headers: the id of the entry that it copies, then ` again` to pass the window of duplicates."""

RECEIVED_FIELD: Final = "x-treble-bridge-received-at"
"""Field of a copy's headers: when the webhook arrived (RFC 3339). The copy's own time is that of the replay."""


class Contact(NamedTuple):
    """A person at Treble: `phone` in E.164 with plus, and the parts as sent; WhatsApp's ids. Absent parts are None."""

    phone: str | None = None
    country_code: str | None = None
    national_number: str | None = None
    phone_variants: tuple[str, ...] = ()
    bsuid: str | None = None
    parent_bsuid: str | None = None
    username: str | None = None

    @property
    def key(self) -> str | None:
        """What tells this person from others: the phone, else WhatsApp's id."""
        return self.phone or self.bsuid or self.parent_bsuid

    def with_parts_of(self, other: "Contact") -> "Contact":
        """This contact, with what it lacks from another place of the same body. A phone goes with its parts."""
        number = max((self, other), key=lambda contact: (contact.phone is not None, any(contact[:4])))
        ids = (mine or others for mine, others in zip(self[4:], other[4:], strict=True))
        return Contact(*number[:4], *ids)

    def __repr__(self) -> str:
        return "Contact(…)"


class Event(NamedTuple):
    """A normalized entry.

    `key_fields` has what a route may name as its key and the event has (`session`, `contact`, `phone`, …).
    `notes` says what was lenient about it. `raw` is the body as Treble sent it; the envelope carries it.
    """

    id: str
    type: str
    source: str
    received_at_ms: int
    occurred_at: str
    contact: Contact | None
    session_id: str | None
    flow_id: str | None
    session_keys: Mapping[str, Any] | None
    data: Mapping[str, Any]
    raw: bytes
    key_fields: Mapping[str, str]
    notes: tuple[str, ...] = ()
    id_from: IdFrom = "event_id"

    def __repr__(self) -> str:
        return f"Event({self.type}, {self.id})"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a body: where (JSON pointer, "" is the whole body) and what was expected."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An entry that is authentic but not understood. `reason` is one of `dead_letter.REASONS`: a bounded label."""

    reason: str
    problems: tuple[Problem, ...]


class Record(NamedTuple):
    """What goes to Kafka: one record, ready to send."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int

    def __repr__(self) -> str:
        return f"Record({self.topic}, {len(self.value)} bytes)"


class Prepared(NamedTuple):
    """An entry made ready for forwarding.

    `topic` names the queue; `record` is None when the route says `drop`. `dedupe_key` (16 bytes) is what the window of
    duplicates remembers; quarantined entries have none and are never dropped. `outcome` is "forwarded", "quarantined",
    "dropped" or "duplicate" (forwarded, with a mark); `reason` says why it was quarantined. `truncated`: the record has
    only a part of the body, so the journal must keep the entry. `content_key` (16 bytes) stands for what was said,
    times apart, where the configuration wants that to be one event for a while.
    """

    entry_id: int
    received_at_ms: int
    event_type: str
    topic: str
    record: Record | None
    dedupe_key: bytes | None
    outcome: str
    reason: str = ""
    notes: tuple[str, ...] = ()
    hint_conflict: bool = False
    truncated: bool = False
    content_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Positions:
    """How far forwarding has come: `next_id` is the next entry to forward; `behind` names the paused topics.

    A topic that is not in `behind` stands at `next_id`. An entry below `next_id` is pending only if it is deferred for
    a topic in `behind` and not below that topic's position. `deferred` counts those entries of each; only Kafka is
    told (and says it), so that a copy of the journal that lacks some of them is noticed.
    """

    next_id: int = 1
    behind: Mapping[str, int] = field(default_factory=dict)
    deferred: Mapping[str, int] = field(default_factory=dict, compare=False)

    def of(self, topic: str) -> int:
        """The id of the next entry for `topic`."""
        return self.behind.get(topic, self.next_id)


class PendingMarker(NamedTuple):
    """Records of a transaction in a partition that may have no marker (see `kafka.transaction_markers`), from offset
    `first` on. `entry_ids` are their entries while it depends on the marker whether they have to go again, else empty.
    """

    topic: str
    partition: int
    first: int
    entry_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class InDoubtTransaction:
    """A transaction of which it isn't known whether it counts, with the positions that went with it in a record at
    `offset`. One that was `acknowledged` counts, whatever became of that record.
    """

    markers: tuple[PendingMarker, ...]
    positions: Positions
    offset: int
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class InDoubt:
    """What is unknown of the transactions so far: markers in single partitions, and the last transaction as a whole."""

    markers: tuple[PendingMarker, ...] = ()
    transaction: InDoubtTransaction | None = None

    def all_markers(self) -> tuple[PendingMarker, ...]:
        """Those of the last transaction, too."""
        return self.markers if self.transaction is None else (*self.markers, *self.transaction.markers)


NOTHING_IN_DOUBT: Final = InDoubt()


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as the configuration wants it. `retention_ms` None is the broker's default, -1 keeps records for ever;
    `config` has further settings by Kafka's names (`cleanup.policy`).
    """

    name: str
    partitions: int
    replication_factor: int
    retention_ms: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)


class PinnedEntries(NamedTuple):
    """Entries that are kept whatever retention says, until they are unpinned: how many, and their bytes."""

    entries: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class JournalUsage:
    """The journal's state now. `bytes` is what the database holds (live pages and log), `bytes_max` its bound.

    `fill` is between 0 and about 1; `state` is ok, nearly_full (from 80 %), or full (until it is below 95 %).
    """

    entries: int
    pending: int
    bytes: int
    bytes_max: int
    oldest_pending_ms: int | None
    deferred: Mapping[str, int]
    pinned: PinnedEntries
    fill: float
    state: str
