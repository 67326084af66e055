"""Installed, tested by Helm, and used."""

import time

import pytest

from tests.cluster.conftest import Say
from tests.cluster.kubernetes import RESTRICTED, Namespace
from tests.cluster.release import Release, is_ready
from tests.cluster.workbench import Workbench

pytestmark = pytest.mark.timeout(420)


def test_two_replicas_get_ready_in_a_restricted_namespace_and_helm_test_passes(
    release: Release, namespace: Namespace, say: Say
) -> None:
    labels = namespace.get("namespace", namespace.name)["metadata"]["labels"]
    assert RESTRICTED.items() <= labels.items()
    pods = release.pods()
    assert len(pods) == 2
    assert all(map(is_ready, pods))
    claims = {item["metadata"]["name"] for item in namespace.get("pvc")["items"]}
    assert {"journal-tb-0", "journal-tb-1"} <= claims
    said = namespace.helm("test", release.name, "--timeout", "120s", "--logs")
    assert "Phase:          Succeeded" in said
    say("helm test: succeeded")


def test_webhooks_sent_through_the_service_arrive_on_their_topic_exactly_once(
    release: Release, workbench: Workbench, say: Say
) -> None:
    before = {pod: release.status(pod)["journal"]["last_id"] for pod in ("tb-0", "tb-1")}
    load = workbench.load("delivery", release.url, rate=200)
    load.goes_on(600)
    calls = load.stop()
    say(str(calls))
    assert not calls.failed()
    say(workbench.assert_exactly_once("delivery-", calls))
    after = {pod: release.status(pod)["journal"]["last_id"] for pod in ("tb-0", "tb-1")}
    assert all(after[pod] > before[pod] for pod in before), "both replicas took some"


def test_a_webhook_with_a_wrong_token_is_refused(release: Release, workbench: Workbench) -> None:
    began = int(time.time())
    [answer] = workbench.reach({"url": f"{release.url}/read", "token": "wrong", "session": f"refused-{began}"})
    assert answer["status"] == 401
    assert not workbench.records(f"refused-{began}")
