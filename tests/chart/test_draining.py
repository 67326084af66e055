"""What becomes of journals whose replica is no more: which claims are found, and the Jobs that drain them."""

from pathlib import Path
from typing import Any

import pytest

from bridge.cli.health import ADMIN_URL_VARIABLE
from tests.chart.api_server import Cluster, claims_of, serving
from tests.chart.rendering import (
    Object,
    RefusedError,
    bridge_of,
    grace_s,
    of_kind,
    only,
    parsed,
    refusal,
    template_on,
)

CLAIMS = claims_of(*(f"journal-tb-treble-bridge-{ordinal}" for ordinal in range(4)))


def rendered_on(
    cluster: Cluster, folder: Path, overrides: str = "", name: str = "minimal", release: str = "tb"
) -> list[Object]:
    with serving(cluster, folder) as kubeconfig:
        return parsed(template_on(kubeconfig, name, overrides, release=release))


def drained(documents: list[Object]) -> list[str]:
    """The claims that Jobs mount."""
    jobs = [document["spec"]["template"]["spec"] for document in documents if document["kind"] == "Job"]
    return [
        volume["persistentVolumeClaim"]["claimName"]
        for spec in jobs
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    ]


def replicas(documents: list[Object]) -> int:
    (found,) = (document for document in documents if document["kind"] == "StatefulSet")
    return int(found["spec"]["replicas"])


def test_claims_beyond_the_replicas_are_drained(tmp_path: Path) -> None:
    found = rendered_on(Cluster(CLAIMS), tmp_path)
    assert drained(found) == ["journal-tb-treble-bridge-2", "journal-tb-treble-bridge-3"]
    assert drained(rendered_on(Cluster(CLAIMS), tmp_path, "replicaCount: 4")) == []
    assert drained(rendered_on(Cluster(CLAIMS), tmp_path, "drain: {enabled: false}")) == []


@pytest.mark.parametrize("override", ["fullnameOverride: hooks", "nameOverride: hooks"])
def test_claims_of_a_former_name_are_drained(override: str, tmp_path: Path) -> None:
    assert drained(rendered_on(Cluster(CLAIMS), tmp_path, override)) == list(CLAIMS)


def test_claims_of_others_and_claims_that_end_are_left_alone(tmp_path: Path) -> None:
    claims = {
        **CLAIMS,
        **claims_of("journal-tb-treble-bridge-7", "journal-else-0", release="else"),
        **claims_of("data-tb-kafka-0"),
        "journal-by-hand": {},
    }
    ending = frozenset({"journal-tb-treble-bridge-2"})
    assert drained(rendered_on(Cluster(claims, ending), tmp_path)) == ["journal-tb-treble-bridge-3"]


def test_the_labels_by_which_claims_are_found_are_on_them() -> None:
    (claim,) = only("StatefulSet", "minimal")["spec"]["volumeClaimTemplates"]
    (labels,) = claims_of("any").values()
    assert labels.items() <= claim["metadata"]["labels"].items()


def test_who_may_not_list_claims_can_install(tmp_path: Path) -> None:
    forbidden = Cluster(CLAIMS, may_list_claims=False)
    with pytest.raises(RefusedError, match="cannot list"):
        rendered_on(forbidden, tmp_path)
    for values in ("drain: {discover: false}", "drain: {enabled: false}", "persistence: {enabled: false}"):
        assert drained(rendered_on(forbidden, tmp_path, values)) == []
    named = "drain: {discover: false, claims: [journal-tb-treble-bridge-3]}"
    assert drained(rendered_on(forbidden, tmp_path, named)) == ["journal-tb-treble-bridge-3"]


@pytest.mark.parametrize(("live", "wanted"), [(None, 2), (1, 2), (4, 4), (9, 6)])
def test_an_autoscaled_release_keeps_its_replicas_within_the_bounds(
    live: int | None, wanted: int, tmp_path: Path
) -> None:
    cluster = Cluster(CLAIMS, replicas={} if live is None else {"tb-treble-bridge": live})
    found = rendered_on(cluster, tmp_path, "drain: {claims: []}", "autoscaling")
    assert replicas(found) == wanted
    assert drained(found) == [claim for claim in CLAIMS if int(claim[-1]) >= wanted]
    assert only("StatefulSet", "autoscaling")["spec"]["replicas"] == 2


@pytest.mark.parametrize(("live", "wanted"), [(None, 2), (0, 0), (1, 1), (3, 3)])
def test_without_a_number_there_are_as_many_replicas_as_somebody_elses_autoscaler_says(
    live: int | None, wanted: int, tmp_path: Path
) -> None:
    cluster = Cluster(CLAIMS, replicas={} if live is None else {"tb-treble-bridge": live})
    found = rendered_on(cluster, tmp_path, "replicaCount: null")
    assert replicas(found) == wanted
    assert drained(found) == [claim for claim in CLAIMS if int(claim[-1]) >= wanted]
    assert only("StatefulSet", "minimal", "replicaCount: null")["spec"]["replicas"] == 2


