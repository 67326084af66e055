"""A result as a table for people."""

from typing import Any

_ROWS = [
    ("ratio", "sustained events/s ÷ bare requests/s", "≥ 0.55", "{:.2f}"),
    ("cpu_ratio", "CPU per event ÷ bare CPU per request", "≤ 1.8", "{:.2f}"),
    ("bare_requests_per_s", "bare handler, requests/s", "", "{:,.0f}"),
    ("answered_per_s", "bridge, answered/s", "", "{:,.0f}"),
    ("sustained_per_s", "bridge, through Kafka/s", "", "{:,.0f}"),
    ("bare_cpu_us", "bare handler, CPU µs a request", "", "{:.1f}"),
    ("cpu_us", "bridge, CPU µs an event", "", "{:.1f}"),
    ("closed_loop_p50_ms", "answer at full load, p50 ms", "", "{:.2f}"),
    ("closed_loop_p99_ms", "answer at full load, p99 ms", "", "{:.2f}"),
    ("rate_per_s", "open loop, requests/s", "", "{:,.0f}"),
    ("ack_p50_ms", "  answer, p50 ms", "", "{:.2f}"),
    ("ack_p99_ms", "  answer, p99 ms", "", "{:.2f}"),
    ("readable_p50_ms", "  received → readable, p50 ms", "", "{:.0f}"),
    ("readable_p99_ms", "  received → readable, p99 ms", "", "{:.0f}"),
    ("memory_mib", "resident memory now, MiB", "", "{:.0f}"),
    ("memory_highest_mib", "resident memory, highest, MiB", "≤ 150", "{:.0f}"),
    ("backlog_entries", "backlog, entries", "", "{:,}"),
    ("memory_with_backlog_mib", "resident with the backlog, Kafka away, MiB", "≤ 150", "{:.0f}"),
    ("memory_highest_filling_mib", "highest while it grew, MiB", "≤ 150", "{:.0f}"),
    ("memory_highest_draining_mib", "highest while it drained, MiB", "≤ 150", "{:.0f}"),
    ("filled_per_s", "filled, entries/s", "", "{:,.0f}"),
    ("drained_per_s", "drained, entries/s", "", "{:,.0f}"),
]


def as_table(result: dict[str, Any]) -> str:
    """One line a figure, goals beside it."""
    lines = [
        f"{title:<46}{form.format(result[key]):>12}  {goal}"
        for key, title, goal, form in _ROWS
        if result.get(key) is not None
    ]
    lines.append(f"{result['delivery']}, journal on {result['journal_on']}, medians of interleaved rounds")
    if result["shared_core"]:
        lines.append("one core only: everything shared it, so the figures mean little")
    lines.append("goals met" if result["goals_met"] else "GOALS NOT MET")
    return "\n".join(lines)
