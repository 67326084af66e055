"""`helm upgrade` with another configuration: taken by the running pods where they can, else by new ones."""

import pytest

from tests.cluster.conftest import Say
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
    before = release.processes()
    load = workbench.load("replace", release.url)
    load.goes_on()
    release.upgrade({"config": {"journal": {"retain": "2d"}}})
    # Helm's --wait is content with enough ready pods, and the last one may still be replaced.
    until(lambda: all(release.uid(pod) not in ("", before[pod][0]) for pod in before), "both pods are new", 120)
    release.ready()
    load.goes_on()
    calls = load.stop()
    say(f"both pods are new. {calls}")
    assert not calls.failed()
    say(workbench.assert_exactly_once("replace-", calls))
