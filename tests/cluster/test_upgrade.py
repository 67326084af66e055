"""`helm upgrade` with another configuration: taken by the running pods where they can, else by new ones."""

from collections.abc import Mapping

import pytest

from tests.cluster.conftest import Say
from tests.cluster.endpoints import ATTEMPTS_MAX, Endpoints
from tests.cluster.kubernetes import CommandError, until
from tests.cluster.release import SYNC_S, Release
from tests.cluster.workbench import Workbench

pytestmark = pytest.mark.timeout(420)

KEYS = {"user_session_keys": [{"key": "seen", "value": "yes"}]}


def _answers(release: Release, workbench: Workbench) -> list[str]:
    asked = [
        {
            "url": f"{release.pod_url(pod)}/webhooks/treble/read",
            "token": release.credentials["token"],
            "session": "probe-upgrade",
            "number": pod,
        }
        for pod in (0, 1)
    ]
    return [answer.get("body", "") for answer in workbench.reach(*asked)]


def test_a_change_that_can_be_reloaded_is_in_force_without_a_restart(
    release: Release, workbench: Workbench, say: Say
) -> None:
    processes = release.processes()
    load = workbench.load("reload", release.url)
    load.goes_on()
    release.upgrade({"config": {"sources": {"treble": {"responses": {"message.read": KEYS}}}}})
    until(
        lambda: all('"seen"' in body for body in _answers(release, workbench)), "both pods answer as configured", SYNC_S
    )
    load.goes_on()
    calls = load.stop()
    say(f"the answers changed in the running pods. {calls}")
    assert not calls.failed()
    assert release.processes() == processes


def test_a_wrong_configuration_is_refused_by_helm(release: Release) -> None:
    processes, revision = release.processes(), release.revision()
    with pytest.raises(CommandError, match="delivery"):
        release.upgrade({"config": {"kafka": {"delivery": "exactly_onse"}}})
    with pytest.raises(CommandError, match="timezon"):
        release.upgrade({"config": {"sources": {"treble": {"timezon": "UTC"}}}})
    assert (release.processes(), release.revision()) == (processes, revision)


def test_a_change_that_needs_a_restart_replaces_the_pods_and_fails_no_call(
    release: Release, workbench: Workbench, say: Say
) -> None:
    for days in range(2, 2 + ATTEMPTS_MAX):
        before = release.processes()
        with Endpoints(release.namespace, release.name, release.selector) as endpoints:
            load = workbench.load(f"replace{days}", release.url)
            load.goes_on()
            release.upgrade({"config": {"journal": {"retain": f"{days}d"}}})
            _both_are_new(release, before)
            load.goes_on()
            calls = load.stop()
        say(f"both pods are new. {calls}")
        say(workbench.assert_exactly_once(f"replace{days}-", calls))
        if not (calls.failed() and endpoints.late):
            break
        say(f"says nothing: for {endpoints.behind_s:.0f} s the Service did not lead to the pods that were ready")
    assert not calls.failed()


def _both_are_new(release: Release, before: Mapping[str, tuple[str, int]]) -> None:
    """Wait for it: Helm's --wait is content with enough ready pods, and the last one may still be replaced."""
    until(lambda: all(release.uid(pod) not in ("", before[pod][0]) for pod in before), "both pods are new", 120)
    release.ready()
