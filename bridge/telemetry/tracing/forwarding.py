"""The spans of a batch: one for each event, from when it is taken up to Kafka's commit, and one for the transaction.

An event's span is a child of its request's, by what the journal keeps; its record names it as the parent of whatever
consumers do. A try that Kafka has not taken leaves the transaction's span only; one whose outcome is unclear leaves
all, since a consumer may have seen the records.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

import orjson

from bridge.model import Entry, Prepared, Record
from bridge.telemetry.tracing.context import LINKS_MAX, Emit, Span, TraceContext, new_span_id, new_trace, parse

SLICE_SPANS: Final = 50
"""Spans made before the event loop gets a turn: about half a millisecond."""
_EVENT_ID_CHARS_MAX: Final = 128
_MARK: Final = b"traceparent"
_OURS: Final = b'{"traceparent":"00-'  # how the ingress begins what it keeps
_OURS_NOT_SAMPLED: Final = b'-00"'
_OURS_FLAGS: Final = slice(68, 72)

Outcome = Literal["committed", "aborted", "unclear"]


class _Sending(NamedTuple):
    """One entry whose trace is kept."""

    source: str
    parent: TraceContext
    context: TraceContext
    state: str | None


class Flight:
    """One batch under way, and those of its entries whose traces are kept."""

    __slots__ = ("_emit", "_name", "_places", "_sendings", "_sent_ns", "_taken_ns")

    def __init__(self, sendings: dict[int, _Sending], emit: Emit, name: str) -> None:
        self._sendings = sendings
        self._emit = emit
        self._name = name
        self._taken_ns = self._sent_ns = time.time_ns()
        self._places: dict[int, tuple[int, int]] = {}

    def departs(self) -> Callable[[int, int, Sequence[int]], None]:
        """The records go to Kafka now. Returns what wants to be told where they are."""
        self._sent_ns = time.time_ns()
        return self._placed

    def _placed(self, partition: int, first_offset: int, entry_ids: Sequence[int]) -> None:
        """The records of these entries are in a partition, from an offset on."""
        sendings = self._sendings
        for offset, entry_id in enumerate(entry_ids, first_offset):
            if entry_id in sendings:
                self._places[entry_id] = (partition, offset)

    def ended(self, records: Sequence[Prepared], outcome: Outcome, error: str = "") -> None:
        """Kafka has spoken, or not. `error` is a bounded word for what was wrong."""
        kept = [self._sendings[item.entry_id] for item in records if item.entry_id in self._sendings]
        if not kept:
            return
        end_ns = time.time_ns()
        attributes: dict[str, Any] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "commit" if self._name == "kafka transaction" else "send",
            "messaging.operation.type": "send",
            "messaging.batch.message_count": len(records),
            "treble_bridge.outcome": outcome,
        }
        if error:
            attributes["error.type"] = error
        # What Kafka did not take has no span of its own: then the requests' are the nearest.
        links = [sending.parent if outcome == "aborted" else sending.context for sending in kept[:LINKS_MAX]]
        context = TraceContext(*new_trace(), "01")
        self._emit(
            Span(self._name, "client", context, None, self._sent_ns, end_ns, attributes, links=links, error=error)
        )
        if outcome == "unclear":
            for item in [item for item in records if item.entry_id in self._sendings]:
                self._tell(item, item.outcome, item.record, end_ns, error)
        self._sent_ns = end_ns

    async def tell(self, out: Iterable[Prepared], duplicates: Iterable[Prepared]) -> None:
        """The batch is done: a span for each entry that goes no further."""
        done = [(item, item.outcome, item.record) for item in out]
        done += [(item, "duplicate", None) for item in duplicates]
        kept = [one for one in done if one[0].entry_id in self._sendings]
        for start in range(0, len(kept), SLICE_SPANS):
            if start:
                await asyncio.sleep(0)
            for item, outcome, record in kept[start : start + SLICE_SPANS]:
                self._tell(item, outcome, record, self._sent_ns, "")

    def _tell(self, item: Prepared, outcome: str, record: Record | None, end_ns: int, error: str) -> None:
        sending = self._sendings[item.entry_id]
        attributes: dict[str, Any] = {
            "treble_bridge.source": sending.source,
            "treble_bridge.entry.id": item.entry_id,
            "treble_bridge.event.type": item.event_type,
            "treble_bridge.outcome": outcome,
        }
        if item.reason:
            attributes["treble_bridge.quarantine.reason"] = item.reason
        if error:
            attributes["error.type"] = error
        if record is not None:
            attributes |= self._messaging(item.entry_id, record)
        self._emit(
            Span(
                f"send {record.topic}" if record is not None else f"{outcome} {item.event_type}",
                "producer" if record is not None else "internal",
                sending.context,
                sending.parent,
                self._taken_ns,
                max(end_ns, self._taken_ns),
                attributes,
                True,
                sending.state,
                error=error,
            )
        )

    def _messaging(self, entry_id: int, record: Record) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": record.topic,
            "messaging.message.id": event_id(record)[:_EVENT_ID_CHARS_MAX],
        }
        if (place := self._places.get(entry_id)) is not None:
            attributes["messaging.destination.partition.id"] = str(place[0])
            attributes["messaging.kafka.offset"] = place[1]
        return attributes


class ForwardingTraces:
    """Takes up entries whose traces are kept."""

    def __init__(self, emit: Emit, *, transactions: bool) -> None:
        self._emit = emit
        self._name = "kafka transaction" if transactions else "kafka batch"

    def take_up(self, entries: Sequence[Entry]) -> tuple[list[Entry], Flight | None]:
        """The entries with what their records have to say of the trace, and the flight; None where no trace is kept."""
        taken, sendings = list(entries), {}
        for index, entry in enumerate(taken):
            headers = entry.headers
            if headers[_OURS_FLAGS] == _OURS_NOT_SAMPLED and headers.startswith(_OURS):
                continue
            if _MARK not in headers:
                continue
            kept = _fields(headers)
            parent = parse(str(kept.get("traceparent")))
            if parent is None or not parent.sampled:
                continue
            context = parent.child(new_span_id())
            state = kept.get("tracestate")
            sendings[entry.id] = _Sending(entry.source, parent, context, state if isinstance(state, str) else None)
            kept["traceparent"] = context.header
            taken[index] = entry._replace(headers=orjson.dumps(kept))
        return taken, Flight(sendings, self._emit, self._name) if sendings else None


def event_id(record: Record) -> str:
    """The event's id: from the record's headers, else from its value."""
    for name, value in record.headers:
        if name == "ce_id":
            return value.decode()
    return str(orjson.loads(record.value).get("id", ""))


def _fields(headers: bytes) -> dict[str, Any]:
    try:
        kept = orjson.loads(headers)
    except orjson.JSONDecodeError:
        return {}
    return kept if isinstance(kept, dict) else {}
