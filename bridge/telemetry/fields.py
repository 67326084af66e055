"""The fields of log lines: what each is, and how it is called in a line.

Names follow ECS (Elastic Common Schema) or the semantic conventions of OpenTelemetry where these have one. Our own are
short words that none of the two uses for an object, so that a line can go into an index of either as it is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class LogField(NamedTuple):
    """`name` is what JSON has; `standard` says whose name that is: `ECS`, `OTel` or nothing."""

    name: str
    meaning: str
    standard: str = ""


FIELDS: Final[Mapping[str, LogField]] = MappingProxyType(
    {
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
        "state": LogField("state", "of a lane, or of the journal's fill"),
        "note": LogField("note", "what was lenient about a body"),
        "entry_id": LogField("entry_id", "the entry's number in the journal"),
        "journal_id": LogField("journal_id", "the journal's own id"),
        "former_id": LogField("former_id", "the journal's id before it was renewed"),
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
        "problems": LogField(
            "problems", "what is wrong in the configuration: file, line, key and what, a sentence each"
        ),
        "doubt": LogField("doubt", "file, line, key, and what is doubtful"),
        "collector": LogField("collector", "the collector's host and port"),
        "sample": LogField("sample", "the share of traces that are kept"),
        "held_back": LogField("held_back", "lines like this one that were not written since the last"),
    }
)
"""A field as the code calls it → the field. What is not in here keeps its name, and fails a test."""
