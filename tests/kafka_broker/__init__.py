"""A real Apache Kafka for tests: found, or started for the session.

`provide` looks in this order: an address given by the environment, a container, a process of this machine's Java.
What claims something about Kafka runs on one of these, never on an imitation. `plugin` makes it the fixture `kafka`.
"""

from tests.kafka_broker.broker import Broker, BrokerError, GivenBroker
from tests.kafka_broker.provide import NoBrokerError, provide
from tests.kafka_broker.records import ReadRecord, create_topics, delete_topics, read_records, unique

__all__ = [
    "Broker",
    "BrokerError",
    "GivenBroker",
    "NoBrokerError",
    "ReadRecord",
    "create_topics",
    "delete_topics",
    "provide",
    "read_records",
    "unique",
]
