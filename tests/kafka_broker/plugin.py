"""pytest: the fixture `kafka`, the marker's meaning, and the loud line when there is no broker."""

import os
from collections.abc import Iterator

import pytest

from tests.kafka_broker.broker import Broker
from tests.kafka_broker.process import ProcessBroker
from tests.kafka_broker.provide import HOW_TO, NoBrokerError, outlook, provide

_BROKER = pytest.StashKey[Broker]()


def _required() -> bool:
    return os.environ.get("REQUIRE_KAFKA", "") not in ("", "0")


def pytest_report_header() -> str:
    """Say which broker the tests get."""
    try:
        return f"kafka: {outlook()}"
    except NoBrokerError as error:
        return f"kafka: NONE ({error})"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever uses the broker, before `-m` chooses."""
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("kafka"):
            item.add_marker(pytest.mark.kafka)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the broker here rather than in a fixture: a first fetch may take longer than a test's time limit."""
    marked = [item for item in session.items if item.get_closest_marker("kafka")]
    if not marked or session.config.option.collectonly:
        return
    try:
        if any("kafka" in getattr(item, "fixturenames", ()) for item in marked):
            session.config.stash[_BROKER] = provide()
        else:
            outlook()
    except NoBrokerError as error:
        if _required():
            pytest.exit(
                f"REQUIRE_KAFKA is set, but {len(marked)} tests have no Kafka ({error}). To run them: {HOW_TO}",
                returncode=pytest.ExitCode.USAGE_ERROR,
            )
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"no Kafka: {error}"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the broker."""
    if (broker := config.stash.get(_BROKER, None)) is not None:
        broker.close()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Broker:
    """The session's broker. Topics stay from test to test: use `unique` names."""
    return request.config.stash[_BROKER]


@pytest.fixture
def controllable_kafka(kafka: Broker) -> Iterator[Broker]:
    """The session's broker, for tests that pause or kill it; it is brought back afterwards."""
    if not kafka.can_control:
        pytest.skip("the broker that BRIDGE_TEST_KAFKA names is not ours to stop")
    yield kafka
    kafka.restore()


@pytest.fixture
def process_kafka(kafka: Broker) -> ProcessBroker:
    """The session's broker, for tests that run Kafka's own command line tools on it."""
    if not isinstance(kafka, ProcessBroker):
        pytest.skip(f"Kafka's tools are at hand only beside a process of ours, not with a {kafka.provider} broker")
    return kafka
