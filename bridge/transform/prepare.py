"""An entry made ready for forwarding: normalize → route → envelope → record, or a dead letter for the quarantine topic.

Pure, and never fails: whatever an entry holds, it leaves as an event, as a quarantine record, or (by configuration) not
at all. Routes are resolved once per configuration.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bridge.catalogue import TABLE
from bridge.catalogue.table import Classification
from bridge.catalogue.times import utc_ms
from bridge.model import RECEIVED_FIELD, REPLAY_FIELD, Entry, Event, Prepared, Problem, Rejected, TopicSpec
from bridge.settings.models import Settings
from bridge.settings.topics import KEY_KINDS, Route, Topics
from bridge.transform import dead_letter
from bridge.transform.cloudevents import Encoder, Headers, trace_headers
from bridge.transform.custom_events import rules_of
from bridge.transform.dedupe import ContentKeys, dedupe_key
from bridge.transform.normalize import examine
from bridge.transform.redaction import Redaction

UNCLASSIFIED = "unclassified"
"""The event type, in metrics, of what none could be found for."""

TIMEZONE_FIELD = "x-treble-bridge-timezone"
"""Field of an entry's headers: the time zone that its source had when it arrived (IANA name). Without it: UTC."""

_HEADROOM_BYTES = 64 << 10  # of the topic's limit, for key, headers and the batch
_HEAD_BYTES = 16_384
"""How large a quarantine record may be that holds the beginning of the body only: any topic should take that."""

_KEY_FALLBACKS = ("session", "contact", "event_id")
_DUPLICATE = ("treble_duplicate", b"true")
_TRACE_MARK, _REPLAY_MARK = b"traceparent", REPLAY_FIELD.encode()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the events of one type go: the topic, "" for none, and the key, the first of `key_kinds` that an event has.

    `redaction` hides what may not be stored there.
    """

    topic: str
    key_kinds: tuple[str, ...]
    drop: bool
    redaction: Redaction | None


class Extras(NamedTuple):
    """What an entry's headers add: record headers; for a replay, whether to send it anyway, and when it arrived."""

    headers: Headers = ()
    again: bool = False
    arrived_ms: int | None = None

    def arrival(self, entry: Entry) -> Entry:
        """The entry as it arrived: a copy with the time of the first, not with its own."""
        return entry if self.arrived_ms is None else entry._replace(received_at_ms=self.arrived_ms)


_NO_EXTRAS = Extras()


class Preparer:
    """Prepares entries as one configuration says. `journal_id` is named in quarantine records."""

    def __init__(self, settings: Settings, journal_id: str) -> None:
        self._journal_id = journal_id
        self._quarantine = settings.topics.quarantine
        self._whole_bytes_max = settings.quarantine_bytes_max - _HEADROOM_BYTES
        self._settings = settings.routing
        self._encoder = Encoder(settings.kafka.format)
        self.destinations: Mapping[str, Destination] = {
            name: _destination(settings, name) for name in [*TABLE, *settings.events]
        }
        self._rules = rules_of(settings.events)
        self._zones = {
            name: None if source.timezone == "UTC" else ZoneInfo(source.timezone)
            for name, source in settings.sources.items()
        }
        self.marks_duplicates = settings.duplicates.action == "mark"
        self.window_ms = int(settings.duplicates.window * 1000)
        self.content_window_ms: Mapping[str, int] = {
            name: int(seconds * 1000) for name, seconds in settings.duplicates.semantic_window.items()
        }
        self._content_keys = {name: ContentKeys(TABLE[name]) for name in self.content_window_ms}
        hidden = Redaction.of(settings.privacy, self._quarantine, None)
        self._without_raw = None if hidden is None or hidden.keeps_raw else hidden

    def zone(self, entry: Entry) -> dt.tzinfo | None:
        """The zone of an entry's times that have none: its source's; None is UTC.

        A source that is no longer configured (it was renamed, say) has the zone that it had when the entry arrived.
        Raises ZoneInfoNotFoundError where this machine doesn't know that one.
        """
        try:
            return self._zones[entry.source]
        except KeyError:
            name = dead_letter.header_fields(entry.headers).get(TIMEZONE_FIELD)
            return ZoneInfo(name) if isinstance(name, str) else None

    def examine(self, entry: Entry) -> tuple[Classification, Event | Rejected]:
        """What the entry is, and what decided it. May raise: `prepare` doesn't."""
        arrived = _extras(entry.headers).arrival(entry)
        return examine(arrived, self.zone(entry), self._rules)

    def prepare(self, entry: Entry) -> Prepared:
        """Make an entry ready. Never raises: what our own code can't handle goes to the quarantine as well."""
        try:
            return self._prepare(entry)
        except Exception as error:  # noqa: BLE001 - an entry that raises must not hold up all that follow it
            problem = Problem("", f"the bridge could not handle this body: {type(error).__name__}")
            return self._quarantined(entry, "internal_error", (problem,))

    def rejected(self, entry: Entry, prepared: Prepared, message: str, *, times: int = 1) -> Prepared:
        """The quarantine record of an entry whose record Kafka rejected so many `times`.

        Of an event, the first one holds the whole body. If that was rejected too, the next holds its beginning only.
        """
        quarantined = prepared.outcome == "quarantined"
        return self._quarantined(
            entry,
            prepared.reason if quarantined else "refused_by_kafka",
            (Problem("", message),),
            prepared.event_type,
            head_only=quarantined or times > 1,
        )

    def remark(self, prepared: Prepared) -> Prepared:
        """The same with a header that says it is a duplicate."""
        if prepared.record is None:
            return prepared
        record = prepared.record._replace(headers=(*prepared.record.headers, _DUPLICATE))
        return prepared._replace(record=record, outcome="duplicate", content_key=None)

    def topics(self) -> Mapping[str, TopicSpec]:
        """Every topic that this configuration can send to, by name. Without the positions topic."""
        routes: dict[str, list[Route]] = {self._quarantine: []}
        for event_type, destination in self.destinations.items():
            if not destination.drop:
                sharing = routes.setdefault(destination.topic, [])
                route = self._settings.map.get(event_type)
                if isinstance(route, Route):
                    sharing.append(route)
        return {topic: _spec(self._settings, topic, sharing) for topic, sharing in routes.items()}

    def _prepare(self, entry: Entry) -> Prepared:
        extras = _extras(entry.headers)
        decided, result = examine(extras.arrival(entry), self.zone(entry), self._rules)
        if isinstance(result, Rejected):
            return self._quarantined(
                entry, result.reason, result.problems, decided.event_type, hint_conflict=decided.hint_conflict
            )
        destination = self.destinations[result.type]
        record, keys = None, None
        if not destination.drop:
            shown = result if destination.redaction is None else destination.redaction.event(result)
            _, key = key_kind_of(result, destination)
            record = self._encoder.record(shown, destination.topic, key.encode(), extras.headers)
            keys = self._content_keys.get(result.type)
        return Prepared(
            entry.id,
            entry.received_at_ms,
            result.type,
            destination.topic,
            record,
            None if record is None or extras.again else dedupe_key(result),
            "dropped" if record is None else "forwarded",
            "",
            result.notes,
            decided.hint_conflict,
            False,
            None if keys is None or extras.again else keys.of(result),
        )

    def _quarantined(
        self,
        entry: Entry,
        reason: str,
        problems: tuple[Problem, ...],
        event_type: str | None = None,
        *,
        hint_conflict: bool = False,
        head_only: bool = False,
    ) -> Prepared:
        known = None if event_type == UNCLASSIFIED else event_type
        extras = _extras(entry.headers)
        record, truncated = dead_letter.record(
            extras.arrival(entry),
            reason,
            problems,
            topic=self._quarantine,
            journal_id=self._journal_id,
            event_id=self._quarantine_id(entry, reason),
            event_type=known,
            extra=extras.headers,
            value_bytes_max=_HEAD_BYTES if head_only else self._whole_bytes_max,
            with_raw=self._without_raw is None,
        )
        return Prepared(
            entry.id,
            entry.received_at_ms,
            known or UNCLASSIFIED,
            self._quarantine,
            record,
            None,
            "quarantined",
            reason,
            (),
            hint_conflict,
            truncated,
        )

    def published(self, event: Event) -> Event:
        """The event under the id that consumers see. Nothing else of it is hidden."""
        redaction = self.destinations[event.type].redaction
        return event if redaction is None else event._replace(id=redaction.id(event))

    def _quarantine_id(self, entry: Entry, reason: str) -> str:
        """The event's id where there is one, else that of a body that the record doesn't say; "" for any other."""
        if reason == "refused_by_kafka":
            _, result = self.examine(entry)
            if isinstance(result, Event):
                return self.published(result).id
        hidden = self._without_raw
        return hidden.hashed(dead_letter.body_id(entry.source, entry.body)) if hidden else ""


