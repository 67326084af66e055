"""An event → a Kafka record: the envelope as JSON, and CloudEvents 1.0 in the form that the configuration asks for.

- `cloudevents-binary`: the value is the envelope, the attributes are headers `ce_…` (CloudEvents Kafka binding, 3.2).
- `cloudevents-structured`: the value is a CloudEvent in JSON with the envelope as its `data` (binding, 3.3).
- `plain`: the value is the envelope, the only header of ours is `content-type`.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import orjson

from bridge.catalogue.definition import SCHEMA_VERSION
from bridge.catalogue.numbers import as_sent
from bridge.catalogue.table import TABLE
from bridge.catalogue.times import utc_text
from bridge.model import Contact, Event, Record

Format = Literal["cloudevents-binary", "cloudevents-structured", "plain"]
Header = tuple[str, bytes]
Headers = tuple[Header, ...]

JSON = "application/json"
CLOUDEVENT_JSON = "application/cloudevents+json; charset=utf-8"

_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", JSON.encode())
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII
)
_TRACESTATE_CHARACTERS_MAX = 512


def ce_type(event_type: str) -> str:
    """The CloudEvents type: `message.read` → `ai.treble.message.read.v1`."""
    return f"ai.treble.{event_type}.v{SCHEMA_VERSION}"


def schema_uri(event_type: str) -> str:
    """The name of the schema that the envelope of a type follows."""
    return f"urn:treble-bridge:schema:{event_type}:v{SCHEMA_VERSION}"


def trace_headers(request_headers: Mapping[str, Any]) -> Headers:
    """The trace that the request belongs to (W3C Trace Context), as record headers; nothing where it is not valid."""
    parent, state = request_headers.get("traceparent"), request_headers.get("tracestate")
    if not isinstance(parent, str) or not _TRACEPARENT.fullmatch(parent):
        return ()
    headers = (("traceparent", parent.encode()),)
    if not isinstance(state, str) or not 0 < len(state) <= _TRACESTATE_CHARACTERS_MAX:
        return headers
    return (*headers, ("tracestate", state.encode())) if state.isascii() and state.isprintable() else headers


def envelope(event: Event) -> dict[str, Any]:
    """What consumers read, in the order that they see. What is absent has no key."""
    out: dict[str, Any] = {
        "id": event.id,
        "type": event.type,
        "schema_version": SCHEMA_VERSION,
        "source": event.source,
        "occurred_at": event.occurred_at,
        "received_at": utc_text(event.received_at_ms),
    }
    if event.contact is not None:
        out["contact"] = _contact(event.contact)
    if event.session_id is not None:
        out["session_id"] = event.session_id
    if event.flow_id is not None:
        out["flow_id"] = event.flow_id
    if event.session_keys is not None:
        out["session_keys"] = event.session_keys
    out["data"] = event.data
    if event.notes:
        out["notes"] = event.notes
    if event.raw:
        out["raw"] = orjson.Fragment(event.raw)
    return out


def _contact(contact: Contact) -> dict[str, Any]:
    return {name: part for name, part in zip(contact._fields, contact, strict=True) if part}


class Encoder:
    def __init__(self, record_format: Format) -> None:
        self._structured = record_format == "cloudevents-structured"
        self._binary = record_format == "cloudevents-binary"
        # One row per source and event type, so it is bounded by the configuration and the table.
        self._static: dict[tuple[str, str], tuple[Header, Header, Headers]] = {}

    def record(self, event: Event, topic: str, key: bytes, extra: Headers = ()) -> Record:
        """The record of an event. `extra` are further headers: the trace, marks of the bridge."""
        if self._structured:
            value, headers = self._as_cloudevent(event, extra), (("content-type", CLOUDEVENT_JSON.encode()), *extra)
        else:
            value = orjson.dumps(envelope(event), default=as_sent)
            headers = (*self._attributes(event), *extra) if self._binary else (_CONTENT_TYPE, *extra)
        return Record(topic, key, value, headers, event.received_at_ms)

    def _attributes(self, event: Event) -> Headers:
        static = self._static.get((event.source, event.type))
        if static is None:
            schema = (("ce_dataschema", schema_uri(event.type).encode()),) if event.type in TABLE else ()
            static = self._static[event.source, event.type] = (
                ("ce_type", ce_type(event.type).encode()),
                ("ce_source", f"/treble/{quote(event.source, safe='')}".encode()),
                (*schema, _CONTENT_TYPE),
            )
        kind, source, rest = static
        subject = event.session_id
        head = (_SPECVERSION, ("ce_id", event.id.encode()), kind, source, ("ce_time", event.occurred_at.encode()))
        if subject is None:
            return (*head, *rest)
        if not subject.isprintable():  # an attribute may hold no control characters
            subject = quote(subject, safe="")
        return (*head, ("ce_subject", subject.encode()), *rest)

    def _as_cloudevent(self, event: Event, extra: Headers) -> bytes:
        named = ((name.removeprefix("ce_"), value.decode()) for name, value in self._attributes(event))
        out: dict[str, Any] = {"datacontenttype" if name == "content-type" else name: text for name, text in named}
        out |= {name: value.decode() for name, value in extra if name in ("traceparent", "tracestate")}
        out["data"] = envelope(event)
        return orjson.dumps(out, default=as_sent)
