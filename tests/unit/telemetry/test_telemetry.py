"""One event, one call: its counter moves and its line is written, no oftener than it helps."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import bridge
from bridge.model import JournalUsage, PinnedEntries, Prepared
from bridge.telemetry import Telemetry
from bridge.telemetry.log_events import EVENTS
from observability.metrics_page import metrics


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.metrics.registry.get_sample_value(name, labels)


def prepared(outcome: str = "forwarded", reason: str = "", notes: tuple[str, ...] = ()) -> Prepared:
    return Prepared(1, 10_000, "message.read", "t", None, None, outcome, reason, notes)


def test_a_request_is_counted_by_source_and_outcome_and_timed() -> None:
    telemetry = Telemetry()
    telemetry.request_answered("treble", "accepted", 0.003)
    telemetry.request_answered("treble", "unauthorized")
    assert value(telemetry, "treble_bridge_requests_total", source="treble", outcome="accepted") == 1
    assert value(telemetry, "treble_bridge_acknowledgement_seconds_bucket", le="0.005") == 1
    assert value(telemetry, "treble_bridge_acknowledgement_seconds_bucket", le="0.0025") == 0
    assert value(telemetry, "treble_bridge_acknowledgement_seconds_count") == 1
    assert value(telemetry, "treble_bridge_acknowledgement_seconds_sum") == pytest.approx(0.003)


def test_a_batch_counts_each_event_its_age_its_quarantine_and_its_duplicates() -> None:
    telemetry = Telemetry()
    with capture_logs() as lines:
        telemetry.batch_forwarded(
            [prepared(), prepared(), prepared("quarantined", "not_json")], [prepared()], now_ms=12_000
        )
    assert value(telemetry, "treble_bridge_events_total", type="message.read", outcome="forwarded") == 2
    assert value(telemetry, "treble_bridge_events_total", type="message.read", outcome="quarantined") == 1
    assert value(telemetry, "treble_bridge_events_total", type="message.read", outcome="duplicate") == 1
    assert value(telemetry, "treble_bridge_quarantined_total", reason="not_json") == 1
    assert value(telemetry, "treble_bridge_end_to_end_seconds_sum") == pytest.approx(6)
    assert [line["event"] for line in lines] == ["entry.quarantined"]


def test_a_clock_that_went_back_makes_no_negative_age() -> None:
    telemetry = Telemetry()
    telemetry.batch_forwarded([prepared()], [], now_ms=0)
    assert value(telemetry, "treble_bridge_end_to_end_seconds_sum") == 0


def test_drift_is_counted_each_time_and_said_once_a_kind() -> None:
    telemetry = Telemetry()
    with capture_logs() as lines:
        for field in ("a", "b"):
            telemetry.batch_forwarded([prepared(notes=(f"unknown_field:{field}",))], [], now_ms=0)
    assert value(telemetry, "treble_bridge_schema_drift_total", type="message.read", kind="unknown_field") == 2
    assert len(lines) == 1


def test_notes_that_are_not_bounded_do_not_grow_the_metrics_without_end() -> None:
    telemetry = Telemetry()
    for number in range(1000):
        telemetry.drifted("message.read", [f"note {number}"])
    assert value(telemetry, "treble_bridge_schema_drift_total", type="other", kind="other") == 800


def test_a_paused_topic_is_said_once_shown_with_its_cause_and_gone_when_it_moves() -> None:
    telemetry = Telemetry()
    with capture_logs() as lines:
        telemetry.topic_paused("t", "missing")
        telemetry.topic_paused("t", "missing")
        telemetry.topic_paused("t", "unauthorized")
        assert value(telemetry, "treble_bridge_topic_paused", topic="t", state="missing") is None
        assert value(telemetry, "treble_bridge_topic_paused", topic="t", state="unauthorized") == 1
        telemetry.topic_resumed("t")
        telemetry.topic_resumed("t")
    assert value(telemetry, "treble_bridge_topic_paused", topic="t", state="unauthorized") is None
    assert [line["event"] for line in lines] == ["topic.paused", "topic.paused", "topic.resumed"]


def test_a_storm_of_wrong_tokens_is_counted_and_said_once() -> None:
    telemetry = Telemetry()
    with capture_logs() as lines:
        for _ in range(500):
            telemetry.unauthorized("treble", "missing", "10.0.0.1")
    assert value(telemetry, "treble_bridge_unauthorized_total", source="treble", reason="missing") == 500
    assert len(lines) == 1


def test_the_age_of_the_oldest_pending_entry_is_that_of_the_scrape() -> None:
    telemetry = Telemetry()
    now_ms = 5_000
    usage = JournalUsage(10, 3, 100, 1000, 1_000, {"t": 2}, PinnedEntries(4, 50), 0.1, "ok")
    telemetry.metrics.watch_journal(lambda: usage, lambda: now_ms)
    assert value(telemetry, "treble_bridge_journal_oldest_pending_seconds") == 4
    now_ms = 9_000
    assert value(telemetry, "treble_bridge_journal_oldest_pending_seconds") == 8
    assert value(telemetry, "treble_bridge_topic_deferred_entries", topic="t") == 2
    assert value(telemetry, "treble_bridge_journal_pinned_entries") == 4
    assert value(telemetry, "treble_bridge_journal_pinned_bytes") == 50


def test_both_text_formats_can_be_made_from_all_metrics() -> None:
    telemetry = Telemetry()
    telemetry.credential_matched("treble", 0, 1)
    plain, plain_type = telemetry.metrics.exposition("")
    assert b'alternative="0",generation="1"' in plain
    assert plain_type.startswith("text/plain")
    openmetrics, openmetrics_type = telemetry.metrics.exposition("application/openmetrics-text; version=1.0.0")
    assert openmetrics.endswith(b"# EOF\n")
    assert openmetrics_type.startswith("application/openmetrics-text")


def test_every_metric_says_what_it_means_and_has_no_label_that_could_grow() -> None:
    allowed = {
        *("source", "outcome", "reason", "alternative", "generation", "type", "kind", "topic", "state", "cause"),
        *("version", "use"),
    }
    for name, metric in metrics().items():
        assert metric.meaning.endswith("."), name
        assert set(metric.labels) <= allowed, name


def _logged_names() -> Iterator[str]:
    speaking = {"debug", "info", "warning", "error", "once", "throttled", "log"}
    for path in Path(bridge.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _called(node.func) in speaking and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and "." in first.value:
                    yield first.value


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def test_every_logged_event_is_explained_and_every_explained_one_is_logged() -> None:
    assert set(_logged_names()) == set(EVENTS)


def test_a_full_journal_is_an_error_a_nearly_full_one_a_warning() -> None:
    with capture_logs() as lines:
        for state in ("nearly_full", "full", "nearly_full", "ok"):
            Telemetry().journal_filled(JournalUsage(10, 3, 100, 100, 1_000, {}, PinnedEntries(0, 0), 1.0, state))
    assert [(line["state"], line["log_level"]) for line in lines] == [
        ("nearly_full", "warning"),
        ("full", "error"),
        ("nearly_full", "warning"),
        ("ok", "info"),
    ]
