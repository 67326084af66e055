"""treble-bridge: a Treble.ai webhook becomes one event on its Kafka topic.

The way of an event, a line a stage:

    ingress      POST → credentials → body → journal → 200 {}
    journal      the durable queue: one writer, group commit, answered after the sync
    prepare      entry → normalize → route → envelope → record, or a quarantine record
    duplicates   the same event id inside the window goes out once
    forward      batches, lanes, positions; one Kafka transaction a batch
    kafka        the sink: producer, positions topic, topics; translates its errors

`service` builds every stage and owns their start and stop. `settings` is the configuration, `telemetry` all that is
counted and logged, `catalogue` the table of event types, `model` the values that cross stages.
"""

from bridge import version

__version__ = version.VERSION

__all__ = ["__version__"]
