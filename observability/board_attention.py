"""The dashboard's lower rows: what somebody should look into, and the process itself."""

from observability.panels import Panel, Query, Row

_DAY_S = 86_400.0

ATTENTION = Row(
    "What needs attention",
    (
        Panel(
            "Quarantined",
            "Webhooks that went to the quarantine topic in an hour, by reason.",
            (Query("sum by (reason) (increase(treble_bridge_quarantined_total{$on}[1h]))", "{{reason}}"),),
            width=6,
            thresholds=((1, "red"),),
            runbook="the-quarantine-grows",
        ),
        Panel(
            "Answered 401",
            "Requests a second without or with wrong credentials, by source and reason.",
            (
                Query(
                    "sum by (source, reason) (rate(treble_bridge_unauthorized_total{$on}[$__rate_interval]))",
                    "{{source}} {{reason}}",
                ),
            ),
            unit="reqps",
            width=6,
            runbook="many-401",
        ),
        Panel(
            "Not quite as expected",
            "Bodies that were taken although they differ from what is known of Treble, in an hour; and bodies that are"
            " not what their URL says.",
            (
                Query("sum by (type, kind) (increase(treble_bridge_schema_drift_total{$on}[1h]))", "{{type}} {{kind}}"),
                Query(
                    "sum by (source, type) (increase(treble_bridge_hint_conflicts_total{$on}[1h]))",
                    "{{source}} {{type}} at the URL of another",
                ),
            ),
            width=6,
            runbook="treble-sends-something-new",
        ),
        Panel(
            "Duplicates",
            "Events that Treble sent again within the window, in an hour. They are not forwarded twice.",
            (Query("sum by (type) (increase(treble_bridge_duplicates_total{$on}[1h]))", "{{type}}"),),
            width=6,
        ),
        Panel(
            "Credentials by generation",
            "Requests a second by the value that matched. 0 is the newest: above that, a rotation is not finished.",
            (
                Query(
                    "sum by (source, alternative, generation)"
                    " (rate(treble_bridge_credential_matches_total{$on}[$__rate_interval]))",
                    "{{source}} alternative {{alternative}} generation {{generation}}",
                ),
            ),
            unit="reqps",
            runbook="a-credential-expires",
        ),
        Panel(
            "Credentials end in",
            "Time until the `not_after` of values that have one.",
            (
                Query(
                    "min by (source, alternative, generation)"
                    " (treble_bridge_credential_expires_timestamp_seconds{$on}) - time()",
                    "{{source}} alternative {{alternative}} generation {{generation}}",
                ),
            ),
            unit="s",
            thresholds=((-1e9, "red"), (3 * _DAY_S, "green")),
            runbook="a-credential-expires",
            quiet="no credential has a not_after",
        ),
        Panel(
            "Certificates end in",
            "Time until the certificates that are in force are over.",
            (
                Query(
                    "min by (instance, use) (treble_bridge_tls_certificate_expires_timestamp_seconds{$on}) - time()",
                    "{{instance}} {{use}}",
                ),
            ),
            unit="s",
            thresholds=((-1e9, "red"), (2 * _DAY_S, "orange"), (14 * _DAY_S, "green")),
            runbook="a-certificate-expires",
            quiet="the bridge has no certificate of its own",
        ),
        Panel(
            "Configuration",
            "1 while the file on disk is refused; and how many changed keys wait for a restart.",
            (
                Query("treble_bridge_config_reload_failed{$on}", "{{instance}} refused"),
                Query("treble_bridge_config_keys_awaiting_restart{$on}", "{{instance}} keys awaiting a restart"),
            ),
            thresholds=((1, "red"),),
            runbook="a-refused-configuration",
        ),
        Panel(
            "Reloads",
            "Times that the configuration was read again, in an hour, by outcome.",
            (Query("sum by (outcome) (increase(treble_bridge_config_reloads_total{$on}[1h]))", "{{outcome}}"),),
            runbook="a-refused-configuration",
        ),
        Panel(
            "Configuration in force since",
            "When the file was last read and found right.",
            (Query("treble_bridge_config_loaded_timestamp_seconds{$on} * 1000", "{{instance}}"),),
            unit="dateTimeFromNow",
            kind="stat",
            runbook="a-refused-configuration",
        ),
    ),
)

PROCESS = Row(
    "Process",
    (
        Panel(
            "Version",
            "Which version each instance runs.",
            (Query("treble_bridge_build_info{$on}", "{{instance}} {{version}}"),),
            kind="table",
            width=6,
        ),
        Panel(
            "CPU",
            "Cores in use. One instance uses one at the most, and a little for the journal's thread.",
            (Query("rate(process_cpu_seconds_total{$on}[$__rate_interval])", "{{instance}}"),),
            width=6,
            thresholds=((0.9, "orange"),),
            runbook="the-loop-is-late",
        ),
        Panel(
            "Memory",
            "Resident memory. It does not grow with a backlog that waits for Kafka.",
            (Query("process_resident_memory_bytes{$on}", "{{instance}}"),),
            unit="bytes",
            width=6,
        ),
        Panel(
            "Lateness of the loop",
            "How late the event loop ran its last heartbeat, twice a second.",
            (Query("treble_bridge_loop_lag_seconds{$on}", "{{instance}}"),),
            unit="s",
            width=6,
            thresholds=((0.1, "orange"), (1, "red")),
            runbook="the-loop-is-late",
        ),
        Panel(
            "Starts",
            "How often each instance was started again within an hour.",
            (Query("changes(process_start_time_seconds{$on}[1h])", "{{instance}}"),),
            thresholds=((3, "red"),),
            runbook="a-restart-loop",
        ),
        Panel(
            "Open files",
            "Of what the system allows: one for each connection, and about a hundred.",
            (Query("process_open_fds{$on} / process_max_fds{$on}", "{{instance}}"),),
            unit="percentunit",
            highest=1,
            thresholds=((0.8, "orange"), (0.95, "red")),
            runbook="503-without-a-full-journal",
        ),
        Panel(
            "Log lines dropped",
            "Lines that standard output did not take, since the start.",
            (Query("treble_bridge_log_lines_dropped_total{$on}", "{{instance}}"),),
            thresholds=((1, "orange"),),
            runbook="log-lines-are-dropped",
        ),
    ),
)
