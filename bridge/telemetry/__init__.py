"""All that is counted and logged. `happenings` has a method per event, `metrics` the metrics."""

from bridge.telemetry.telemetry import Telemetry

__all__ = ["Telemetry"]
