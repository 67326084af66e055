"""Values that look like something else, that are null, or that say what the chart says itself."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.api_server import Cluster, claims_of, serving
from tests.chart.rendering import (
    CHART,
    CI,
    RefusedError,
    bridge_of,
    kubernetes_knows,
    objects,
    of_kind,
    only,
    parsed,
    refusal,
    template,
    template_on,
)

LOOKALIKES = """
config:
  journal: {path: /1}
  sources:
    "2024": {auth: [{bearer: "${file:/run/secrets/treble-bridge/0x10}", header: {name: X, value: "${Y}"}}]}
fullnameOverride: "true"
commonLabels: {"1": "2", "true": "no"}
image: {repository: "77", tag: "0456"}
imagePullSecrets: [{name: "1"}]
secrets:
  env: {"Y": {secretName: "123", key: "0456"}, TREBLE_TOKEN: {secretName: "1e3", key: "true"}}
  files: {"0x10": {secretName: "0x10", key: "null"}}
persistence: {storageClass: "1", size: "8589934592", annotations: {"1": "2"}, labels: {"3": "4"}}
drain: {claims: ["7"], annotations: {"1": "2"}, podAnnotations: {"1": "off"}}
service: {type: LoadBalancer, loadBalancerClass: "1", appProtocol: "5", labels: {a: "1"}, annotations: {a: "true"}}
adminService: {annotations: {a: "1"}}
ingress: {enabled: true, className: "1", hosts: ["1.2"], labels: {a: "1"}, annotations: {a: "1"}, paths: ["/1"]}
podDisruptionBudget: {annotations: {a: "1"}}
networkPolicy: {enabled: true, http: {namespaces: ["1"], podLabels: {a: "1"}}, admin: {podLabels: {a: "yes"}}}
serviceMonitor: {enabled: true, labels: {a: "1"}, jobLabel: "1"}
prometheusRule: {enabled: true, labels: {a: "1"}, alertLabels: {a: "1"}}
dashboard: {enabled: true, uid: "12", labels: {a: "1"}, annotations: {a: "1"}}
serviceAccount: {name: "1", annotations: {a: "1"}}
nodeSelector: {a: "true"}
priorityClassName: "true"
schedulerName: "1"
runtimeClassName: "2"
dnsPolicy: "None"
podAnnotations: {a: "1"}
podLabels: {a: "1"}
tls:
  enabled: true
  secretName: "1"
"""

# What sends has no certificate to show, so it can't be had beside a CA of clients.
SENDS = LOOKALIKES + 'tests: {send: {enabled: true, source: "2024", type: "1"}}\n'
ASKS_FOR_CERTIFICATES = LOOKALIKES + '  clientCA: {secretName: "2", key: "3"}\n'


class _Strict(yaml.CSafeLoader):
    """A key that comes twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        made = super().construct_mapping(node, deep)
        assert len(made) == len(node.value), f"a key comes twice, {node.start_mark}"
        return made


def strictly(text: str) -> list[Any]:
    return [document for document in yaml.load_all(text, _Strict) if document]


