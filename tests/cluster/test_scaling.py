"""Replicas that go and come back: what their journals hold is forwarded, once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.broker import ClusterKafka
from tests.cluster.conftest import Say
from tests.cluster.kubernetes import Namespace, until
from tests.cluster.release import Release
from tests.cluster.workbench import Calls, Workbench

pytestmark = pytest.mark.timeout(480)

HELM_BOUND_S = 200.0


def _called(workbench: Workbench, release: Release, name: str, count: int) -> Calls:
    load = workbench.load(name, release.url, rate=120)
    load.goes_on(count)
    calls = load.stop()
    assert not calls.failed(), str(calls)
    return calls


def test_what_a_replica_holds_when_it_is_scaled_away_is_forwarded_once_and_it_goes_on_when_it_comes_back(
    release: Release, workbench: Workbench, cluster_kafka: ClusterKafka, namespace: Namespace, say: Say
) -> None:
    journal, claim = release.status("tb-1")["journal"]["id"], namespace.get("pvc", "journal-tb-1")["metadata"]["uid"]
    calls = _called(workbench, release, "scaled-before", 200)
    cluster_kafka.stop()
    calls += _called(workbench, release, "scaled-away", 300)
    pending = release.status("tb-1")["journal"]["pending"]
    assert pending > 0, "the journal holds what Kafka has not got"
    say(f"Kafka is away, and the journal of tb-1 holds {pending} entries; scaling from 2 to 1")

    with ThreadPoolExecutor(1) as background:
        upgrade = background.submit(release.upgrade, {"replicaCount": 1})
        until(lambda: not release.uid("tb-1"), "tb-1 is gone", 120)
        # What it held is nowhere but in its volume now.
        assert not upgrade.done(), "the upgrade waits for the journal"
        say(f"tb-1 is gone; Kafka was back in {cluster_kafka.start():.0f} s")
        upgrade.result(HELM_BOUND_S)
    assert sorted(release.processes()) == ["tb-0"]
    say("helm upgrade is done. " + workbench.assert_exactly_once("scaled-", Calls(calls)))
    assert namespace.get("pvc", "journal-tb-1")["metadata"]["uid"] == claim, "the volume is kept"

    release.upgrade()
    release.ready()
    now = release.status("tb-1")["journal"]
    assert (now["id"], namespace.get("pvc", "journal-tb-1")["metadata"]["uid"]) == (journal, claim)
    before = now["last_id"]
    calls += _called(workbench, release, "scaled-again", 200)
    assert release.status("tb-1")["journal"]["last_id"] > before, "it takes webhooks again"
    say("2 replicas again. " + workbench.assert_exactly_once("scaled-", Calls(calls)))


def test_what_a_replica_holds_when_its_release_gets_another_name_is_forwarded_once(
    installed: Release, workbench: Workbench, cluster_kafka: ClusterKafka, namespace: Namespace, say: Say
) -> None:
    moved = Release(namespace, "moved", installed.credentials)
    moved.install({"replicaCount": 1})
    until(lambda: "status" in workbench.reach(f"{moved.url}/read")[0], "the Service leads to the bridge", 30)
    claim = namespace.get("pvc", "journal-moved-0")["metadata"]["uid"]
    cluster_kafka.stop()
    calls = _called(workbench, moved, "moved", 200)
    pending = moved.status("moved-0")["journal"]["pending"]
    assert pending > 0, "the journal holds what Kafka has not got"
    say(f"Kafka is away, and the journal of moved-0 holds {pending} entries; the full name becomes moved-on")

    with ThreadPoolExecutor(1) as background:
        upgrade = background.submit(moved.upgrade, {"replicaCount": 1, "fullnameOverride": "moved-on"})
        until(lambda: not moved.uid("moved-0"), "moved-0 is gone", 120)
        assert not upgrade.done(), "the upgrade waits for the journal"
        say(f"moved-0 is gone; Kafka was back in {cluster_kafka.start():.0f} s")
        upgrade.result(HELM_BOUND_S)
    assert sorted(moved.processes()) == ["moved-on-0"]
    say("helm upgrade is done. " + workbench.assert_exactly_once("moved-", calls))
    assert namespace.get("pvc", "journal-moved-0")["metadata"]["uid"] == claim, "the volume is kept"
    moved.uninstall()


def test_an_upgrade_keeps_the_replicas_that_the_autoscaler_chose(
    release: Release, namespace: Namespace, say: Say
) -> None:
    scaled = {"autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 3}}
    release.upgrade(scaled)
    # In place of the autoscaler, which would have to see load.
    namespace.kubectl("scale", f"statefulset/{release.name}", "--replicas=3")
    release.ready(3)
    release.upgrade({**scaled, "minReadySeconds": 4})
    assert namespace.get("statefulset", release.name)["spec"]["replicas"] == 3
    release.ready(3)
    release.upgrade()
    until(lambda: sorted(release.processes()) == ["tb-0", "tb-1"], "tb-2 is gone", 120)
    say("3 replicas stayed 3, until there was no autoscaler")
    namespace.kubectl("delete", "pvc", "journal-tb-2", "--wait=false")
