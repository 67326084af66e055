"""treble-bridge: a Treble.ai webhook becomes one event on its Kafka topic.

The path of an event, a line a stage:

    ingress     POST → credentials → body → journal → 200 {}
    journal     the durable queue: one writer, group commit, acknowledged after the sync
    transform   entry → event → record, or a dead letter for the quarantine topic; pure
    forward     the loop: batches, a queue for each topic, recovery; one Kafka transaction a batch
    kafka       the sink: producer, positions topic, topics; translates Kafka's errors

`service` builds the stages and owns their start and stop, `cli` is the command line. `auth` decides who calls,
`catalogue` is the table of event types, `settings` the configuration, `telemetry` all that is counted and logged,
`model` the values that cross stages.
"""

from bridge import version

__version__ = version.VERSION

__all__ = ["__version__"]
