"""The pods: what they may do, how they are asked, how long they have to end."""

import re
from typing import Any

import pytest

from bridge.cli.health import ADMIN_URL_VARIABLE
from bridge.settings.units import parse_duration
from tests.chart.rendering import bridge_of, every_values_file, grace_s, objects, of_kind, only, pods, refusal


@every_values_file
def test_every_pod_passes_the_restricted_pod_security_standard(name: str) -> None:
    found = list(pods(objects(name)))
    assert {where.partition(" ")[0] for where, _, _ in found} >= {"StatefulSet", "Pod"}
    for where, _, spec in found:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), where
        assert spec["securityContext"]["runAsNonRoot"] is True, where
        assert spec["securityContext"]["runAsUser"] > 0, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        kinds = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"}
        assert {key for volume in spec.get("volumes", []) for key in volume} <= {"name", "secret", *kinds}, where
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, where
            assert context["readOnlyRootFilesystem"] is True, where
            assert context["capabilities"] == {"drop": ["ALL"]}, where
            assert not any("hostPort" in port for port in container.get("ports", [])), where


@every_values_file
def test_no_pod_has_a_token_of_the_cluster(name: str) -> None:
    for where, _, spec in pods(objects(name)):
        assert spec["automountServiceAccountToken"] is False, where
    for account in of_kind("ServiceAccount", name):
        assert account["automountServiceAccountToken"] is False


def test_the_test_of_readiness_asks_whether_events_reach_kafka_and_tries_for_a_while() -> None:
    (ready,) = (pod for pod in of_kind("Pod", "minimal") if pod["metadata"]["name"].endswith("-ready"))
    (container,) = ready["spec"]["containers"]
    assert container["args"][:3] == ["treble-bridge", "health", "--forwarding"]
    assert "sleep" in container["command"][-1]


