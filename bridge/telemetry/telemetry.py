"""One happening, one call: the counter and the log line of the same event leave together from here.

Callers say what happened in the words of the design; only this file knows metric names, log levels and event names.
What happens for each request or event counts and doesn't log. The names of log lines are explained in `events.EVENTS`.

How a happening is said: always, once, or once in a while.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import structlog

from bridge.model import JournalUsage, Prepared
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.rate_limit import Sparing
from bridge.version import VERSION

Level = Literal["debug", "info", "warning", "error"]

REPEAT_EVERY_S = 30.0
KEYS_MAX = 10_000


class Voice:
    """The log of one process, and what it has said already. `monotonic` is in seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger("bridge")
        self.verbose = False
        """Whether level debug is on. What happens for each request asks this before it makes a line."""
        self._monotonic = monotonic
        self._once: set[tuple[str, ...]] = set()
        self._sparing = Sparing(REPEAT_EVERY_S)

    def once(self, event: str, *key: str, **fields: Any) -> None:
        """Log a warning the first time that (`event`, `key`) happens in this process."""
        if (event, *key) not in self._once and len(self._once) < KEYS_MAX:
            self._once.add((event, *key))
            self.log.warning(event, **fields)

    def once_a_while(self, event: str, *key: str, level: Level = "warning", **fields: Any) -> None:
        """Log what may repeat often: a line per (`event`, `key`) in 30 s at the most, with the count of the others."""
        held_back = self._sparing.admit((event, *key), self._monotonic())
        if held_back is None:
            return
        if held_back:
            fields["held_back"] = held_back
        getattr(self.log, level)(event, **fields)


DRIFT_KINDS_MAX = 200


