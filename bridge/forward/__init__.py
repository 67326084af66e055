"""From the journal to Kafka, in order, exactly once.

forwarder     the loop
batch         entries → what goes out, what is a duplicate, what waits
batch_size    how much goes out at once, when Kafka is slow
topic_queues  which topics wait, since when, and when to try them again
recovery      after each new producer: what Kafka has and the journal doesn't count yet
in_doubt      records for which Kafka may have written no transaction marker
rejected      what Kafka rejected, and how often
redrive       the way back from the quarantine
"""

from bridge.forward.forwarder import Forwarder, ForwarderStatus

__all__ = ["Forwarder", "ForwarderStatus"]
