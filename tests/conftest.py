"""For all tests: the real Kafka (`tests/kafka_broker`)."""

pytest_plugins = ["tests.kafka_broker.plugin"]
