"""From the journal to Kafka, in order, exactly once.

lanes     which topics wait, since when, and when to try them again
merge     the journal's positions and Kafka's → where to go on
batch     entries → what goes out, what is a duplicate, what waits
pace      how much goes out at once, when Kafka is slow
queues    how many of what waits may go, and where by today's map
pages     entries page by page
refusals  what Kafka refused, and how often
repeats   what says the same, times apart
recovery  after each new producer: what Kafka has and the journal doesn't count yet
ends      records that Kafka may have left without an end
forwarder the loop
"""

from bridge.forward.forwarder import Forwarder

__all__ = ["Forwarder"]
