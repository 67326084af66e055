"""Which broker the tests get.

BRIDGE_TEST_KAFKA=host:port names one that runs already. Else BRIDGE_TEST_KAFKA_PROVIDER (`container` or `process`)
chooses; without it, a container where Docker answers, then a process where Java and Maven are.
"""

import os
import socket
from collections.abc import Callable

from tests.kafka_broker import artifacts, container
from tests.kafka_broker.broker import Broker, BrokerError, GivenBroker
from tests.kafka_broker.process import ProcessBroker, make_class_archive

HOW_TO = (
    "give one with BRIDGE_TEST_KAFKA=host:port, or start Docker, or install Java 17+ and Maven "
    "(tests then fetch and start Apache Kafka by themselves)"
)


class NoBrokerError(Exception):
    """No broker can be had on this machine; the message says what was tried."""


def _process() -> Broker:
    make_class_archive()
    return ProcessBroker()


_PROVIDERS: dict[str, tuple[Callable[[], str], Callable[[], Broker]]] = {
    "container": (container.obtainable, container.ContainerBroker),
    "process": (artifacts.obtainable, _process),
}


def _chosen() -> tuple[str, ...]:
    wanted = os.environ.get("BRIDGE_TEST_KAFKA_PROVIDER", "")
    if wanted and wanted not in _PROVIDERS:
        raise NoBrokerError(f"BRIDGE_TEST_KAFKA_PROVIDER={wanted!r}: expected one of {', '.join(_PROVIDERS)}")
    return (wanted,) if wanted else tuple(_PROVIDERS)


def outlook() -> str:
    """A line on which broker tests will get. Raises NoBrokerError when there is none. Starts nothing."""
    if given := os.environ.get("BRIDGE_TEST_KAFKA"):
        return f"the broker at {given} (BRIDGE_TEST_KAFKA)"
    problems = []
    for name in _chosen():
        problem = _PROVIDERS[name][0]()
        if not problem:
            return f"Apache Kafka {artifacts.KAFKA_VERSION} as a {name}"
        problems.append(problem)
    raise NoBrokerError("; ".join(problems))


def provide() -> Broker:
    """A broker that is ready. Raises NoBrokerError when there is none to be had; the caller closes the broker."""
    if given := os.environ.get("BRIDGE_TEST_KAFKA"):
        host, _, port = given.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except (OSError, ValueError) as error:
            raise NoBrokerError(f"BRIDGE_TEST_KAFKA={given}: {error}") from error
        return GivenBroker(given)
    problems = []
    for name in _chosen():
        obtainable, build = _PROVIDERS[name]
        problem = obtainable()
        if not problem:
            broker = build()
            try:
                broker.start()
            except BrokerError as error:
                broker.close()
                problem = str(error)
            else:
                return broker
        problems.append(f"{name}: {problem}")
    raise NoBrokerError("; ".join(problems))
