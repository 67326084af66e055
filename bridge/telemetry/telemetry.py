"""One event, one call: its counter and its log line leave together from here.

Callers say what happened in the words of the design; only this file knows metric names, log levels and event names.
What the names of log lines mean stands in `log_events.EVENTS`. What happens for each request or event counts and
doesn't log.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bridge.model import JournalUsage, Prepared
from bridge.telemetry.logs import RateLimitedLogger
from bridge.telemetry.metrics import Metrics
from bridge.version import VERSION

DRIFT_KINDS_MAX = 200


class Telemetry(RateLimitedLogger):
    """Counts and logs what happens in one process."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = Metrics()
        self.metrics.build.labels(VERSION).set(1)
        self._drift_kinds: set[tuple[str, str]] = set()
        self._paused: dict[str, str] = {}
        self._accepting = self._full = False

    # ingress

    def request_answered(self, source: str, outcome: str, seconds: float | None = None, **request: Any) -> None:
        """A request got its answer. `outcome` is a bounded word: accepted, not_json, unauthorized, too_large, …

        `seconds` (for those accepted) is from the request's head to its answer. Called for each request: 1 µs.
        `request` says more in the access log (method, path without secrets, remote); only passed when `verbose`.
        """
        self.metrics.requests.inc(source, outcome)
        if seconds is not None:
            self.metrics.ack_seconds.observe(seconds)
        if self.verbose:
            self.log.debug("request.answered", source=source, outcome=outcome, seconds=seconds, **request)

    def connections_open(self, count: int) -> None:
        self.metrics.connections.set(count)

    def counters_begin(self, sources: Iterable[str], reasons: Iterable[str], quarantines: Iterable[str]) -> None:
        """Show what alerts wait for with 0 from the start: its first one is a growth then. Counts stay as they are."""
        m, reasons = self.metrics, tuple(reasons)
        for outcome in ("too_many_connections", "not_found", "malformed", "proxy_protocol", "tls", "http2"):
            m.requests.begin("-", outcome)
        for source in sources:
            for outcome in ("accepted", "unauthorized", "not_accepted"):
                m.requests.begin(source, outcome)
            for reason in reasons:
                m.unauthorized.labels(source, reason)
        for reason in quarantines:
            m.quarantined.labels(reason)
        for outcome in ("committed", "aborted", "in_doubt"):
            m.transactions.labels(outcome)
        for outcome in ("applied", "unchanged", "refused"):
            m.reloads.labels(outcome)

    def unauthorized(self, source: str, reason: str, remote: str) -> None:
        """A request had no or wrong credentials; `reason` is a bounded word that never holds what was sent."""
        self.metrics.unauthorized.labels(source, reason).inc()
        self.throttled("request.unauthorized", source, reason, source=source, reason=reason, remote=remote)

    def credential_matched(self, source: str, alternative: int, generation: int) -> None:
        self.metrics.credentials.inc(source, alternative, generation)

    def credentials_end(self, ends: Mapping[tuple[str, int, int], float]) -> None:
        """(Source, alternative, generation) → when that value is no longer taken (UNIX time, seconds)."""
        self.metrics.credential_ends.clear()
        for key, end_s in ends.items():
            self.metrics.credential_ends.labels(*key).set(end_s)

    def not_accepted(self, source: str, reason: str) -> None:
        self.throttled("request.not_accepted", source, reason, source=source, reason=reason)

    def refused(self, source: str, reason: str, **request: Any) -> None:
        """Nothing of a request is kept, by a mistake that no other line tells of. `reason` is its outcome."""
        self.throttled("request.refused", source, reason, source=source, reason=reason, **request)

    def request_failed(self, source: str, error: BaseException) -> None:
        self.throttled("request.failed", type(error).__name__, level="error", source=source, exc_info=error)

    # journal

    def journal_opened(self, path: str, journal_id: str, usage: JournalUsage) -> None:
        self.log.info("journal.opened", path=path, journal_id=journal_id, entries=usage.entries, pending=usage.pending)

    def journal_committed(self, entries: int, seconds: float) -> None:
        self.metrics.commit_seconds.observe(seconds)
        self.metrics.commit_entries.observe(entries)

    def journal_filled(self, usage: JournalUsage) -> None:
        """The journal's fill crossed a mark."""
        state = usage.state
        log = {"ok": self.log.info, "full": self.log.error}.get(state, self.log.warning)
        log("journal.fill_changed", state=state, bytes=usage.bytes, bytes_max=usage.bytes_max, pending=usage.pending)
        self._full = state == "full"
        self._show_accepting()

    def journal_restored(self, error: BaseException) -> None:
        self.metrics.kafka_up.set(0)
        self.log.error("journal.restored", error=error)

    def journal_failed(self, error: BaseException) -> None:
        self.metrics.journal_failures.inc()
        self.log.error("journal.failed", error=error)

    def window_shortened(self, seconds: float) -> None:
        self.throttled("duplicates.window_shortened", seconds=round(seconds))

    # forwarding

    def batch_forwarded(self, batch: Iterable[Prepared], duplicates: Iterable[Prepared], now_ms: int) -> None:
        """A batch is committed on Kafka. Called with each event: 1 µs."""
        m = self.metrics
        count, observe = m.events.inc, m.end_to_end_seconds.observe
        for item in batch:
            count(item.event_type, item.outcome)
            observe(max(0, now_ms - item.received_at_ms) / 1000)
            if item.notes:
                self.drifted(item.event_type, item.notes)
            if item.outcome == "duplicate":
                m.duplicates.labels(item.event_type).inc()
            if item.outcome == "quarantined":
                m.quarantined.labels(item.reason).inc()
                self.throttled(
                    "entry.quarantined", item.reason, reason=item.reason, entry_id=item.entry_id, topic=item.topic
                )
        for item in duplicates:
            count(item.event_type, "duplicate")
            m.duplicates.labels(item.event_type).inc()

    def drifted(self, event_type: str, notes: Sequence[str]) -> None:
        """A body was taken although it is not quite what was expected. A note is a bounded word, or `word:detail`."""
        for note in notes:
            labels = (event_type, note.partition(":")[0])
            if labels not in self._drift_kinds and len(self._drift_kinds) >= DRIFT_KINDS_MAX:
                labels = ("other", "other")
            self._drift_kinds.add(labels)
            self.once("schema.drifted", *labels, type=event_type, note=note)
            self.metrics.drift.labels(*labels).inc()

    def hint_conflict(self, source: str, event_type: str, hint: str) -> None:
        self.metrics.hint_conflicts.labels(source, event_type).inc()
        self.once("hint.conflicts", source, event_type, source=source, type=event_type, hint=hint)

    def topic_paused(self, topic: str, state: str, message: str = "") -> None:
        """A topic can't take records; logged once for each `state` (see `TopicPausedError`)."""
        before = self._paused.get(topic)
        if before == state:
            return
        if before is not None:
            self.metrics.topic_paused.remove(topic, before)
        self._paused[topic] = state
        self.metrics.topic_paused.labels(topic, state).set(1)
        self.log.warning("topic.paused", topic=topic, state=state, reason=message)

    def topic_resumed(self, topic: str) -> None:
        state = self._paused.pop(topic, None)
        if state is not None:
            self.metrics.topic_paused.remove(topic, state)
            self.log.info("topic.resumed", topic=topic)

    def marker_missing(self, topic: str, entries: int) -> None:
        self.log.warning("transaction.marker_missing", topic=topic, entries=entries)

    def transaction(self, outcome: str) -> None:
        """A transaction ended: `outcome` is committed, aborted or in_doubt."""
        self.metrics.transactions.labels(outcome).inc()

    def kafka_connected(self, **fields: Any) -> None:
        self.metrics.kafka_up.set(1)
        self.log.info("kafka.connected", **fields)

    def caught_up(self, seconds: float) -> None:
        """Nothing is pending any more, `seconds` after a connection that began with a backlog."""
        self.log.info("forwarding.caught_up", seconds=round(seconds, 3))

    def kafka_lost(self, cause: str, error: BaseException) -> None:
        self.metrics.kafka_up.set(0)
        self.metrics.producer_rebuilds.labels(cause).inc()
        self.throttled("kafka.lost", cause, cause=cause, error=error)

    def forwarding_failed(self, error: BaseException) -> None:
        self.throttled("forwarding.failed", type(error).__name__, level="error", exc_info=error)

    def fenced(self, error: BaseException) -> None:
        self.metrics.kafka_up.set(0)
        self.log.error("kafka.fenced", error=error)

    def topics_differ(self, differences: Sequence[str]) -> None:
        self.log.error("topics.differ", differences=list(differences))

    def topics_checked(self, topics: int) -> None:
        self.log.info("topics.checked", topics=topics)

    def topics_unknown(self, error: BaseException) -> None:
        self.throttled("topics.unknown", type(error).__name__, error=error)

    # the process

    def service_started(self, **fields: Any) -> None:
        self.metrics.config_loaded.set_to_current_time()
        self.log.info("service.started", version=VERSION, **fields)

    def service_stopping(self, cause: str, **fields: Any) -> None:
        """The stop begins. `cause` is a signal's name, or what failed."""
        self.log.info("service.stopping", cause=cause, **fields)

    def shutdown_forced(self, cause: str) -> None:
        self.log.warning("shutdown.forced", cause=cause)

    def service_stopped(self, exit_code: int, pending: int | None, seconds: float) -> None:
        """The process ends; `pending` entries wait in the journal for the next start."""
        self.log.info("service.stopped", exit_code=exit_code, pending=pending, seconds=round(seconds, 3))

    def service_not_started(self, error: BaseException) -> None:
        self.log.error("service.not_started", error=error)

    def stage_ended(self, stage: str, error: BaseException) -> None:
        self.log.error("service.stage_ended", stage=stage, error=error)

    def service_failed(self, stage: str, error: BaseException) -> None:
        self.log.error("service.failed", stage=stage, exc_info=error)

    def stage_restarted(self, stage: str, error: BaseException) -> None:
        self.throttled("service.stage_restarted", stage, level="error", stage=stage, exc_info=error)

    def thread_failed(self, thread: str, error: BaseException) -> None:
        self.log.error("service.thread_failed", thread=thread, exc_info=error)

    def accepting_changed(self, accepting: bool, reason: str = "") -> None:
        """Webhooks are taken from now on, or answered 503 because of `reason`."""
        self._accepting = accepting
        self._show_accepting()
        if not accepting and reason:
            self.log.warning("service.not_accepting", reason=reason)

    def _show_accepting(self) -> None:
        self.metrics.accepting.set(self._accepting and not self._full)

    def loop_beat(self, lag_s: float, late_s: float = 1.0) -> None:
        """The loop turned, `lag_s` later than it should; logged when that is over `late_s`."""
        self.metrics.loop_lag_seconds.set(lag_s)
        if lag_s > late_s:
            self.throttled("loop.late", lag_seconds=round(lag_s, 3))

    # draining a journal

    def drain_waiting(self, error: BaseException) -> None:
        self.throttled("drain.waiting", level="info", error=error)

    def drain_started(self, pending: int) -> None:
        self.log.info("drain.started", pending=pending)

    def drain_progress(self, done: int, left: int) -> None:
        self.log.info("drain.progress", done=done, left=left)

    def drain_ended(self, cause: str, **counts: Any) -> None:
        """The end. `cause` is empty, deadline or a signal's name."""
        self.log.info("drain.ended", cause=cause, **counts)

    # traces

    def tracing_started(self, collector: str, sample: float) -> None:
        self.log.info("tracing.started", collector=collector, sample=sample)

    def spans_exported(self, spans: int, *, taken: bool) -> None:
        """The collector took so many spans, or didn't, after some tries. Called from the exporter's thread."""
        self.metrics.trace_spans.labels("exported" if taken else "failed").inc(spans)

    def span_dropped(self) -> None:
        self.metrics.trace_spans.labels("dropped").inc()
        self.throttled("tracing.spans_dropped")

    # reload

    def config_reloaded(self, changed: Sequence[str], needs_restart: Sequence[str], config_hash: str) -> None:
        """A new configuration is in force. `needs_restart` names what of it is not, until the next start."""
        self._reloaded("applied")
        self.metrics.keys_awaiting_restart.set(len(needs_restart))
        self.log.info("config.reloaded", changed=list(changed), config_hash=config_hash)
        if needs_restart:
            self.log.warning("config.needs_restart", keys=list(needs_restart))

    def config_unchanged(self) -> None:
        self._reloaded("unchanged")
        self.log.info("config.unchanged")

    def _reloaded(self, outcome: str) -> None:
        self.metrics.reloads.labels(outcome).inc()
        self.metrics.reload_failed.set(0)
        self.metrics.config_loaded.set_to_current_time()

    def config_refused(self, error: BaseException, problems: Sequence[str] = ()) -> None:
        """The file is wrong, by so many `problems` of a line each; the configuration in force stays."""
        self.metrics.reloads.labels("refused").inc()
        self.metrics.reload_failed.set(1)
        self.log.error("config.refused", error=error, problems=list(problems) or [str(error)])

    def config_warning(self, warning: str) -> None:
        self.log.warning("config.warning", warning=warning)

    def certificate_ends(self, use: str, end_s: float | None) -> None:
        """The certificate for `use` (ingress, kafka) is over at `end_s` (UNIX seconds); None where that isn't known."""
        if end_s is None:
            with contextlib.suppress(KeyError):
                self.metrics.certificate_ends.remove(use)
        else:
            self.metrics.certificate_ends.labels(use).set(end_s)

    def certificate_changed(self, path: str, error: BaseException | None = None) -> None:
        """A TLS file changed and is in force from now on; or could not be read, and the old one stays."""
        if error is None:
            self.log.info("tls.certificate_changed", path=path)
        else:
            self.log.error("tls.certificate_refused", path=path, error=error)
