"""The dashboard's upper rows, along the way of an event: taken, kept, forwarded."""

from observability.panels import Panel, Query, Row

_RED_FROM_1 = ((1, "red"),)
_YES_NO = ((0, "no", "red"), (1, "yes", "green"))

TAKING = Row(
    "Is it taking webhooks?",
    (
        Panel(
            "Takes webhooks",
            "Whether each instance takes webhooks. One that does not answers 503, and Treble may not send again.",
            (Query("min(treble_bridge_accepting{$on})"),),
            kind="stat",
            width=4,
            words=_YES_NO,
            runbook="503-without-a-full-journal",
        ),
        Panel(
            "Instances",
            "How many instances Prometheus hears from.",
            (Query("count(treble_bridge_build_info{$on})"),),
            kind="stat",
            width=4,
            runbook="an-instance-is-down",
        ),
        Panel(
            "Taken, of what had to be",
            "Webhooks answered 200, of those answered 200 or 503. What a caller did wrong does not count.",
            (
                Query(
                    'sum(rate(treble_bridge_requests_total{$on, outcome="accepted"}[$__rate_interval]))'
                    " / sum(rate(treble_bridge_requests_total"
                    '{$on, outcome=~"accepted|not_accepted|too_many_connections"}[$__rate_interval]))'
                ),
            ),
            unit="percentunit",
            kind="stat",
            width=4,
            thresholds=((0, "red"), (0.999, "orange"), (1, "green")),
            runbook="503-without-a-full-journal",
        ),
        Panel(
            "Webhooks now",
            "Webhooks a second that were taken.",
            (Query('sum(rate(treble_bridge_requests_total{$on, outcome="accepted"}[$__rate_interval]))'),),
            unit="reqps",
            kind="stat",
            width=4,
        ),
        Panel(
            "Answer, p99",
            "One in a hundred answers takes longer. Treble waits for 5 s, the bridge for `server.ack_deadline`.",
            (
                Query(
                    "histogram_quantile(0.99, sum by (le)"
                    " (rate(treble_bridge_acknowledgement_seconds_bucket{$on}[$__rate_interval])))"
                ),
            ),
            unit="s",
            kind="stat",
            width=4,
            thresholds=((0.5, "orange"), (2, "red")),
            runbook="slow-commits",
        ),
        Panel(
            "Connections",
            "Open connections on the ingress port, all instances together.",
            (Query("sum(treble_bridge_connections{$on})"),),
            kind="stat",
            width=4,
        ),
        Panel(
            "Requests by answer",
            "Requests a second on the ingress port, by source and answer.",
            (
                Query(
                    "sum by (source, outcome) (rate(treble_bridge_requests_total{$on}[$__rate_interval]))",
                    "{{source}} {{outcome}}",
                ),
            ),
            unit="reqps",
            width=12,
            stacked=True,
            runbook="503-without-a-full-journal",
        ),
        Panel(
            "Time to answer",
            "From a request's head to its answer, which waits for the disk. Of requests answered 200.",
            tuple(
                Query(
                    f"histogram_quantile({share}, sum by (le)"
                    " (rate(treble_bridge_acknowledgement_seconds_bucket{$on}[$__rate_interval])))",
                    name,
                )
                for share, name in (("0.5", "p50"), ("0.99", "p99"))
            ),
            unit="s",
            width=12,
            thresholds=((2, "red"),),
            runbook="slow-commits",
        ),
    ),
)

