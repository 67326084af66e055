"""What a newcomer installs: the smallest values file, one broker without login, and topics that nobody has made."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.broker import ClusterKafka
from tests.cluster.conftest import Say
from tests.cluster.kubernetes import CommandError, Namespace, secret, until
from tests.cluster.release import CHART, HELM_WAIT
from tests.cluster.workbench import IMAGE

pytestmark = pytest.mark.timeout(420)

NAME = "first"
POD = f"{NAME}-treble-bridge-0"
NONE_MADE = {"topics": {"create": "verify", "default": "first.{event_type}", "quarantine": "first.quarantine"}}


@pytest.fixture
def first(namespace: Namespace, cluster_kafka: ClusterKafka) -> Iterator[Namespace]:
    """A namespace with a broker and the token's Secret; the release of the test is removed from it at the end."""
    namespace.apply(secret("treble", {"token": secrets.token_hex(16)}))
    yield namespace
    namespace.helm("uninstall", NAME, "--wait", "--timeout", HELM_WAIT)


def install(namespace: Namespace, config: dict[str, Any]) -> str:
    """As the README does; what Helm says."""
    repository, _, tag = IMAGE.rpartition(":")
    own = json.dumps({"image": {"repository": repository, "tag": tag}, "config": config})
    minimal = str(CHART / "ci" / "minimal-values.yaml")
    waiting = ("--wait", "--timeout", HELM_WAIT)
    return namespace.helm("upgrade", "--install", NAME, str(CHART), "-f", minimal, "-f", "-", *waiting, stdin=own)


def test_green_pods_without_topics_fail_helm_test_with_the_reason_and_topics_that_the_bridge_makes_pass_it(
    first: Namespace, say: Say
) -> None:
    assert "Topics: nothing makes them" in install(first, NONE_MADE)
    with pytest.raises(CommandError) as failed:
        first.helm("test", NAME, "--timeout", "120s", "--logs")
    assert "their events wait in the journal" in str(failed.value)
    assert "first.message.read: is missing; create it with: kafka-topics.sh" in str(failed.value)
    say("helm test without topics: failed, and names them")

    assert "Needed" not in install(first, {"topics": {**NONE_MADE["topics"], "create": "missing"}})
    health = ("treble-bridge", "health", "--forwarding")
    until(lambda: first.exec(POD, *health, container="bridge"), "the configuration is loaded, the topics are made", 150)
    assert "Phase:          Succeeded" in first.helm("test", NAME, "--timeout", "120s", "--logs")
    say("helm test with topics that the bridge makes: succeeded")