@pytest.mark.parametrize("ordinal", [0, 1])
def test_the_claim_of_a_replica_that_runs_is_not_drained(ordinal: int) -> None:
    message = refusal("minimal", f"drain: {{claims: [journal-tb-treble-bridge-{ordinal}]}}")
    assert f"journal-tb-treble-bridge-{ordinal} belongs to a replica that runs" in message
    (job,) = of_kind("Job", "minimal", "drain: {claims: [journal-tb-treble-bridge-2]}")
    assert job["metadata"]["name"] == "tb-treble-bridge-drain-2"
    assert of_kind("Job", "minimal") == []


def test_claims_that_vanish_with_their_replica_are_not_drained_as_well() -> None:
    deleted = "persistence: {retentionPolicy: {whenScaled: Delete}}"
    message = refusal("minimal", deleted)
    assert "expected Retain, or drain.enabled: false" in message
    stateful = only("StatefulSet", "minimal", f"{{{deleted}, drain: {{enabled: false}}}}")["spec"]
    assert stateful["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Delete"


def job_of(overrides: str = "") -> dict[str, Any]:
    (job,) = of_kind("Job", "minimal", f"{{drain: {{claims: [journal-old-0]}}, {overrides}}}")
    assert isinstance(job, dict)
    return job


def test_a_job_that_drains_waits_for_the_pods_grace_period() -> None:
    for job in of_kind("Job", "autoscaling"):
        (drain,) = job["spec"]["template"]["spec"]["containers"]
        arguments = drain["args"]
        assert arguments[:3] == ["journal", "drain", "/var/lib/treble-bridge"]
        assert arguments[arguments.index("--wait") + 1] == f"{grace_s(name='autoscaling')}s"
        assert arguments[arguments.index("--deadline") + 1] == "20m"
        assert drain["env"] == [each for each in bridge_of("autoscaling")["env"] if each["name"] != ADMIN_URL_VARIABLE]
        claims = [volume["persistentVolumeClaim"] for volume in job["spec"]["template"]["spec"]["volumes"][:1]]
        assert claims == [{"claimName": job["metadata"]["annotations"]["treble-bridge/claim"]}]
    assert len(of_kind("Job", "autoscaling")) == 2


def test_a_job_that_never_begins_ends_all_the_same_and_is_not_kept_for_ever() -> None:
    job = job_of()["spec"]
    assert job["activeDeadlineSeconds"] == grace_s() + 4 * 60 + 5 * 60
    assert job["ttlSecondsAfterFinished"] == 7 * 86400
    overrides = "drain: {claims: [journal-old-0], wait: 1500ms, deadline: 1.5h, ttlSecondsAfterFinished: 60}"
    (job,) = (each["spec"] for each in of_kind("Job", "minimal", overrides))
    assert job["activeDeadlineSeconds"] == 2 + 5400 + 5 * 60
    assert job["ttlSecondsAfterFinished"] == 60


def test_a_jobs_pod_goes_where_the_bridges_pods_go_and_is_told_what_they_are_told() -> None:
    node = "{requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: []}]}}"
    overrides = f"""
drain: {{claims: [journal-old-0], podAnnotations: {{sidecar.example.com/inject: "false", said: for the Job}}}}
podAnnotations: {{said: for all, more: "yes"}}
podLabels: {{team: crm}}
affinity: {{nodeAffinity: {node}, podAntiAffinity: {{}}}}
nodeSelector: {{disk: fast}}
tolerations: [{{operator: Exists}}]
extraInitContainers: [{{name: first, image: "a:1"}}]
extraContainers: [{{name: beside, image: "a:1"}}]
"""
    (job,) = of_kind("Job", "minimal", overrides)
    template = job["spec"]["template"]
    annotations = template["metadata"]["annotations"]
    assert annotations["treble-bridge/claim"] == "journal-old-0"
    assert annotations["sidecar.example.com/inject"] == "false"
    assert (annotations["said"], annotations["more"]) == ("for the Job", "yes")
    assert template["metadata"]["labels"]["team"] == "crm"
    spec = template["spec"]
    assert list(spec["affinity"]) == ["nodeAffinity"]
    assert (spec["nodeSelector"], spec["tolerations"]) == ({"disk": "fast"}, [{"operator": "Exists"}])
    assert [container["name"] for container in spec["initContainers"]] == ["first"]
    assert [container["name"] for container in spec["containers"]] == ["drain"]  # another would go on for ever


@pytest.mark.parametrize("claim", ["journal-old-0", f"journal-{'n' * 52}-12345", "c" * 200])
def test_the_name_of_a_job_fits_a_label(claim: str) -> None:
    (job,) = of_kind("Job", "minimal", f"{{fullnameOverride: {'n' * 60}, drain: {{claims: [{claim}]}}}}")
    assert len(job["metadata"]["name"]) <= 63
    assert job["metadata"]["name"].startswith("nnn")
