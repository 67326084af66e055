"""Each metric's unit, and a question that it answers, with the query for it. For docs/metrics.md.

A metric that is not in here, and one that is no more, fail a test.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

_P: Final = "treble_bridge_"


class Example(NamedTuple):
    """`unit` of a value (of a histogram: of what is observed); `asks` is answered by `query`."""

    unit: str
    asks: str
    query: str


_INGRESS: Final = {
    f"{_P}requests_total": Example(
        "requests",
        "Webhooks a second, by source and answer",
        f"sum by (source, outcome) (rate({_P}requests_total[5m]))",
    ),
    f"{_P}unauthorized_total": Example(
        "requests", "Why are requests answered 401?", f"sum by (source, reason) (increase({_P}unauthorized_total[1h]))"
    ),
    f"{_P}credential_matches_total": Example(
        "requests",
        "Does anybody still send an old value?",
        f'sum by (source, alternative) (increase({_P}credential_matches_total{{generation!="0"}}[1h])) > 0',
    ),
    f"{_P}credential_expires_timestamp_seconds": Example(
        "seconds, UNIX time",
        "Days until a value is no longer taken",
        f"({_P}credential_expires_timestamp_seconds - time()) / 86400",
    ),
    f"{_P}acknowledgement_seconds": Example(
        "seconds",
        "How long does Treble wait, at the 99th percentile?",
        f"histogram_quantile(0.99, sum by (le) (rate({_P}acknowledgement_seconds_bucket[5m])))",
    ),
    f"{_P}connections": Example("connections", "Open connections of all instances", f"sum({_P}connections)"),
    f"{_P}accepting": Example("0 or 1", "Instances that answer 503", f"{_P}accepting == 0"),
    f"{_P}tls_certificate_expires_timestamp_seconds": Example(
        "seconds, UNIX time",
        "Days until a certificate is over",
        f"({_P}tls_certificate_expires_timestamp_seconds - time()) / 86400",
    ),
}

_JOURNAL: Final = {
    f"{_P}journal_commit_seconds": Example(
        "seconds",
        "How quickly does the disk sync, by instance?",
        f"histogram_quantile(0.99, rate({_P}journal_commit_seconds_bucket[5m]))",
    ),
    f"{_P}journal_commit_entries": Example(
        "entries",
        "How many webhooks share a sync, on average?",
        f"rate({_P}journal_commit_entries_sum[5m]) / rate({_P}journal_commit_entries_count[5m])",
    ),
    f"{_P}journal_failures_total": Example(
        "failures",
        "Did a commit fail, and a scrape come before the process ended? If none came, exit code 5 says it",
        f"max_over_time({_P}journal_failures_total[1d]) > 0",
    ),
    f"{_P}journal_bytes": Example("bytes", "Fill of the journal", f"{_P}journal_bytes / {_P}journal_bytes_max"),
    f"{_P}journal_bytes_max": Example("bytes", "Room that is left", f"{_P}journal_bytes_max - {_P}journal_bytes"),
    f"{_P}journal_entries": Example(
        "entries", "Bytes of an entry, on average", f"{_P}journal_bytes / ({_P}journal_entries > 0)"
    ),
    f"{_P}journal_pending_entries": Example(
        "entries", "Does the backlog grow? Entries a second", f"deriv({_P}journal_pending_entries[10m])"
    ),
    f"{_P}journal_pinned_entries": Example(
        "entries", "Which bridges have pinned entries?", f"{_P}journal_pinned_entries > 0"
    ),
    f"{_P}journal_pinned_bytes": Example(
        "bytes", "Share of the journal that is pinned", f"{_P}journal_pinned_bytes / {_P}journal_bytes_max"
    ),
    f"{_P}journal_oldest_pending_seconds": Example(
        "seconds", "How late are events, at the worst?", f"max({_P}journal_oldest_pending_seconds)"
    ),
}

_FORWARDING: Final = {
    f"{_P}events_total": Example(
        "events", "Events a second, by type and outcome", f"sum by (type, outcome) (rate({_P}events_total[5m]))"
    ),
    f"{_P}end_to_end_seconds": Example(
        "seconds",
        "Age of events when consumers can read them, at the 99th percentile",
        f"histogram_quantile(0.99, sum by (le) (rate({_P}end_to_end_seconds_bucket[5m])))",
    ),
    f"{_P}duplicates_total": Example(
        "events", "What does Treble send twice?", f"sum by (type) (increase({_P}duplicates_total[1d]))"
    ),
    f"{_P}quarantined_total": Example(
        "entries", "What was not understood, and why?", f"sum by (reason) (increase({_P}quarantined_total[1d]))"
    ),
    f"{_P}schema_drift_total": Example(
        "notes",
        "Where does Treble differ from what is known?",
        f"sum by (type, kind) (increase({_P}schema_drift_total[1d]))",
    ),
    f"{_P}hint_conflicts_total": Example(
        "entries",
        "Which webhooks are pasted at the URL of another?",
        f"sum by (source, type) (increase({_P}hint_conflicts_total[1d])) > 0",
    ),
    f"{_P}topic_paused": Example("0 or 1", "Which topics can't take records, and why?", f"{_P}topic_paused == 1"),
    f"{_P}topic_deferred_entries": Example(
        "entries", "How many events wait for a topic?", f"sum by (topic) ({_P}topic_deferred_entries)"
    ),
    f"{_P}transactions_total": Example(
        "transactions",
        "Share of transactions that were not committed",
        f'sum(rate({_P}transactions_total{{outcome!="committed"}}[5m])) / sum(rate({_P}transactions_total[5m]))',
    ),
    f"{_P}producer_rebuilds_total": Example(
        "producers",
        "Why does the connection to Kafka break?",
        f"sum by (cause) (increase({_P}producer_rebuilds_total[1h]))",
    ),
    f"{_P}kafka_connected": Example("0 or 1", "Instances without Kafka", f"{_P}kafka_connected == 0"),
}

_PROCESS: Final = {
    f"{_P}config_reloads_total": Example(
        "reloads", "Was a change taken?", f"sum by (outcome) (increase({_P}config_reloads_total[1h]))"
    ),
    f"{_P}config_reload_failed": Example(
        "0 or 1", "Where is the file on disk wrong?", f"{_P}config_reload_failed == 1"
    ),
    f"{_P}config_loaded_timestamp_seconds": Example(
        "seconds, UNIX time", "Age of the configuration in force", f"time() - {_P}config_loaded_timestamp_seconds"
    ),
    f"{_P}config_keys_awaiting_restart": Example(
        "keys", "Where is a restart due?", f"{_P}config_keys_awaiting_restart > 0"
    ),
    f"{_P}log_lines_dropped_total": Example(
        "lines", "Were log lines lost?", f"increase({_P}log_lines_dropped_total[1h]) > 0"
    ),
    f"{_P}loop_lag_seconds": Example(
        "seconds", "Has the process too little CPU?", f"max_over_time({_P}loop_lag_seconds[10m])"
    ),
    f"{_P}trace_spans_total": Example(
        "spans", "Do traces arrive?", f"sum by (outcome) (rate({_P}trace_spans_total[5m]))"
    ),
    f"{_P}build_info": Example(
        "always 1", "How many instances run which version?", f"count by (version) ({_P}build_info)"
    ),
}

_SYSTEM: Final = {
    "process_cpu_seconds_total": Example(
        "seconds",
        "Cores in use, of instances of the bridge",
        f"rate(process_cpu_seconds_total[5m]) {{on}} {_P}build_info",
    ),
    "process_resident_memory_bytes": Example("bytes", "Memory", f"process_resident_memory_bytes {{on}} {_P}build_info"),
    "process_virtual_memory_bytes": Example(
        "bytes", "Address space", f"process_virtual_memory_bytes {{on}} {_P}build_info"
    ),
    "process_start_time_seconds": Example(
        "seconds, UNIX time", "Starts within an hour", f"changes(process_start_time_seconds[1h]) {{on}} {_P}build_info"
    ),
    "process_open_fds": Example(
        "files", "Share of the open files that are allowed", f"process_open_fds / process_max_fds {{on}} {_P}build_info"
    ),
    "process_max_fds": Example(
        "files", "Open files that are left", f"process_max_fds - process_open_fds {{on}} {_P}build_info"
    ),
}

GROUPS: Final[Mapping[str, Mapping[str, Example]]] = MappingProxyType(
    {
        "Taking webhooks": _INGRESS,
        "Journal": _JOURNAL,
        "Forwarding": _FORWARDING,
        "Process and configuration": _PROCESS,
        "From the operating system": {
            name: example._replace(query=example.query.replace("{on}", "and on (instance)"))
            for name, example in _SYSTEM.items()
        },
    }
)
"""Headline → the metrics below it, by the name that a scrape shows (of a histogram: without `_bucket`)."""
