"""An entry made ready for forwarding: normalize → route → envelope → record, or a record of the quarantine topic.

Pure, and never fails: whatever an entry holds, it leaves as an event, as a quarantine record, or (by configuration) not
at all. Routes are resolved once per configuration.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bridge import quarantine
from bridge.catalogue import TABLE
from bridge.catalogue.classify import Classification
from bridge.envelope import Encoder, Headers, trace_headers
from bridge.mapping import Mapper
from bridge.model import Entry, Event, Prepared, Problem, Rejected, TopicSpec
from bridge.normalize import examine
from bridge.privacy import Redaction
from bridge.semantic import Meaning
from bridge.settings.models import Route, Settings, Topics

UNCLASSIFIED = "unclassified"
"""The event type, in metrics, of what none could be found for."""

REPLAY_FIELD = "x-treble-bridge-replay"
"""Field of an entry's headers: the id of the entry that it copies, then ` again` to pass the window of duplicates."""

_HEADROOM_BYTES = 64 << 10  # of the topic's limit, for key, headers and the batch
_CUT_BYTES = (quarantine.VALUE_BYTES_MAX, 16_384)
"""How large a quarantine record may be that was refused once (what brokers take by default), and twice."""

_KEY_FALLBACKS = ("session", "phone", "event_id")
_KEY_KINDS = ("session", "phone", "template", "event_id")
_DUPLICATE = ("treble_duplicate", b"true")
_TRACE_MARK, _REPLAY_MARK = b"traceparent", REPLAY_FIELD.encode()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the events of one type go: the topic, and what the key is, the first of `key_kinds` that an event has.

    `redaction` hides what may not be stored there.
    """

    topic: str
    key_kinds: tuple[str, ...]
    drop: bool
    redaction: Redaction | None = None


class Extras(NamedTuple):
    """What an entry's headers add: record headers, the id of the entry that it replays, whether to send it anyway."""

    headers: Headers = ()
    again: bool = False


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
        self._mapped = settings.events.keys()
        self._mapper = Mapper(settings.events) if settings.events else None
        self._zones = {
            name: None if source.timezone == "UTC" else ZoneInfo(source.timezone)
            for name, source in settings.sources.items()
        }
        self.marks_duplicates = settings.duplicates.action == "mark"
        self.window_ms = int(settings.duplicates.window * 1000)
        self.semantic_ms: Mapping[str, int] = {
            name: int(seconds * 1000) for name, seconds in settings.duplicates.semantic_window.items()
        }
        self._meanings: Mapping[str, Meaning] = {name: Meaning(TABLE[name]) for name in self.semantic_ms}
        hidden = settings.privacy.of(self._quarantine)
        self._quarantines_raw = hidden is None or hidden.keeps_raw

    def zone(self, source: str) -> dt.tzinfo | None:
        """The zone of a source's times that have none; None is UTC, also for a source that is no longer configured."""
        return self._zones.get(source)

    def examine(self, entry: Entry) -> tuple[Classification, Event | Rejected]:
        """What the entry is, and what decided it. May raise: `prepare` doesn't."""
        return examine(entry, self._zones.get(entry.source), self._mapper)

    def prepare(self, entry: Entry) -> Prepared:
        """Make an entry ready. Never raises: what our own code can't handle goes to the quarantine as well."""
        try:
            return self._prepare(entry)
        except Exception as error:  # noqa: BLE001 - an entry that raises must not hold up all that follow it
            problem = Problem("", f"the bridge could not handle this body: {type(error).__name__}")
            return self._quarantined(entry, "internal_error", (problem,))

    def refused(self, entry: Entry, prepared: Prepared, message: str, *, times: int = 1) -> Prepared:
        """The quarantine record of an entry whose record Kafka refused so many `times`: smaller each time.

        The first refusal of an event is not that of a quarantine record, which may hold the whole body.
        """
        quarantined = prepared.outcome == "quarantined"
        return self._quarantined(
            entry,
            prepared.reason if quarantined else "refused_by_kafka",
            (Problem("", message),),
            prepared.event_type,
            cut=times if quarantined else times - 1,
        )

    def remark(self, prepared: Prepared) -> Prepared:
        """The same with a header that says it is a duplicate."""
        if prepared.record is None:
            return prepared
        headers = (*prepared.record.headers, _DUPLICATE)
        return prepared._replace(record=prepared.record._replace(headers=headers), outcome="duplicate", semantic=None)

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
        decided, result = examine(entry, self._zones.get(entry.source), self._mapper)
        if isinstance(result, Rejected):
            return self._quarantined(
                entry, result.reason, result.problems, decided.event_type, hint_conflict=decided.hint_conflict
            )
        destination = self.destinations[result.type]
        if destination.drop:
            return Prepared(
                entry.id,
                entry.received_at_ms,
                result.type,
                destination.topic,
                None,
                None,
                "dropped",
                notes=result.notes,
                hint_conflict=decided.hint_conflict,
            )
        extras = _extras(entry.headers) if entry.headers else _NO_EXTRAS
        shown = result
        if destination.redaction is not None:
            shown = destination.redaction.event(result, whole_body=result.type in self._mapped)
        record = self._encoder.record(shown, destination.topic, key_of(result, destination).encode(), extras.headers)
        return Prepared(
            entry.id,
            entry.received_at_ms,
            result.type,
            destination.topic,
            record,
            None if extras.again else identity(result),
            "forwarded",
            "",
            result.notes,
            decided.hint_conflict,
            False,
            self._said(result, extras) if self._meanings else None,
        )

    def _said(self, event: Event, extras: Extras) -> bytes | None:
        """What stands for the event's meaning, where it may be one more firing of another."""
        meaning = None if extras.again else self._meanings.get(event.type)
        return None if meaning is None else meaning.of(event)

    def _quarantined(
        self,
        entry: Entry,
        reason: str,
        problems: tuple[Problem, ...],
        event_type: str | None = None,
        *,
        hint_conflict: bool = False,
        cut: int = 0,
    ) -> Prepared:
        known = None if event_type == UNCLASSIFIED else event_type
        made = quarantine.record(
            entry,
            reason,
            problems,
            topic=self._quarantine,
            journal_id=self._journal_id,
            event_id=self._event_id(entry) if reason == "refused_by_kafka" else "",
            event_type=known,
            extra=_extras(entry.headers).headers if entry.headers else (),
            value_bytes_max=_CUT_BYTES[min(cut, len(_CUT_BYTES)) - 1] if cut else self._whole_bytes_max,
            with_raw=self._quarantines_raw,
        )
        return Prepared(
            entry.id,
            entry.received_at_ms,
            known or UNCLASSIFIED,
            self._quarantine,
            made.record,
            None,
            "quarantined",
            reason,
            (),
            hint_conflict,
            made.truncated,
        )

    def _event_id(self, entry: Entry) -> str:
        _, result = self.examine(entry)
        return result.id if isinstance(result, Event) else ""


