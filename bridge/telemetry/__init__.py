"""What is counted, logged and traced. It only reports: no stage may read a decision from here.

telemetry    a method per event: its counter and its log line
metrics      every metric · log_events every name and field of a log line
logs         an event → its line, which repeats itself seldom · log_writer the line → standard output · redact
tracing      the spans of requests and batches · span_export their way to the collector; both only where traces are on
"""

from bridge.telemetry.telemetry import Telemetry

__all__ = ["Telemetry"]
