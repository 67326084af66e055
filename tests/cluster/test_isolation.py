"""The NetworkPolicy: who gets in, and where the bridge gets to."""

import json
import subprocess

import pytest

from tests.cluster import broker
from tests.cluster.conftest import Say
from tests.cluster.kubernetes import Namespace, until
from tests.cluster.release import Release
from tests.cluster.workbench import CALLER_LABELS, Workbench

pytestmark = pytest.mark.timeout(300)

CLOSED = "closed"
_CONNECT = """
import json, socket, sys
found = {}
for place in sys.argv[1:]:
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 4).close()
        found[place] = "open"
    except OSError as error:
        found[place] = type(error).__name__
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def stranger(namespace: Namespace) -> Workbench:
    """A pod of the same namespace that nobody named."""
    made = Workbench(namespace, "stranger", {"role": "stranger"})
    made.ready()
    return made


@pytest.fixture(scope="module")
def enforced(namespace: Namespace, cluster_kafka: object, bench: Workbench) -> None:
    """Skips where the cluster takes policies and does nothing with them."""
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": CLOSED},
        "spec": {"podSelector": {"matchLabels": broker.LABELS}, "policyTypes": ["Ingress"]},
    }
    assert "error" not in bench.reach(f"tcp://{broker.OPEN}")[0]
    namespace.apply(policy)
    try:
        until(lambda: "error" in bench.reach(f"tcp://{broker.OPEN}")[0], "a policy is enforced", 20)
    except AssertionError:
        pytest.skip("LEFT OUT, the cluster tests of the NetworkPolicy: this cluster doesn't enforce policies")
    finally:
        namespace.kubectl("delete", "networkpolicy", CLOSED)
    until(lambda: "error" not in bench.reach(f"tcp://{broker.OPEN}")[0], "the policy is gone", 20)


def test_only_who_is_named_reaches_the_bridge(
    enforced: None, release: Release, workbench: Workbench, stranger: Workbench, say: Say
) -> None:
    pages = [
        f"http://{release.name}/webhooks/treble/read",
        f"http://{release.name}-admin:8081/readyz",
        *(release.pod_url(pod, port) + "/readyz" for pod in (0, 1) for port in (8080, 8081)),
    ]
    named = workbench.reach(*pages)
    assert [answer["status"] for answer in named] == [405, 200, 404, 200, 404, 200], named
    refused = stranger.reach(*pages)
    assert all("error" in answer for answer in refused), refused
    say(f"a pod without the label {CALLER_LABELS}: {sorted({answer['error'] for answer in refused})} on both ports")


def test_the_bridge_reaches_kafka_and_dns_and_nothing_else(
    enforced: None, release: Release, namespace: Namespace, workbench: Workbench, say: Say
) -> None:
    # Something that listens and lets everybody in: another pod, and the API server.
    listen = ("timeout", "60", "python3", "-m", "http.server", "8000", "--directory", "/tmp")
    server = workbench.start(*listen, output=subprocess.DEVNULL)
    address = namespace.get("pod", "workbench")["status"]["podIP"]
    api = namespace.get("service", "kubernetes", "--namespace=default")["spec"]["clusterIP"]
    elsewhere = [f"{address}:8000", f"{api}:443", broker.OPEN]
    try:
        until(lambda: "error" not in workbench.reach(f"tcp://{address}:8000")[0], "the other pod listens", 20)
        assert "error" not in workbench.reach(f"tcp://{api}:443")[0]
        places = [broker.SECURED, *elsewhere]
        found = json.loads(namespace.exec("tb-0", "python3", "-c", _CONNECT, *places, container="bridge"))
    finally:
        server.kill()
        server.wait(10)
    say(f"from the bridge: {found}")
    assert found[broker.SECURED] == "open"
    assert "open" not in [found[place] for place in elsewhere]