JOURNAL = Row(
    "Journal",
    (
        Panel(
            "Fill",
            "Bytes in the journal, of `journal.max_bytes`. What is only kept for a replay makes room by itself, so"
            " above 80 % it is events that wait, or pinned entries.",
            (
                Query("treble_bridge_journal_bytes{$on} / treble_bridge_journal_bytes_max{$on}", "{{instance}}"),
                Query(
                    "treble_bridge_journal_pinned_bytes{$on} / treble_bridge_journal_bytes_max{$on}",
                    "{{instance}} pinned",
                ),
            ),
            unit="percentunit",
            highest=1,
            thresholds=((0.8, "orange"), (0.95, "red")),
            runbook="the-journal-is-full",
        ),
        Panel(
            "Events that wait",
            "Entries that are not forwarded yet. Some, for a moment, are as it should be.",
            (Query("treble_bridge_journal_pending_entries{$on}", "{{instance}}"),),
            runbook="events-are-late",
        ),
        Panel(
            "Age of the oldest event that waits",
            "How late events are at the worst.",
            (Query("treble_bridge_journal_oldest_pending_seconds{$on}", "{{instance}}"),),
            unit="s",
            thresholds=((60, "orange"), (300, "red")),
            runbook="events-are-late",
        ),
        Panel(
            "Commit",
            "One commit of the journal, sync included. Every answer waits for one.",
            tuple(
                Query(
                    f"histogram_quantile({share}, sum by (instance, le)"
                    " (rate(treble_bridge_journal_commit_seconds_bucket{$on}[$__rate_interval])))",
                    f"{{{{instance}}}} {name}",
                )
                for share, name in (("0.5", "p50"), ("0.99", "p99"))
            ),
            unit="s",
            thresholds=((0.5, "red"),),
            runbook="slow-commits",
        ),
        Panel(
            "Webhooks in one commit",
            "On average. It grows with the load: who waits at the same time shares a sync.",
            (
                Query(
                    "rate(treble_bridge_journal_commit_entries_sum{$on}[$__rate_interval])"
                    " / rate(treble_bridge_journal_commit_entries_count{$on}[$__rate_interval])",
                    "{{instance}}",
                ),
            ),
        ),
        Panel(
            "Entries kept, commits failed",
            "Entries in the journal, those kept for a replay included; the pinned ones among them;"
            " and commits that failed. These end the process,"
            " most often before a scrape sees them: look at *Starts* and at the exit code, too.",
            (
                Query("treble_bridge_journal_entries{$on}", "{{instance}} entries"),
                Query("treble_bridge_journal_pinned_entries{$on}", "{{instance}} pinned"),
                Query("treble_bridge_journal_failures_total{$on}", "{{instance}} failed commits"),
            ),
            runbook="the-disk-fails-or-is-full",
        ),
    ),
)

FORWARDING = Row(
    "Forwarding",
    (
        Panel(
            "Events by type and outcome",
            "Events a second that left the journal.",
            (
                Query(
                    "sum by (type, outcome) (rate(treble_bridge_events_total{$on}[$__rate_interval]))",
                    "{{type}} {{outcome}}",
                ),
            ),
            unit="eps",
            width=12,
            stacked=True,
        ),
        Panel(
            "Received to committed on Kafka",
            "How old an event is when consumers can read it.",
            tuple(
                Query(
                    f"histogram_quantile({share}, sum by (le)"
                    " (rate(treble_bridge_end_to_end_seconds_bucket{$on}[$__rate_interval])))",
                    name,
                )
                for share, name in (("0.5", "p50"), ("0.99", "p99"))
            ),
            unit="s",
            width=12,
            thresholds=((60, "red"),),
            runbook="events-are-late",
        ),
        Panel(
            "Kafka",
            "Whether each instance's producer works.",
            (Query("treble_bridge_kafka_connected{$on}", "{{instance}}"),),
            kind="state-timeline",
            width=6,
            words=((0, "away", "red"), (1, "connected", "green")),
            runbook="kafka-is-away",
        ),
        Panel(
            "Transactions",
            "Transactions a second, by outcome. `in_doubt` ones are asked again at Kafka.",
            (Query("sum by (outcome) (rate(treble_bridge_transactions_total{$on}[$__rate_interval]))", "{{outcome}}"),),
            unit="ops",
            width=6,
            runbook="kafka-is-away",
        ),
        Panel(
            "New producers",
            "Producers that were made anew in 10 minutes after a failure, by cause.",
            (Query("sum by (cause) (increase(treble_bridge_producer_rebuilds_total{$on}[10m]))", "{{cause}}"),),
            width=6,
            runbook="kafka-is-away",
        ),
        Panel(
            "Paused topics",
            "Topics that can't take records, why, and how many events wait for each.",
            (
                Query("treble_bridge_topic_paused{$on}", "{{instance}} {{topic}} {{state}}"),
                Query("treble_bridge_topic_deferred_entries{$on}", "{{instance}} {{topic}} waiting"),
            ),
            width=6,
            thresholds=_RED_FROM_1,
            runbook="a-topic-is-paused",
        ),
    ),
)
