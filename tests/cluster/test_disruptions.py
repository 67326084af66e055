"""Pods that are replaced, killed and evicted while webhooks come in."""

import json

import pytest

from tests.cluster.conftest import Say
from tests.cluster.endpoints import ATTEMPTS_MAX, Endpoints
from tests.cluster.kubernetes import CommandError, Namespace, run, until
from tests.cluster.release import Release
from tests.cluster.workbench import Workbench

pytestmark = pytest.mark.timeout(420)

BUDGET = "violate the pod's disruption budget"
# In the background and a moment later, so that the shell has ended before its container does.
_KILL = """
for process in /proc/[0-9]*; do
  if tr '\\0' ' ' < $process/cmdline | grep -q 'treble-bridge run '; then (sleep 0.3; kill -9 ${process#/proc/}) & fi
done >/dev/null 2>&1
"""


def test_a_rolling_restart_loses_nothing_and_fails_no_call(
    release: Release, workbench: Workbench, namespace: Namespace, say: Say
) -> None:
    for attempt in range(ATTEMPTS_MAX):
        before = release.processes()
        name = f"restart{attempt}"
        with Endpoints(namespace, release.name, release.selector) as endpoints:
            load = workbench.load(name, release.url, rate=160, callers=16)
            load.goes_on()
            namespace.kubectl("rollout", "restart", f"statefulset/{release.name}")
            namespace.rolled_out(f"statefulset/{release.name}")
            load.goes_on()
            calls = load.stop()
        say(str(calls))
        assert all(release.processes()[pod][0] != before[pod][0] for pod in before), "both pods are new"
        say(workbench.assert_exactly_once(f"{name}-", calls))
        if not (calls.failed() and endpoints.late):
            break
        say(f"says nothing: for {endpoints.behind_s:.0f} s the Service did not lead to the pods that were ready")
    assert not calls.failed()


def test_a_pod_deleted_by_force_loses_nothing_that_was_acknowledged(
    release: Release, workbench: Workbench, namespace: Namespace, say: Say
) -> None:
    load = workbench.load("force", release.url)
    load.goes_on()
    claim = namespace.get("pvc", "journal-tb-1")["metadata"]["uid"]
    journal = release.status("tb-1")["journal"]["id"]
    for _ in range(2):
        uid = release.uid("tb-1")
        namespace.kubectl("delete", "pod", "tb-1", "--grace-period=0", "--force")
        until(lambda uid=uid: release.uid("tb-1") not in ("", uid), "a new pod is there", 60)  # type: ignore[misc]
        release.ready()
        load.goes_on(50)
    load.goes_on()
    calls = load.stop()
    say(str(calls))
    assert namespace.get("pvc", "journal-tb-1")["metadata"]["uid"] == claim
    assert release.status("tb-1")["journal"]["id"] == journal, "it went on with its journal"
    assert len(calls.failed()) <= 2 * 8, "at the most what was under way, in each of two kills"
    say(workbench.assert_exactly_once("force-", calls))


def test_a_process_killed_in_its_pod_loses_nothing_that_was_acknowledged(
    installed: Release, workbench: Workbench, namespace: Namespace, say: Say
) -> None:
    # No signal from inside ends a container's first process. Where a pod's processes see each other, it isn't that.
    alone = Release(namespace, "killed", installed.credentials)
    alone.install({"replicaCount": 1}, wait=False)
    shared = {"spec": {"template": {"spec": {"shareProcessNamespace": True}}}}
    namespace.kubectl("patch", "statefulset/killed", "-p", json.dumps(shared))
    namespace.rolled_out("statefulset/killed")
    alone.ready(1)
    load = workbench.load("killed", alone.url)
    load.goes_on()
    uid, restarts = alone.processes()["killed-0"]
    for kill in (1, 2):
        namespace.exec("killed-0", "sh", "-c", _KILL, container="bridge")
        again = {"killed-0": (uid, restarts + kill)}
        until(lambda again=again: alone.processes() == again, "the container was started again", 60)  # type: ignore[misc]
        alone.ready(1)
        load.goes_on()
    calls = load.stop()
    say(str(calls))
    say(workbench.assert_exactly_once("killed-", calls))
    alone.uninstall()


def test_the_disruption_budget_lets_a_drained_node_take_one_pod_at_a_time(
    release: Release, workbench: Workbench, say: Say
) -> None:
    nodes = sorted({pod["spec"]["nodeName"] for pod in release.pods()})
    before = release.processes()
    load = workbench.load("drained", release.url)
    load.goes_on()
    selector = f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component=bridge"
    try:
        with pytest.raises(CommandError) as refused:
            # Only this release's pods are evicted; the nodes take no new ones meanwhile.
            run("kubectl", "drain", *nodes, f"--pod-selector={selector}", "--timeout=25s", "--delete-emptydir-data",
                "--ignore-daemonsets", timeout_s=60)  # fmt: skip
        assert BUDGET in str(refused.value)
        load.goes_on(50)
        after = release.processes()
        assert sum(after.get(pod) == process for pod, process in before.items()) == 1, "one of them stayed"
    finally:
        for node in nodes:
            run("kubectl", "uncordon", node)
    release.ready()
    load.goes_on()
    calls = load.stop()
    say(f"drain of {', '.join(nodes)}: one pod evicted, the other kept. {calls}")
    assert not calls.failed()
    say(workbench.assert_exactly_once("drained-", calls))
