"""For all tests: the real Kafka (`tests/kafka_broker`)."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = ["tests.kafka_broker.plugin"]


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A test that sets up logs leaves no level or processor behind for the next one."""
    yield
    structlog.reset_defaults()
