"""What was not understood, or not taken by Kafka, as a record of the quarantine topic: the reason and the raw bytes.

The value is JSON:

    {"id": …, "reason": one of REASONS, "problems": [{"pointer": JSON pointer, "message": …}], "event_type": … if known,
     "journal_id": …, "entry_id": …, "received_at": …, "source": …, "hint": …, "headers": {…},
     "raw": text or base64, "raw_encoding": "utf-8" | "base64", "raw_bytes": size of the body, "truncated": bool,
     "bridge": version}

A record that would be too large for Kafka carries the body's first bytes; the journal then keeps the whole entry.
Where the configuration says that bodies may not be stored, `raw` is empty; the journal then keeps the entry as any.
"""

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from bridge.catalogue.times import utc_text
from bridge.model import Entry, Problem, Record
from bridge.version import VERSION

REASONS = ("not_json", "not_object", "unclassified", "invalid", "refused_by_kafka", "internal_error")

VALUE_BYTES_MAX = 900_000
"""Below what a broker takes by default (message.max.bytes, 1048588), with room for key, headers and the batch."""

_MESSAGES_CHARACTERS_MAX = 500


def body_id(source: str, body: bytes) -> str:
    """The id of what has no event id: the same body from the same source has the same one."""
    return hashlib.sha256(b"%b\0%b" % (source.encode(), body)).hexdigest()


def record(
    entry: Entry,
    reason: str,
    problems: tuple[Problem, ...],
    *,
    topic: str,
    journal_id: str,
    event_id: str = "",
    event_type: str | None = None,
    extra: tuple[tuple[str, bytes], ...] = (),
    value_bytes_max: int = VALUE_BYTES_MAX,
    with_raw: bool = True,
) -> tuple[Record, bool]:
    """The record of an entry that is no event, and whether the body in it is cut.

    `event_id` is its id and key; without one, a hash of the body is. Without `with_raw` it says nothing of the body but
    its size, and nothing counts as cut.
    """
    key = event_id or body_id(entry.source, entry.body)
    head: dict[str, Any] = {
        "id": key,
        "reason": reason,
        "problems": [
            {"pointer": problem.pointer, "message": problem.message[:_MESSAGES_CHARACTERS_MAX]} for problem in problems
        ],
    }
    if event_type is not None:
        head["event_type"] = event_type
    head |= {
        "journal_id": journal_id,
        "entry_id": entry.id,
        "received_at": utc_text(entry.received_at_ms),
        "source": entry.source,
        "hint": entry.hint,
        "bridge": VERSION,
    }
    if fields := header_fields(entry.headers):
        head["headers"] = fields
    if with_raw:
        value, truncated = _fitting(head, entry.body, value_bytes_max)
    else:
        value, truncated = _value(head, entry.body, 0), False
    headers = (("content-type", b"application/json"), ("treble_reason", reason.encode()), *extra)
    return Record(topic, key.encode(), value, headers, entry.received_at_ms), truncated


@dataclass(frozen=True, slots=True, repr=False)  # it holds what people said
class Returned:
    """A record read back: the entry that it was made of, and what was said of it then.

    `complete` is False where the record holds less than the body: there is nothing to try again with. `bridge` is the
    version that made it, "" before versions were noted.
    """

    id: str
    entry: Entry
    reason: str
    problems: tuple[Problem, ...]
    event_type: str | None
    journal_id: str
    raw_bytes: int
    complete: bool
    bridge: str


def read_back(value: bytes) -> Returned:
    """The record whose value this is. Raises ValueError, without what stands in it, for what is none."""
    try:
        held = orjson.loads(value)
        raw = base64.b64decode(held["raw"]) if held["raw_encoding"] == "base64" else held["raw"].encode()
        received_at = dt.datetime.fromisoformat(held["received_at"])
        entry = Entry(
            int(held["entry_id"]),
            round(received_at.timestamp() * 1000),
            str(held["source"]),
            str(held["hint"]),
            orjson.dumps(held["headers"]) if "headers" in held else b"",
            raw,
        )
        return Returned(
            str(held["id"]),
            entry,
            str(held["reason"]),
            tuple(Problem(str(one["pointer"]), str(one["message"])) for one in held["problems"]),
            held.get("event_type"),
            str(held["journal_id"]),
            int(held["raw_bytes"]),
            not held["truncated"] and len(raw) == int(held["raw_bytes"]),
            str(held.get("bridge", "")),
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError("no record of the quarantine topic") from error


def header_fields(headers: bytes) -> dict[str, Any]:
    """The request headers that an entry kept; empty where there are none, or what is there is no JSON object."""
    try:
        fields = orjson.loads(headers) if headers else {}
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _fitting(head: dict[str, Any], body: bytes, value_bytes_max: int) -> tuple[bytes, bool]:
    """The value with as much of the body as fits. Escapes may make a body six times as long, so size is measured."""
    keep = len(body)
    while True:
        value = _value(head, body, keep)
        if len(value) <= value_bytes_max or keep == 0:
            return value, keep < len(body)
        # At least a tenth less each time: a handful of rounds.
        keep = min(keep * value_bytes_max // len(value), keep * 9 // 10)


def _value(head: dict[str, Any], body: bytes, keep: int) -> bytes:
    raw, encoding = _raw(body[:keep], cut=keep < len(body))
    return orjson.dumps(
        {**head, "raw": raw, "raw_encoding": encoding, "raw_bytes": len(body), "truncated": keep < len(body)}
    )


def _raw(part: bytes, *, cut: bool) -> tuple[str, str]:
    try:
        return part.decode(), "utf-8"
    except UnicodeDecodeError as error:
        if cut and len(part) - error.start < 4:  # the cut went through a character: leave its first bytes out
            return part[: error.start].decode(), "utf-8"
        return base64.b64encode(part).decode(), "base64"