def key_of(event: Event, destination: Destination) -> str:
    """The record's key: never empty, since every event has an id."""
    return key_kind_of(event, destination)[1]


def key_kind_of(event: Event, destination: Destination) -> tuple[str, str]:
    """What became the key, and its value."""
    for kind in destination.key_kinds:
        key = event.key_fields.get(kind)
        if key:
            return kind, key if destination.redaction is None else destination.redaction.key(kind, key)
    return "event_id", event.id


def key_kind_name(settings: Settings, event_type: str, kind: str) -> str:
    """What a key is, as the configuration calls it: for an event type of its own, the path into the body."""
    own = settings.events.get(event_type)
    return own.key if kind == "path" and own is not None and own.key else kind


def identity(event: Event) -> bytes:
    """What the window of duplicates remembers of an event: 16 bytes. Names hold no NUL, so no two texts are equal."""
    return hashlib.sha256(f"{event.source}\0{event.type}\0{event.id}".encode()).digest()[:16]


def _destination(settings: Settings, event_type: str) -> Destination:
    topics = settings.routing
    route = topics.map.get(event_type)
    own = settings.events.get(event_type)
    key = (own.key or "session") if own else TABLE[event_type].key
    kind = (route.key if isinstance(route, Route) else None) or (key if key in _KEY_KINDS else "path")
    kinds = (kind, *(fallback for fallback in _KEY_FALLBACKS if fallback != kind))
    topic = topics.topic_of(event_type)
    redaction = None if topic is None else Redaction.of(settings.privacy, topic)
    return Destination(topic or "", kinds, topic is None, redaction)


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
    fields = quarantine.header_fields(headers)
    replayed, _, word = str(fields.get(REPLAY_FIELD, "")).partition(" ")
    marks = (("treble_replay", replayed.encode()),) if replayed.isdecimal() and replayed.isascii() else ()
    return Extras((*trace_headers(fields), *marks), again=bool(marks) and word == "again")