class Telemetry(Voice):
    """Counts and logs what happens in one process."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = Metrics()
        self.metrics.build.labels(VERSION).set(1)
        self._drift_kinds: set[tuple[str, str]] = set()
        self._blocked: dict[str, str] = {}
        self._accepting = self._full = self._connected = False

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
        """So many connections are open on the ingress port."""
        self.metrics.connections.set(count)

    def counters_begin(self, sources: Iterable[str], refusals: Iterable[str], quarantines: Iterable[str]) -> None:
        """Show what alerts wait for with 0 from the start: its first one is a growth then. Counts stay as they are."""
        m, refusals = self.metrics, tuple(refusals)
        m.requests.begin("-", "too_many_connections")
        for source in sources:
            for outcome in ("accepted", "unauthorized", "not_accepted"):
                m.requests.begin(source, outcome)
            for reason in refusals:
                m.unauthorized.labels(source, reason)
        for reason in quarantines:
            m.quarantined.labels(reason)
        for outcome in ("committed", "aborted", "unclear"):
            m.transactions.labels(outcome)
        for outcome in ("applied", "unchanged", "refused"):
            m.reloads.labels(outcome)

    def unauthorized(self, source: str, reason: str, remote: str) -> None:
        """A request had no or wrong credentials; `reason` is a bounded word that never holds what was sent."""
        self.metrics.unauthorized.labels(source, reason).inc()
        self.once_a_while("request.unauthorized", source, reason, source=source, reason=reason, remote=remote)

    def credential_matched(self, source: str, alternative: int, generation: int) -> None:
        """Alternative number `alternative` held, with value number `generation` of its secret."""
        self.metrics.credentials.inc(source, alternative, generation)

    def credentials_end(self, ends: Mapping[tuple[str, int, int], float]) -> None:
        """(Source, alternative, generation) → when that value is no longer taken (UNIX time, seconds)."""
        self.metrics.credential_ends.clear()
        for key, end_s in ends.items():
            self.metrics.credential_ends.labels(*key).set(end_s)

    def not_accepted(self, source: str, reason: str) -> None:
        """The journal could not take a request: answered 503."""
        self.once_a_while("request.not_accepted", source, reason, source=source, reason=reason)

    def request_failed(self, source: str, error: BaseException) -> None:
        """A request met an error that nobody foresaw: answered 500 or 503; the log has the traceback."""
        self.once_a_while("request.failed", type(error).__name__, level="error", source=source, exc_info=error)

    # journal

    def journal_opened(self, path: str, journal_id: str, usage: JournalUsage) -> None:
        """The journal is open, and owned by this process."""
        self.log.info("journal.opened", path=path, journal_id=journal_id, entries=usage.entries, pending=usage.pending)

    def journal_committed(self, entries: int, seconds: float) -> None:
        """A commit, sync included, is done."""
        self.metrics.commit_seconds.observe(seconds)
        self.metrics.commit_entries.observe(entries)

    def journal_filled(self, state: str, usage: JournalUsage) -> None:
        """The journal's fill crossed a mark: `state` is ok, nearly_full or full."""
        say = self.log.info if state == "ok" else self.log.warning
        say("journal.fill_changed", state=state, bytes=usage.bytes, bytes_max=usage.bytes_max, pending=usage.pending)
        self._full = state == "full"
        self._show_accepting()

    def journal_renewed(self, old_id: str, new_id: str) -> None:
        """The journal is older than what Kafka knows of it, as a restored copy is: it goes on under a new id."""
        self.log.warning("journal.renewed", journal_id=new_id, former_id=old_id)

    def journal_failed(self, error: BaseException) -> None:
        """A commit or a sync failed: nothing of it is acknowledged, the process ends."""
        self.metrics.journal_failures.inc()
        self.log.error("journal.failed", error=error)

    def window_shortened(self, seconds: float) -> None:
        """Identities would take too much of the journal: only those of the last `seconds` are remembered."""
        self.once_a_while("duplicates.window_shortened", seconds=round(seconds))

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
                self.once_a_while(
                    "entry.quarantined", item.reason, reason=item.reason, entry_id=item.entry_id, topic=item.topic
                )
        for item in duplicates:
            count(item.event_type, "duplicate")
            m.duplicates.labels(item.event_type).inc()

    def drifted(self, event_type: str, notes: Sequence[str]) -> None:
        """A body was taken although it is not quite what was expected. A note is a bounded word, or `word:detail`."""
        for note in notes:
            labels = (event_type, note.partition(":")[0])
            if labels not in self._drift_kinds:
                if len(self._drift_kinds) >= DRIFT_KINDS_MAX:
                    labels = ("other", "other")
                self._drift_kinds.add(labels)
                self.once("schema.drifted", *labels, type=event_type, note=note)
            self.metrics.drift.labels(*labels).inc()

    def hint_conflict(self, source: str, event_type: str, hint: str) -> None:
        """A body's own evidence says `event_type`, its URL's hint says another."""
        self.metrics.hint_conflicts.labels(source, event_type).inc()
        self.once("hint.conflicts", source, event_type, source=source, type=event_type, hint=hint)

    def lane_blocked(self, topic: str, state: str, message: str = "") -> None:
        """A topic can't take records; said once for each `state` (see `LaneBlockedError`)."""
        before = self._blocked.get(topic)
        if before == state:
            return
        self._forget_lane(topic)
        self._blocked[topic] = state
        self.metrics.lane_blocked.labels(topic, state).set(1)
        self.log.warning("lane.blocked", topic=topic, state=state, reason=message)

    def lane_resumed(self, topic: str) -> None:
        """A topic takes records again, or nothing waits for it any more."""
        if self._forget_lane(topic):
            self.log.info("lane.resumed", topic=topic)

    def records_unended(self, topic: str, entries: int) -> None:
        """Records of so many entries have no end in a topic, though their transaction counts."""
        self.log.warning("records.unended", topic=topic, entries=entries)

    def lanes_blocked(self) -> Mapping[str, str]:
        """The topics whose lanes wait, with their state."""
        return dict(self._blocked)

    def _forget_lane(self, topic: str) -> bool:
        state = self._blocked.pop(topic, None)
        if state is None:
            return False
        self.metrics.lane_blocked.remove(topic, state)
        return True

    def transaction(self, outcome: str) -> None:
        """A transaction ended: `outcome` is committed, aborted or unclear."""
        self.metrics.transactions.labels(outcome).inc()

    def topic_is_missing(self) -> bool:
        """Whether a lane waits for its topic to be made, or the producer does not work, which may be for that."""
        return not self._connected or "missing" in self._blocked.values()

    def kafka_connected(self, **fields: Any) -> None:
        """The producer works, and the positions are known."""
        self._connected = True
        self.metrics.kafka_up.set(1)
        self.log.info("kafka.connected", **fields)

    def kafka_lost(self, cause: str, error: BaseException) -> None:
        """The producer can't go on; a new one is tried. `cause` is the error's `cause_label`."""
        self._connected = False
        self.metrics.kafka_up.set(0)
        self.metrics.producer_rebuilds.labels(cause).inc()
        self.once_a_while("kafka.lost", cause, cause=cause, error=error)

    def forwarding_failed(self, error: BaseException) -> None:
        """The forwarder met an error that nobody foresaw; it starts anew, the log has the traceback."""
        self.once_a_while("forwarding.failed", type(error).__name__, level="error", exc_info=error)

    def fenced(self, error: BaseException) -> None:
        """Another live process forwards this journal: this one stops."""
        self.metrics.kafka_up.set(0)
        self.log.error("kafka.fenced", error=error)

    def topics_differ(self, differences: Sequence[str]) -> None:
        """Topics are missing or not as configured; their lanes wait, or work on what is there."""
        self.log.error("topics.differ", differences=list(differences))

    def topics_checked(self, topics: int) -> None:
        """All topics are as configured."""
        self.log.info("topics.checked", topics=topics)

    def topics_unknown(self, error: BaseException) -> None:
        """Kafka could not say how its topics are; asked again later."""
        self.once_a_while("topics.unknown", type(error).__name__, error=error)

    # the process

    def service_started(self, **fields: Any) -> None:
        """Everything is up: webhooks are taken."""
        self.metrics.config_loaded.set_to_current_time()
        self.log.info("service.started", version=VERSION, **fields)

    def service_stopping(self, cause: str, **fields: Any) -> None:
        """The stop begins. `cause` is a signal's name, or what failed."""
        self.log.info("service.stopping", cause=cause, **fields)

    def service_hastened(self, cause: str) -> None:
        """A second signal: waiting ends, closing goes on."""
        self.log.warning("service.hastened", cause=cause)

    def service_stopped(self, exit_code: int, pending: int | None, seconds: float) -> None:
        """The process ends; `pending` entries wait in the journal for the next start."""
        self.log.info("service.stopped", exit_code=exit_code, pending=pending, seconds=round(seconds, 3))

    def service_not_started(self, error: BaseException) -> None:
        """The start was refused: a journal that is locked or damaged, an address that is taken."""
        self.log.error("service.not_started", error=error)

    def stage_ended(self, stage: str, error: BaseException) -> None:
        """A stage ended by an error that was foreseen, and explains itself; the service ends in order."""
        self.log.error("service.stage_ended", stage=stage, error=error)

    def service_failed(self, stage: str, error: BaseException) -> None:
        """A stage ended by an error that nobody foresaw; the log has the traceback."""
        self.log.error("service.failed", stage=stage, exc_info=error)

    def stage_restarted(self, stage: str, error: BaseException) -> None:
        """A stage that webhooks don't depend on failed by an error that nobody foresaw, and is started again."""
        self.once_a_while("service.stage_restarted", stage, level="error", stage=stage, exc_info=error)

    def thread_failed(self, thread: str, error: BaseException) -> None:
        """A thread ended by an error that nobody caught."""
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
        """The loop turned, `lag_s` later than it should; said when that is over `late_s`."""
        self.metrics.loop_lag_seconds.set(lag_s)
        if lag_s > late_s:
            self.once_a_while("loop.late", lag_seconds=round(lag_s, 3))

    # draining a journal

    def drain_waiting(self, error: BaseException) -> None:
        """The journal has an owner, which is waited for; the error names it."""
        self.once_a_while("drain.waiting", level="info", error=error)

    def drain_started(self, pending: int) -> None:
        """So many entries are to be forwarded, parked ones included."""
        self.log.info("drain.started", pending=pending)

    def drain_progress(self, done: int, left: int) -> None:
        """So many entries are done, so many are left."""
        self.log.info("drain.progress", done=done, left=left)

    def drain_ended(self, cause: str, **counts: Any) -> None:
        """The end. `cause` is empty, deadline or a signal's name."""
        self.log.info("drain.ended", cause=cause, **counts)

    def entries_by_outcome(self) -> Mapping[str, int]:
        """How many entries left the journal in this process as forwarded, quarantined, dropped, duplicate."""
        counts: dict[str, int] = {}
        for (_, outcome), count in self.metrics.events.counts.items():
            counts[str(outcome)] = counts.get(str(outcome), 0) + count
        return counts

    # traces

    def tracing_started(self, collector: str, sample: float) -> None:
        """Spans are made from now on, and sent to `collector` (host and port)."""
        self.log.info("tracing.started", collector=collector, sample=sample)

    def spans_exported(self, spans: int, *, taken: bool) -> None:
        """The collector took so many spans, or didn't, after some tries. Called from the exporter's thread."""
        self.metrics.trace_spans.labels("exported" if taken else "failed").inc(spans)

    def span_dropped(self) -> None:
        """There was no room for a span."""
        self.metrics.trace_spans.labels("dropped").inc()
        self.once_a_while("tracing.spans_dropped")

    # reload

    def config_reloaded(self, changed: Sequence[str], needs_restart: Sequence[str], config_hash: str) -> None:
        """A new configuration is in force. `needs_restart` names what of it is not, until the next start."""
        self._reloaded("applied")
        self.metrics.keys_awaiting_restart.set(len(needs_restart))
        self.log.info("config.reloaded", changed=list(changed), config_hash=config_hash)
        if needs_restart:
            self.log.warning("config.needs_restart", keys=list(needs_restart))

    def config_unchanged(self) -> None:
        """A reload found the configuration that is in force."""
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

    def config_warning(self, problem: str) -> None:
        """The configuration is valid, and says something that it probably shouldn't: file, line, key and what."""
        self.log.warning("config.warning", problem=problem)

    def certificate_ends(self, use: str, end_s: float | None) -> None:
        """The certificate in force for `use` (ingress, kafka) is over at `end_s` (UNIX time, seconds).

        None: there is no certificate, or it can't be told.
        """
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
