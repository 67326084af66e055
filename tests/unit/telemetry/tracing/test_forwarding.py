"""The spans of a batch: which entries have one, what became of them, and what a transaction that failed leaves."""

import orjson
import pytest

from bridge.model import Entry, Prepared, Record
from bridge.telemetry.tracing.context import LINKS_MAX, Span, parse
from bridge.telemetry.tracing.forwarding import SLICE_SPANS, ForwardingTraces

TRACE, REQUEST = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
KEPT, NOT_KEPT = f"00-{TRACE}-{REQUEST}-01", f"00-{TRACE}-{REQUEST}-00"


def entry(entry_id: int, headers: bytes) -> Entry:
    return Entry(entry_id, 0, "treble", "read", headers, b"{}")


def traced(entry_id: int, traceparent: str = KEPT, **others: str) -> Entry:
    return entry(entry_id, orjson.dumps({"traceparent": traceparent, **others}))


def prepared(entry_id: int, outcome: str = "forwarded", reason: str = "") -> Prepared:
    record = Record("t.read", b"k", b'{"id": "e-1"}', (("ce_id", b"e-%d" % entry_id),), 0)
    return Prepared(
        entry_id, 0, "message.read", "t.read", None if outcome == "dropped" else record, None, outcome, reason
    )


def test_only_entries_whose_trace_is_kept_are_taken_up_and_the_others_stay_as_they_are() -> None:
    entries = [
        entry(1, b""),
        traced(2, NOT_KEPT),
        entry(3, orjson.dumps({"user-agent": "x", "traceparent": NOT_KEPT})),
        entry(4, b'{"traceparent":'),
        entry(5, b'["traceparent"]'),
        traced(6, "nonsense"),
    ]
    taken, flight = ForwardingTraces(lambda span: None, transactions=True).take_up(entries)
    assert (taken, flight) == (entries, None)


@pytest.mark.parametrize("headers", [{"traceparent": KEPT, "a": "1"}, {"a": "1", "traceparent": KEPT}])
async def test_the_record_is_to_name_the_events_span_whoever_kept_the_entry(headers: dict[str, str]) -> None:
    """The second is one that was stored while traces were off: its parent is the caller's span."""
    spans: list[Span] = []
    entries = [entry(7, orjson.dumps(headers))]
    (taken,), flight = ForwardingTraces(spans.append, transactions=True).take_up(entries)
    assert flight is not None
    told = orjson.loads(taken.headers)
    await flight.tell([prepared(7)], [])
    (span,) = spans
    assert told == {"a": "1", "traceparent": span.context.header}
    assert span.parent == parse(KEPT)
    assert span.parent_is_remote, "perhaps an earlier process made it"


async def test_each_entry_says_what_became_of_it() -> None:
    spans: list[Span] = []
    _, flight = ForwardingTraces(spans.append, transactions=False).take_up([traced(n) for n in range(1, 6)])
    assert flight is not None
    out = [prepared(1), prepared(2, "quarantined", "invalid"), prepared(3, "dropped"), prepared(4, "duplicate")]
    placed = flight.departs()
    placed(3, 100, [2, 1])
    flight.ended([item for item in out if item.record], "committed")
    await flight.tell(out, [prepared(5)])
    batch, *events = spans
    assert (batch.name, batch.kind, len(batch.links)) == ("kafka batch", "client", 3)
    said = {span.attributes["treble_bridge.entry.id"]: (span.name, span.kind) for span in events}
    assert said == {
        1: ("send t.read", "producer"),
        2: ("send t.read", "producer"),
        3: ("dropped message.read", "internal"),
        4: ("send t.read", "producer"),
        5: ("duplicate message.read", "internal"),
    }
    outcomes = [span.attributes["treble_bridge.outcome"] for span in events]
    assert outcomes == ["forwarded", "quarantined", "dropped", "duplicate", "duplicate"]
    places = [
        (span.attributes.get("messaging.kafka.offset"), span.attributes.get("messaging.message.id")) for span in events
    ]
    assert places == [(101, "e-1"), (100, "e-2"), (None, None), (None, "e-4"), (None, None)]


@pytest.mark.parametrize(("outcome", "names"), [("aborted", []), ("unclear", ["send t.read"])])
def test_a_try_that_failed_leaves_its_transaction_and_the_events_only_where_it_is_unclear(
    outcome: str, names: list[str]
) -> None:
    spans: list[Span] = []
    (taken,), flight = ForwardingTraces(spans.append, transactions=True).take_up([traced(1)])
    assert flight is not None
    flight.departs()
    flight.ended([prepared(1)], "aborted" if outcome == "aborted" else "unclear", "timeout")
    transaction, *events = spans
    assert (transaction.name, transaction.error) == ("kafka transaction", "timeout")
    assert [(span.name, span.error) for span in events] == [(name, "timeout") for name in names]
    mine = parse(orjson.loads(taken.headers)["traceparent"])
    assert list(transaction.links) == [parse(KEPT) if outcome == "aborted" else mine]


async def test_a_large_batch_has_bounded_links_and_all_its_spans() -> None:
    spans: list[Span] = []
    count = LINKS_MAX + SLICE_SPANS * 2
    _, flight = ForwardingTraces(spans.append, transactions=True).take_up([traced(n) for n in range(count)])
    assert flight is not None
    out = [prepared(n) for n in range(count)]
    flight.ended(out, "committed")
    await flight.tell(out, [])
    transaction, *events = spans
    assert (len(transaction.links), transaction.attributes["messaging.batch.message_count"]) == (LINKS_MAX, count)
    assert len({span.context for span in events}) == count