def key_kind_of(event: Event, destination: Destination) -> tuple[str, str]:
    """What became the record's key, and its value: never empty, since every event has an id."""
    for kind in destination.key_kinds:
        key = event.key_fields.get(kind)
        if key and destination.redaction is not None:
            key = destination.redaction.key(kind, key, event)
        if key:
            return kind, key
    return "event_id", event.id


def key_kind_name(settings: Settings, event_type: str, kind: str) -> str:
    """What a key is, as the configuration calls it: for an event type of its own, the path into the body."""
    own = settings.events.get(event_type)
    return own.key if kind == "path" and own is not None and own.key else kind


def _destination(settings: Settings, event_type: str) -> Destination:
    topics = settings.routing
    route = topics.map.get(event_type)
    own = settings.events.get(event_type)
    if own is None:
        kind: str = TABLE[event_type].key
    else:
        kind = own.key or "session"
        kind = kind if kind in KEY_KINDS else "path"
    kind = (route.key if isinstance(route, Route) else None) or kind
    kinds = (kind, *(fallback for fallback in _KEY_FALLBACKS if fallback != kind))
    topic = topics.topic_of(event_type) or ""
    redaction = Redaction.of(settings.privacy, topic, None if own else TABLE[event_type]) if topic else None
    return Destination(topic, kinds, not topic, redaction)


def _spec(topics: Topics, name: str, routes: Sequence[Route]) -> TopicSpec:
    """The topic of these routes. Where several share it, what one says holds: the settings refuse contradictions."""
    seconds = next((route.retention for route in routes if route.retention is not None), topics.retention)
    return TopicSpec(
        name,
        next((route.partitions for route in routes if route.partitions), topics.partitions),
        next((route.replication_factor for route in routes if route.replication_factor), topics.replication_factor),
        None if seconds is None else int(seconds * 1000),
    )


def _extras(headers: bytes) -> Extras:
    """What an entry's headers say about the trace and about replaying. Most say nothing: then they aren't parsed."""
    if _TRACE_MARK not in headers and _REPLAY_MARK not in headers:
        return _NO_EXTRAS
    fields = dead_letter.header_fields(headers)
    replayed, _, word = str(fields.get(REPLAY_FIELD, "")).partition(" ")
    if not (replayed.isdecimal() and replayed.isascii()):
        return Extras(trace_headers(fields))
    marked = (*trace_headers(fields), ("treble_replay", replayed.encode()))
    return Extras(marked, word == "again", utc_ms(str(fields.get(RECEIVED_FIELD, ""))))