def labels_and_annotations(node: Any) -> Iterator[dict[Any, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"labels", "annotations", "matchLabels", "nodeSelector"} and isinstance(value, dict):
                yield value
            yield from labels_and_annotations(value)
    elif isinstance(node, list):
        for value in node:
            yield from labels_and_annotations(value)


@pytest.mark.parametrize("values", [SENDS, ASKS_FOR_CERTIFICATES])
def test_text_that_looks_like_a_number_or_a_boolean_stays_text(values: str) -> None:
    text = template("minimal", values, release="123", namespace="456")
    documents = strictly(text)
    for document in documents:
        metadata = document["metadata"]
        assert metadata["namespace"] == "456"
        assert isinstance(metadata["name"], str), document["kind"]
        for table in labels_and_annotations(document):
            assert all(isinstance(value, str) for pair in table.items() for value in pair), table
    kubernetes_knows(text)


def test_a_secret_whose_name_or_key_is_digits_is_named_by_these_digits() -> None:
    named = [entry for entry in bridge_of("minimal", SENDS)["env"] if "valueFrom" in entry]
    variables = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in named}
    assert variables["Y"] == {"name": "123", "key": "0456"}
    assert variables["TREBLE_TOKEN"] == {"name": "1e3", "key": "true"}
    spec = only("StatefulSet", "minimal", SENDS)["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    (source,) = volumes["secrets"]["projected"]["sources"]
    assert source["secret"] == {"name": "0x10", "items": [{"key": "null", "path": "0x10"}]}
    send = next(pod for pod in of_kind("Pod", "minimal", SENDS) if pod["metadata"]["name"] == "true-test-send")
    arguments = send["spec"]["containers"][0]["args"]
    assert arguments[arguments.index("--source") + 1] == "2024"
    spec = only("StatefulSet", "minimal", ASKS_FOR_CERTIFICATES)["spec"]["template"]["spec"]
    (tls,) = (volume["projected"]["sources"] for volume in spec["volumes"] if volume["name"] == "tls")
    assert tls[-1]["secret"] == {"name": "2", "items": [{"key": "3", "path": "client-ca.crt"}]}


@pytest.mark.parametrize(
    ("release", "overrides", "complaint"),
    [
        ("2024-hooks", "", "objects would be called 2024-hooks-treble-bridge"),
        ("tb", "fullnameOverride: Under_Score", "objects would be called Under_Score"),
        ("tb.eu", "", "objects would be called tb.eu-treble-bridge"),
        ("tb", "fullnameOverride: hooks--", "objects would be called hooks-"),
        ("2024-hooks", "fullnameOverride: hooks-2024", ""),
        ("tb.eu", "fullnameOverride: h", ""),
    ],
)
def test_a_name_that_kubernetes_takes_for_no_service_is_refused(release: str, overrides: str, complaint: str) -> None:
    if not complaint:
        assert parsed(template("minimal", overrides, release=release))
        return
    with pytest.raises(RefusedError, match=rf"fullnameOverride: {complaint}\S*, which Kubernetes refuses"):
        template("minimal", overrides, release=release)


@pytest.mark.parametrize(
    "overrides",
    [
        "commonLabels: {a: 1}",
        "podLabels: {a: true}",
        "podAnnotations: {a: 1}",
        "nodeSelector: {disk: true}",
        "service: {annotations: {a: 1}}",
        "persistence: {annotations: {a: 1}}",
        "prometheusRule: {labels: {a: 1}}",
        "networkPolicy: {admin: {podLabels: {a: 1}}}",
    ],
)
def test_labels_and_annotations_that_are_no_text_are_refused(overrides: str) -> None:
    assert "want string" in refusal("minimal", overrides)


def test_what_the_chart_says_itself_is_said_once_and_wins() -> None:
    overrides = """
commonLabels: {app.kubernetes.io/name: other, app.kubernetes.io/version: "9", helm.sh/chart: other, team: common}
podLabels: {app.kubernetes.io/instance: other, app.kubernetes.io/component: other, team: pods}
podAnnotations: {checksum/restart: other, treble-bridge/claim: other, said: "1"}
persistence: {labels: {app.kubernetes.io/instance: other, team: claims}}
drain: {claims: [journal-old-0], annotations: {helm.sh/hook: pre-install}, podAnnotations: {treble-bridge/claim: other}}
prometheusRule: {enabled: true, labels: {team: rules, app.kubernetes.io/managed-by: other}}
dashboard: {enabled: true, labels: {app.kubernetes.io/name: other}}
service: {labels: {app.kubernetes.io/component: admin, team: service}}
"""
    documents = strictly(template("minimal", overrides))
    for document in documents:
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "treble-bridge", document["kind"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["app.kubernetes.io/version"] != "9"
    teams = {document["kind"]: document["metadata"]["labels"]["team"] for document in documents}
    assert (teams["PrometheusRule"], teams["ConfigMap"]) == ("rules", "common")
    stateful = only("StatefulSet", "minimal", overrides)["spec"]
    pod = stateful["template"]["metadata"]
    assert stateful["selector"]["matchLabels"].items() <= pod["labels"].items()
    assert (pod["labels"]["team"], pod["annotations"]["said"]) == ("pods", "1")
    assert pod["annotations"]["checksum/restart"] != "other"
    (claim,) = stateful["volumeClaimTemplates"]
    assert claim["metadata"]["labels"]["app.kubernetes.io/instance"] == "tb"
    assert claim["metadata"]["labels"]["team"] == "claims"
    job = only("Job", "minimal", overrides)
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    assert job["spec"]["template"]["metadata"]["annotations"]["treble-bridge/claim"] == "journal-old-0"


def test_the_selector_does_not_follow_the_names() -> None:
    before = only("StatefulSet", "minimal")["spec"]["selector"]
    assert before["matchLabels"] == {
        "app.kubernetes.io/name": "treble-bridge",
        "app.kubernetes.io/instance": "tb",
        "app.kubernetes.io/component": "bridge",
    }
    assert only("StatefulSet", "minimal", "nameOverride: hooks")["metadata"]["name"] == "tb-hooks"
    for override in ("nameOverride: hooks", "fullnameOverride: hooks", "{nameOverride: a, fullnameOverride: b}"):
        assert only("StatefulSet", "minimal", override)["spec"]["selector"] == before


@pytest.mark.parametrize("kind", ["startup", "liveness", "readiness"])
def test_a_probe_that_is_null_is_left_out_and_one_without_fields_asks_as_kubernetes_does(kind: str) -> None:
    assert f"{kind}Probe" not in bridge_of("minimal", f"probes: {{{kind}: null}}")
    bare = "{periodSeconds: null, timeoutSeconds: null, failureThreshold: null}"
    assert list(bridge_of("minimal", f"probes: {{{kind}: {bare}}}")[f"{kind}Probe"]) == ["httpGet"]


def nulls(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Null for each key that is empty by default and not given: what `key:` is with nothing behind it."""
    found = {
        key: nulls(part, given.get(key) or {}) for key, part in defaults.items() if part and isinstance(part, dict)
    }
    empty = {key: None for key, part in defaults.items() if part in ({}, [], "") and key not in given}
    return {key: part for key, part in found.items() if part} | empty


@pytest.mark.parametrize("name", ["ingress-tls", "monitoring", "autoscaling", "locked-down"])
def test_a_key_without_a_value_is_at_its_default(name: str) -> None:
    given = yaml.safe_load(CI[name].read_text(encoding="utf-8"))
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    overrides = nulls({key: value for key, value in defaults.items() if key != "config"}, given)
    assert len(overrides) > 20
    assert template(name, json.dumps(overrides)) == template(name)


@pytest.mark.parametrize(
    ("name", "path", "advice"),
    [
        ("minimal", "config", "expected config.kafka and config.sources"),
        *(
            ("minimal", section, f"leave it out, or {section}: {{enabled: false}}")
            for section in (
                *("ingress", "httpRoute", "tls", "autoscaling", "networkPolicy"),
                *("serviceMonitor", "prometheusRule", "tests"),
            )
        ),
        *(
            ("locked-down", path, "leave it out")
            for path in (
                *("image", "image.repository", "secrets", "service", "adminService", "adminService.port", "preStop"),
                *("probes", "serviceAccount", "persistence", "persistence.retentionPolicy", "drain", "drain.deadline"),
                *("networkPolicy.http", "networkPolicy.kafka", "networkPolicy.dns", "networkPolicy.dns.port"),
                *("tls.certManager", "tests.send"),
            )
        ),
        ("minimal", "persistence.size", "leave it out"),
        ("ingress-tls", "tls.clientCA", "leave it out"),
        ("ingress-tls", "tls.clientCA.key", "leave it out"),
    ],
)
def test_a_section_without_anything_in_it_is_named_with_what_to_do(name: str, path: str, advice: str) -> None:
    assert f" {path}: null is no value: {advice}. " in refusal(name, json.dumps(null_at(path))) + " "


@pytest.mark.parametrize(
    "path",
    [
        *("podDisruptionBudget", "dashboard", "podMonitor", "probes.liveness", "resources", "tls.clientCA"),
        *("networkPolicy.http", "httpRoute.backendTLS"),
    ],
)
def test_a_section_that_nothing_needs_may_be_null(path: str) -> None:
    values = {"serviceMonitor": {"enabled": True}, **null_at(path)}
    found = {document["kind"] for document in objects("minimal", json.dumps(values))}
    assert {"StatefulSet", "ServiceMonitor"} <= found
    assert ("PodDisruptionBudget" in found) == (path != "podDisruptionBudget")


def null_at(path: str) -> dict[str, Any]:
    """Values in which it is null."""
    first, *rest = reversed(path.split("."))
    values: dict[str, Any] = {first: None}
    for key in rest:
        values = {key: values}
    return values


def test_a_storage_class_can_be_the_clusters_one_of_its_own_or_none() -> None:
    def of(value: str) -> Any:
        (claim,) = only("StatefulSet", "minimal", f"persistence: {{storageClass: {value}}}")["spec"][
            "volumeClaimTemplates"
        ]
        return claim["spec"].get("storageClassName")

    assert (of('""'), of("fast"), of('"-"')) == (None, "fast", "")


def test_pods_get_what_else_a_pod_can_be_given() -> None:
    overrides = """
drain: {claims: [journal-old-0]}
dnsPolicy: None
dnsConfig: {nameservers: ["10.0.0.10"]}
hostAliases: [{ip: "10.0.0.11", hostnames: [kafka]}]
schedulerName: other
runtimeClassName: gvisor
"""
    found = [*of_kind("StatefulSet", "minimal", overrides), *of_kind("Job", "minimal", overrides)]
    specs = [document["spec"]["template"]["spec"] for document in found]
    specs += [pod["spec"] for pod in of_kind("Pod", "minimal", overrides)]
    assert len(specs) == 4
    for spec in specs:
        assert (spec["dnsPolicy"], spec["dnsConfig"]) == ("None", {"nameservers": ["10.0.0.10"]})
        assert spec["hostAliases"] == [{"ip": "10.0.0.11", "hostnames": ["kafka"]}]
        assert (spec["schedulerName"], spec["runtimeClassName"]) == ("other", "gvisor")


def test_objects_get_labels_and_annotations_of_ones_own() -> None:
    overrides = """
service: {labels: {a: service}}
ingress: {enabled: true, labels: {a: ingress}}
persistence: {labels: {a: claims}}
podDisruptionBudget: {annotations: {a: budget}}
"""
    labels = {document["kind"]: document["metadata"]["labels"].get("a") for document in objects("minimal", overrides)}
    assert labels["Ingress"] == "ingress"
    services = {
        each["metadata"]["name"]: each["metadata"]["labels"] for each in of_kind("Service", "minimal", overrides)
    }
    assert [name for name, found in services.items() if found.get("a") == "service"] == ["tb-treble-bridge"]
    assert only("PodDisruptionBudget", "minimal", overrides)["metadata"]["annotations"] == {"a": "budget"}
    assert only("HTTPRoute", "gateway", "httpRoute: {labels: {a: route}}")["metadata"]["labels"]["a"] == "route"


def umbrella(folder: Path, *aliases: str) -> Path:
    """A chart that holds the bridge, under other names."""
    chart = folder / "umbrella"
    shutil.copytree(CHART, chart / "charts" / "treble-bridge")
    parts = [
        {"name": "treble-bridge", "version": "0.1.0", "alias": alias, "condition": f"{alias}.enabled"}
        for alias in aliases
    ]
    about = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": parts}
    (chart / "Chart.yaml").write_text(json.dumps(about), encoding="utf-8")
    return chart


def test_a_chart_that_holds_the_bridge_can_switch_it_off_and_set_what_is_global(tmp_path: Path) -> None:
    chart = umbrella(tmp_path, "one", "two")
    values = yaml.safe_load((CHART / "ci" / "minimal-values.yaml").read_text(encoding="utf-8"))
    both = {"global": {"region": "eu"}, "one": {**values, "enabled": True}, "two": {**values, "enabled": False}}

    def stateful(given: dict[str, Any]) -> list[str]:
        documents = parsed(template("", json.dumps(given), chart=chart))
        return [document["metadata"]["name"] for document in documents if document["kind"] == "StatefulSet"]

    assert stateful(both) == ["tb-one"]
    both["two"]["enabled"] = True
    assert stateful(both) == ["tb-one", "tb-two"]


def test_two_bridges_in_one_release_leave_each_others_claims_alone(tmp_path: Path) -> None:
    chart = umbrella(tmp_path, "one", "two")
    values = yaml.safe_load((CHART / "ci" / "minimal-values.yaml").read_text(encoding="utf-8"))
    claims = {
        **claims_of("journal-tb-one-0", "journal-tb-one-2", chart="one"),
        **claims_of("journal-tb-two-0", "journal-tb-two-3", chart="two"),
    }
    with serving(Cluster(claims), tmp_path) as kubeconfig:
        documents = parsed(template_on(kubeconfig, "", json.dumps({"one": values, "two": values}), chart=chart))
    jobs = {
        document["metadata"]["annotations"]["treble-bridge/claim"]: document["metadata"]["name"]
        for document in documents
        if document["kind"] == "Job"
    }
    assert jobs == {"journal-tb-one-2": "tb-one-drain-2", "journal-tb-two-3": "tb-two-drain-3"}
