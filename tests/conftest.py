"""For all tests: the real Kafka (`tests/kafka_broker`), and the line about what was left out."""

from collections.abc import Iterator

import hypothesis
import pytest
import structlog

pytest_plugins = ["tests.kafka_broker.plugin", "tests.left_out"]

# Properties claim nothing about time, and two processes share the machine.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A test that sets up logs leaves no level or processor behind for the next one."""
    yield
    structlog.reset_defaults()