def test_probes_ask_the_admin_port_and_a_full_journal_is_no_reason_to_kill() -> None:
    bridge = bridge_of("minimal")
    asked = {kind: bridge[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {
        "startup": {"path": "/livez", "port": "admin"},
        "liveness": {"path": "/livez", "port": "admin"},
        "readiness": {"path": "/readyz", "port": "admin"},
    }
    startup = bridge["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300


def test_ports_follow_the_configuration() -> None:
    ports = {port["name"]: port["containerPort"] for port in bridge_of("locked-down")["ports"]}
    assert ports == {"http": 9000, "admin": 9001}
    assert {port["name"]: port["containerPort"] for port in bridge_of("minimal")["ports"]} == {
        "http": 8080,
        "admin": 8081,
    }


SIX_ONLY = '{config: {server: {listen: ":8080"}, admin: {listen: "[::]:9001"}}, service: {ipFamilies: [IPv6]}}'


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ("{}", "http://127.0.0.1:8081"),
        ('config: {admin: {listen: ":9001"}}', "http://127.0.0.1:9001"),
        (SIX_ONLY, "http://[::1]:9001"),
        ('config: {admin: {listen: "10.0.0.7:9001"}}', "http://10.0.0.7:9001"),
        (f"env: [{{name: {ADMIN_URL_VARIABLE}, value: 'http://localhost:8081'}}]", "http://localhost:8081"),
    ],
)
def test_health_asks_the_admin_port_of_the_configuration(values: str, url: str) -> None:
    given = [entry["value"] for entry in bridge_of("minimal", values)["env"] if entry["name"] == ADMIN_URL_VARIABLE]
    assert given == [url]


@pytest.mark.parametrize(
    ("listens", "complaint"),
    [
        ("127.0.0.1:8080", "can't be reached from outside the pod"),
        ("0.0.0.0:0", "can't be reached from outside the pod"),
        ("${LISTEN:-0.0.0.0:8080}", "the chart needs the value: write it out"),
        ("0.0.0.0:8081", "another port than config.server.listen"),
    ],
)
def test_a_port_that_probes_or_services_could_not_reach_is_refused(listens: str, complaint: str) -> None:
    assert complaint in refusal("minimal", f'config: {{server: {{listen: "{listens}"}}}}')


@pytest.mark.parametrize(
    ("delay", "ack", "drain", "sleep"),
    [
        ("0s", "3s", "20s", 5),
        ("250ms", "4500ms", "1.5m", 0),
        ("0.1s", "0.1 s", "1d", 1),
        ("30s", "3s", "0s", 60),
    ],
)
def test_the_grace_period_is_the_sum_of_what_a_stop_may_take(delay: str, ack: str, drain: str, sleep: int) -> None:
    server = f'{{drain_delay: "{delay}", ack_deadline: "{ack}", drain_deadline: "{drain}"}}'
    seconds = sum(map(parse_duration, (delay, ack, drain)))
    least = sleep + seconds + 1 + 5
    assert least <= grace_s(f"{{config: {{server: {server}}}, preStop: {{sleepSeconds: {sleep}}}}}") < least + 1


def test_the_grace_period_of_the_defaults_and_one_that_is_given() -> None:
    assert grace_s() == 5 + 3 + 3 + 1 + 20 + 5
    assert grace_s("config: {server: {drain_delay: 0}}") == grace_s() - 3
    assert grace_s("terminationGraceMarginSeconds: 0") == grace_s() - 5
    assert grace_s("terminationGracePeriodSeconds: 7") == 7
    assert grace_s(name="autoscaling") == 0 + 2.5 + 2 + 1 + 60 + 5 + 0.5
    assert "the chart needs the value" in refusal("minimal", 'config: {server: {drain_deadline: "${DRAIN:-9s}"}}')


@pytest.mark.parametrize(("grace", "sleep", "fits"), [(5, 5, False), (3, 5, False), (6, 5, True), (0, 0, True)])
def test_a_grace_period_that_pre_stop_uses_up_is_refused(grace: int, sleep: int, *, fits: bool) -> None:
    overrides = f"{{terminationGracePeriodSeconds: {grace}, preStop: {{sleepSeconds: {sleep}}}}}"
    if fits:
        assert grace_s(overrides) == grace
    else:
        message = f"terminationGracePeriodSeconds: {grace} is over before preStop.sleepSeconds ({sleep}): expected more"
        assert message in refusal("minimal", overrides)


def test_each_replica_has_a_volume_of_its_own_where_the_journal_is() -> None:
    stateful = only("StatefulSet", "minimal")["spec"]
    (claim,) = stateful["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "journal"
    assert stateful["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    where = {mount["name"]: mount["mountPath"] for mount in bridge_of("minimal")["volumeMounts"]}
    assert where["journal"] == "/var/lib/treble-bridge"
    moved = {mount["name"]: mount["mountPath"] for mount in bridge_of("locked-down")["volumeMounts"]}
    assert moved["journal"] == "/var/lib/journal"


@pytest.mark.parametrize(
    ("size", "journal", "enough"),
    [
        ("4Gi", "2GiB", True),
        ("2Gi", "2GiB", False),
        ("2112Mi", "2GiB", False),  # 2008 MiB of it are free, once ext4 is on it
        ("2237Mi", "2GiB", False),
        ("2238Mi", "2GiB", True),
        ("10304Mi", "10GiB", False),
        ("102464Mi", "100GiB", False),
        ("105600Mi", "100GiB", True),
        ("2G", "2147483648", False),
        ("1.5Ti", "1TiB", True),
    ],
)
def test_a_volume_that_fills_before_the_journal_does_is_refused(size: str, journal: str, *, enough: bool) -> None:
    overrides = f"{{config: {{journal: {{max_bytes: {journal}}}}}, persistence: {{size: {size}}}}}"
    if enough:
        (claim,) = only("StatefulSet", "minimal", overrides)["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["resources"]["requests"]["storage"] == size
    else:
        assert f"persistence.size: {size} is too small" in refusal("minimal", overrides)


def restart_mark(overrides: str = "") -> str:
    annotations = only("StatefulSet", "minimal", overrides)["spec"]["template"]["metadata"]["annotations"]
    return str(annotations["checksum/restart"])


@pytest.mark.parametrize(
    ("config", "rolls"),
    [
        ("{topics: {partitions: 12}}", False),
        ("{sources: {treble: {timezone: America/Bogota}}}", False),
        ("{log: {level: debug}}", False),
        ("{log: {format: json}}", True),
        ("{kafka: {linger: 10ms}}", True),
        ("{journal: {max_bytes: 1GiB}}", True),
    ],
)
def test_pods_are_replaced_for_what_counts_only_after_a_restart(config: str, *, rolls: bool) -> None:
    assert (restart_mark(f"config: {config}") != restart_mark()) == rolls


@every_values_file
def test_every_selector_finds_its_pods_and_only_those(name: str) -> None:
    found = list(pods(objects(name)))
    components = {where: labels["app.kubernetes.io/component"] for where, labels, _ in found}

    def selected(selector: dict[str, str]) -> set[str]:
        return {components[where] for where, labels, _ in found if selector.items() <= labels.items()}

    for service in of_kind("Service", name):
        assert selected(service["spec"]["selector"]) == {"bridge"}
    for kind in ("StatefulSet", "PodDisruptionBudget", "PodMonitor"):
        for document in of_kind(kind, name):
            assert selected(document["spec"]["selector"]["matchLabels"]) == {"bridge"}
    for constraint in only("StatefulSet", name)["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
        assert selected(constraint["labelSelector"]["matchLabels"]) == {"bridge"}


def test_pods_keep_apart_softly_or_hard_or_not_at_all() -> None:
    def affinity(how: str) -> Any:
        return only("StatefulSet", "minimal", f"podAntiAffinity: {how}")["spec"]["template"]["spec"].get("affinity")

    assert set(affinity("soft")["podAntiAffinity"]) == {"preferredDuringSchedulingIgnoredDuringExecution"}
    assert set(affinity("hard")["podAntiAffinity"]) == {"requiredDuringSchedulingIgnoredDuringExecution"}
    assert affinity("none") is None


def test_an_autoscaler_owns_the_number_of_replicas() -> None:
    assert only("StatefulSet", "minimal")["spec"]["replicas"] == 2
    scaler = only("HorizontalPodAutoscaler", "autoscaling")["spec"]
    assert scaler["scaleTargetRef"]["name"] == only("StatefulSet", "autoscaling")["metadata"]["name"]
    assert (scaler["minReplicas"], scaler["maxReplicas"], len(scaler["metrics"])) == (2, 6, 2)


def test_an_image_is_named_by_tag_or_by_digest() -> None:
    assert re.fullmatch(r"treble-bridge:\d+\.\d+\.\d+", bridge_of("minimal")["image"])
    assert bridge_of("minimal", "image: {tag: dev}")["image"] == "treble-bridge:dev"
    assert bridge_of("locked-down")["image"].startswith("registry.example.com/crm/treble-bridge@sha256:0123")
    message = refusal("locked-down", "image: {tag: dev}")
    assert "image.tag has no effect beside image.digest: expected image.digest: '' to use the tag" in message
    assert bridge_of("locked-down", "image: {tag: dev, digest: ''}")["image"].endswith("/treble-bridge:dev")


def test_what_is_extra_stands_beside_what_is_the_charts() -> None:
    spec = only("StatefulSet", "locked-down")["spec"]["template"]["spec"]
    assert [container["name"] for container in spec["containers"]] == ["bridge", "beside"]
    assert [container["name"] for container in spec["initContainers"]] == ["hello"]
    assert {"more", "config"} <= {volume["name"] for volume in spec["volumes"]}
    assert {"name": "KAFKA", "value": "kafka:9092"} in bridge_of("locked-down")["env"]
