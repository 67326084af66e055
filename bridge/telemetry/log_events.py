"""The names of log lines and of their fields.

An event is `thing.what_happened`; its meaning is the line's `message` when the line brings no text of its own. Fields
are named as in ECS (Elastic Common Schema) or the semantic conventions of OpenTelemetry, where these have a name. Our
own are short words that none of the two uses for an object, so that a line can go into an index of either as it is.
docs/reference.md lists both.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

EVENTS: dict[str, str] = {
    "request.answered": "A request was answered (access log, level debug)",
    "request.unauthorized": "A request had no or wrong credentials",
    "request.refused": "A request is for no source, or no webhook, or no HTTP: nothing of it was kept",
    "request.not_accepted": "The journal could not take a request; it was answered 503",
    "ingress.slow_path_only": "This aiohttp is built otherwise than known: all requests take the slow path",
    "ingress.fewer_connections": "The system allows too few open files for server.max_connections",
    "request.failed": "A request met an unforeseen error",
    "journal.opened": "The journal is open",
    "journal.fill_changed": "The journal's fill crossed a mark",
    "journal.restored": "The journal is an older copy of what Kafka knows: nothing is forwarded until `journal renew`",
    "journal.failed": "The journal could not be written; the process ends, to recover at its next start",
    "duplicates.window_shortened": "Dedupe keys take a quarter of the journal: the oldest are forgotten early",
    "entry.quarantined": "An entry went to the quarantine topic",
    "schema.drifted": "A body of this type is not quite what was expected; it was taken, logged once",
    "hint.conflicts": "A body is not what its URL says; the body's own evidence counts, logged once",
    "topic.paused": "A topic can't take records; it is paused, the others go on",
    "topic.resumed": "A topic takes records again",
    "transaction.marker_missing": "Kafka wrote no marker for records of a committed transaction: they are sent again",
    "kafka.connected": "The producer works and the positions are known",
    "kafka.lost": "The producer can't go on; a new one is tried until it works",
    "forwarding.caught_up": "All that waited for Kafka when it was connected is forwarded, and nothing is pending",
    "forwarding.failed": "The forwarder met an unforeseen error and starts anew",
    "kafka.fenced": "Another live process forwards this journal; this one stops",
    "topics.differ": "Topics are missing or not as configured",
    "topics.checked": "All topics are as configured",
    "topics.unknown": "Kafka could not say how its topics are; asked again later",
    "service.started": "Webhooks are taken",
    "service.stopping": "The stop begins",
    "shutdown.forced": "A second signal: nothing is waited for any more, closing goes on",
    "service.stopped": "The process ends; what is left is in the journal",
    "service.not_started": "The start was refused",
    "service.stage_ended": "A stage ended by an error that explains itself; the service ends in order",
    "service.stage_restarted": "A side stage failed by an unforeseen error and is started again; webhooks go on",
    "service.thread_failed": "A thread ended by an error that nobody caught",
    "service.failed": "A stage ended by an unforeseen error",
    "service.not_accepting": "Webhooks are answered 503",
    "drain.waiting": "The journal to drain has an owner; it is waited for",
    "drain.started": "What the journal still holds is forwarded; nothing is taken",
    "drain.progress": "How far draining has come",
    "drain.ended": "Draining ends; what is left, if anything, is in the journal",
    "loop.late": "The event loop was busy for too long",
    "config.reloaded": "A new configuration is in force",
    "config.unchanged": "The configuration was read again and says what is in force already",
    "config.needs_restart": "Changed keys that are in force only after a restart",
    "config.refused": "The configuration file is wrong; the one in force stays",
    "config.warning": "The configuration is valid, but says something that is probably not meant",
    "tls.certificate_changed": "A new certificate is in force",
    "tls.certificate_refused": "A changed certificate could not be read; the old one stays in force",
    "tracing.started": "Traces are sent to a collector",
    "tracing.spans_dropped": "Spans are dropped: the collector does not take them, or not as fast as they come",
    "library.message": "A line of a library",
}


class LogField(NamedTuple):
    """`name` is what JSON has; `standard` says whose name that is: `ECS`, `OTel` or nothing."""

    name: str
    meaning: str
    standard: str = ""


FIELDS: Final[Mapping[str, LogField]] = {
    "timestamp": LogField("@timestamp", "when, UTC", "ECS"),
    "level": LogField("log.level", "`debug`, `info`, `warning` or `error`", "ECS"),
    "event": LogField("event.name", "what happened, a name of the table below", "OTel"),
    "message": LogField("message", "the same for people", "ECS"),
    "logger": LogField("log.logger", "the library's logger", "ECS"),
    "error.type": LogField("error.type", "the error's class", "ECS, OTel"),
    "error.message": LogField("error.message", "what went wrong, without secrets", "ECS"),
    "error.stack_trace": LogField("error.stack_trace", "the traceback, of errors that nobody foresaw", "ECS"),
    "error.cause": LogField("error.cause", "the error behind that one"),
    "version": LogField("service.version", "the bridge's version", "ECS, OTel"),
    "remote": LogField("client.address", "the caller's address", "ECS, OTel"),
    "method": LogField("http.request.method", "the request's method", "ECS, OTel"),
    "path": LogField("path", "a file's or URL's path, without secrets"),
    "source": LogField("treble.source", "the source's name in the configuration"),
    "topic": LogField("topic", "a topic on Kafka"),
    "type": LogField("type", "an event type"),
    "hint": LogField("hint", "the URL's last segment"),
    "outcome": LogField("outcome", "the request's outcome, as in [metrics](metrics.md#values-of-labels)"),
    "reason": LogField("reason", "why; a bounded word, or a sentence"),
    "cause": LogField("cause", "why; a bounded word"),
    "state": LogField("state", "of a paused topic, or of the journal's fill"),
    "note": LogField("note", "what was lenient about a body"),
    "entry_id": LogField("entry_id", "the entry's number in the journal"),
    "journal_id": LogField("journal_id", "the journal's own id"),
    "next_id": LogField("next_id", "the next entry to forward"),
    "entries": LogField("entries", "entries in the journal"),
    "pending": LogField("pending", "entries that are not forwarded"),
    "forwarded": LogField("forwarded", "entries that were forwarded"),
    "done": LogField("done", "entries that are done"),
    "left": LogField("left", "entries that are left"),
    "bytes": LogField("bytes", "bytes that the journal holds"),
    "bytes_max": LogField("bytes_max", "its bound"),
    "topics": LogField("topics", "how many topics"),
    "differences": LogField("differences", "what is not as configured, a sentence each"),
    "ingress": LogField("ingress", "where webhooks are taken: address and port"),
    "admin": LogField("admin", "the admin port: address and port"),
    "seconds": LogField("seconds", "how long, in seconds"),
    "lag_seconds": LogField("lag_seconds", "how late the event loop was, in seconds"),
    "exit_code": LogField("exit_code", "the process's [exit code](#exit-codes)"),
    "stage": LogField("stage", "the part of the program"),
    "thread": LogField("thread", "the thread's name"),
    "changed": LogField("changed", "keys of the configuration that changed"),
    "keys": LogField("keys", "keys of the configuration"),
    "config_hash": LogField("config_hash", "digest of the configuration in force, as in `/status`"),
    "problems": LogField("problems", "what is wrong in the configuration: file, line, key and what, a sentence each"),
    "warning": LogField("warning", "file, line, key, and what is probably not meant"),
    "collector": LogField("collector", "the collector's host and port"),
    "sample": LogField("sample", "the share of traces that are kept"),
    "held_back": LogField("held_back", "lines like this one that were not written since the last"),
}
"""A field as the code calls it → the field. What is not in here keeps its name, and fails a test."""
