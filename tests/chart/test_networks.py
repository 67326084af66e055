"""Who reaches the bridge, by what way, and whom it reaches."""

from typing import Any

import pytest

from tests.chart.rendering import every_values_file, of_kind, only, refusal


def service(name: str, suffix: str = "", overrides: str = "") -> dict[str, Any]:
    (found,) = (
        document["spec"]
        for document in of_kind("Service", name, overrides)
        if document["metadata"]["name"] == f"tb-treble-bridge{suffix}"
    )
    assert isinstance(found, dict)
    return found


def test_the_public_and_the_admin_port_have_services_of_their_own() -> None:
    assert [port["targetPort"] for port in service("minimal")["ports"]] == ["http"]
    assert [port["targetPort"] for port in service("minimal", "-admin")["ports"]] == ["admin"]
    assert service("minimal", "-admin", "service: {type: LoadBalancer}")["type"] == "ClusterIP"
    headless = service("minimal", "-headless")
    assert headless["clusterIP"] == "None"
    assert only("StatefulSet", "minimal")["spec"]["serviceName"] == "tb-treble-bridge-headless"


@pytest.mark.parametrize(
    ("name", "port", "scheme"), [("minimal", 80, "http"), ("gateway", 443, "https"), ("ingress-tls", 443, "https")]
)
def test_the_services_port_says_what_is_spoken(name: str, port: int, scheme: str) -> None:
    (found,) = service(name)["ports"]
    assert (found["port"], found["name"], found["appProtocol"]) == (port, scheme, scheme)


@pytest.mark.parametrize(
    ("values", "protocol"),
    [
        ("{type: ClusterIP}", "http"),
        ("{type: NodePort}", "http"),
        ("{type: LoadBalancer}", None),  # some clouds probe / then, which is 404, and take the pods out
        ("{type: LoadBalancer, appProtocol: tcp}", "tcp"),
        ('{appProtocol: "-"}', None),
    ],
)
def test_a_load_balancer_is_not_told_how_to_probe(values: str, protocol: str | None) -> None:
    (port,) = service("minimal", "", f"service: {values}")["ports"]
    assert port.get("appProtocol") == protocol


BOTH = """
service: {ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv6, IPv4]}
config: {server: {listen: ":8080"}, admin: {listen: ":8081"}}
"""


def test_services_can_be_of_other_families_of_addresses() -> None:
    for suffix in ("", "-admin", "-headless"):
        assert not {"ipFamilies", "ipFamilyPolicy"} & set(service("minimal", suffix))
        both = service("minimal", suffix, BOTH)
        assert (both["ipFamilyPolicy"], both["ipFamilies"]) == ("PreferDualStack", ["IPv6", "IPv4"])


@pytest.mark.parametrize(
    ("families", "server", "admin", "complaint"),
    [
        ("[]", "[::]:8080", ":8081", "config.server.listen: [::]:8080 takes no IPv4: expected :8080 for both"),
        ("[IPv4, IPv6]", ":8080", "[::]:8081", "config.admin.listen: [::]:8081 takes no IPv4"),
        ("[IPv6]", ":8080", "0.0.0.0:8081", "config.admin.listen: 0.0.0.0:8081 takes no IPv6"),
        ("[IPv4, IPv6]", "0.0.0.0:8080", ":8081", "takes no IPv6, which service.ipFamilies asks for: expected :8080"),
        ("[], ipFamilyPolicy: RequireDualStack", ":8080", "0.0.0.0:8081", "which service.ipFamilyPolicy asks for"),
        ("[IPv6], ipFamilyPolicy: RequireDualStack", "[::]:8080", ":8081", "[::]:8080 takes no IPv4"),
        ("[IPv6, IPv4], ipFamilyPolicy: RequireDualStack", ":8080", ":8081", ""),
        ("[], ipFamilyPolicy: PreferDualStack", "0.0.0.0:8080", "0.0.0.0:8081", ""),
        ("[IPv6]", "[::]:8080", "[::]:8081", ""),
        ("[IPv6]", ":8080", ":8081", ""),
        ("[]", ":8080", ":8081", ""),
    ],
)
def test_a_port_listens_on_the_family_by_which_it_is_called(
    families: str, server: str, admin: str, complaint: str
) -> None:
    config = f'{{server: {{listen: "{server}"}}, admin: {{listen: "{admin}"}}}}'
    overrides = f"{{service: {{ipFamilies: {families}}}, config: {config}}}"
    if complaint:
        assert complaint in refusal("minimal", overrides)
    else:
        assert service("minimal", "-headless", overrides)["ports"][0]["port"] == 8080


def test_an_ingress_publishes_the_sources_paths_and_nothing_else() -> None:
    rules = only("Ingress", "ingress-tls")["spec"]["rules"]
    assert [rule["host"] for rule in rules] == ["hooks.example.com", "hooks.example.org"]
    for rule in rules:
        paths = rule["http"]["paths"]
        assert [path["path"] for path in paths] == ["/hooks/treble/co", "/webhooks/mexico"]
        for path in paths:
            assert path["backend"]["service"] == {"name": "tb-treble-bridge", "port": {"name": "https"}}


def test_a_route_publishes_the_sources_paths_and_nothing_else() -> None:
    (rule,) = only("HTTPRoute", "gateway")["spec"]["rules"]
    assert [match["path"]["value"] for match in rule["matches"]] == ["/webhooks/treble"]
    assert rule["backendRefs"] == [{"name": "tb-treble-bridge", "port": 443}]
    sources = ", ".join(f"s{number}: {{auth: none}}" for number in range(16))
    rules = only("HTTPRoute", "gateway", f"config: {{sources: {{{sources}}}}}")["spec"]["rules"]
    assert [len(rule["matches"]) for rule in rules] == [8, 8, 1]


def test_a_gateway_is_told_to_speak_tls_to_the_bridge() -> None:
    policy = only("BackendTLSPolicy", "gateway")
    assert policy["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert policy["spec"]["targetRefs"] == [{"group": "", "kind": "Service", "name": "tb-treble-bridge"}]
    assert policy["spec"]["validation"] == {
        "hostname": "hooks.internal.example.com",
        "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "internal-ca"}],
    }
    public = "{hostname: '', caCertificateRefs: [], wellKnownCACertificates: System}"
    validation = only("BackendTLSPolicy", "gateway", f"httpRoute: {{backendTLS: {public}}}")["spec"]["validation"]
    assert validation == {"hostname": "tb-treble-bridge.bridges.svc", "wellKnownCACertificates": "System"}
    ordered = "certManager: {enabled: true, issuerRef: {name: x}, dnsNames: [a.example.com, b.example.com]}"
    overrides = f"{{httpRoute: {{backendTLS: {{hostname: ''}}}}, tls: {{{ordered}}}}}"
    assert only("BackendTLSPolicy", "gateway", overrides)["spec"]["validation"]["hostname"] == "a.example.com"
    assert of_kind("BackendTLSPolicy", "gateway", "httpRoute: {backendTLS: {enabled: false}}") == []


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ("{httpRoute: {enabled: false}}", "has no effect without httpRoute.enabled"),
        ("{tls: {enabled: false}}", "the bridge speaks no TLS: expected tls.enabled"),
        ("{httpRoute: {backendTLS: {caCertificateRefs: []}}}", "or wellKnownCACertificates: System, not both"),
        ("{httpRoute: {backendTLS: {wellKnownCACertificates: System}}}", "System, not both"),
    ],
)
def test_what_a_gateway_could_not_check_is_refused(overrides: str, complaint: str) -> None:
    assert complaint in refusal("gateway", overrides)


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ("{ingress: {enabled: true}, httpRoute: {enabled: true}}", "one of them publishes the webhooks, not both"),
        ("httpRoute: {enabled: true}", "httpRoute.parentRefs: expected the Gateway"),
        ("{serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}", "everything is scraped twice"),
        ("networkPolicy: {enabled: true}", "networkPolicy.http: expected who calls"),
        (
            '{config: {kafka: {bootstrap_servers: "${K:-}"}}, networkPolicy: {enabled: true, http: {namespaces: [x]}}}',
            "networkPolicy.kafka.ports: expected the brokers' ports",
        ),
        ("autoscaling: {enabled: true, minReplicas: 5}", "autoscaling.minReplicas: expected maxReplicas at the most"),
        ("tests: {send: {enabled: true, source: x}}", "tests.send.source: expected one of treble"),
        (
            "{tests: {send: {enabled: true}}, tls: {enabled: true, secretName: s, clientCA: {secretName: c}}}",
            "tests.send.enabled: the bridge asks callers for a certificate",
        ),
        (
            "{tests: {send: {enabled: true}}, config: {server: {tls: {certificate: /c, key: /k, client_ca: /ca}}}}",
            "tests.send.enabled: the bridge asks callers for a certificate",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_what_to_do(overrides: str, complaint: str) -> None:
    assert complaint in refusal("minimal", overrides)


def test_a_network_policy_lets_in_the_controller_and_prometheus_only() -> None:
    policy = only("NetworkPolicy", "locked-down")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    http, admin = policy["ingress"]
    assert [port["port"] for port in http["ports"]] == ["http"]
    gateway, outside, tests = http["from"]
    (namespaces,) = gateway["namespaceSelector"]["matchExpressions"]
    assert namespaces["values"] == ["gateway-a", "gateway-b"]
    assert gateway["podSelector"]["matchLabels"] == {"app": "gateway"}
    assert outside == {"ipBlock": {"cidr": "192.0.2.0/24"}}
    assert tests["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
    assert [port["port"] for port in admin["ports"]] == ["admin"]
    (namespaces,) = admin["from"][0]["namespaceSelector"]["matchExpressions"]
    assert namespaces["values"] == ["monitoring"]
    (components,) = policy["podSelector"]["matchExpressions"]
    assert components["values"] == ["bridge", "drain"]


@pytest.mark.parametrize(
    ("servers", "ports"),
    [
        ('["a:9092", "b:9094"]', [9092, 9094]),
        ('"a:9092, b:9092"', [9092]),
        ('["[2001:db8::1]:9093"]', [9093]),
        ('"a:9092,${MORE:-b}"', [9092]),
    ],
)
def test_the_bridge_reaches_kafkas_ports_and_dns(servers: str, ports: list[int]) -> None:
    overrides = f"""
config: {{kafka: {{bootstrap_servers: {servers}}}}}
networkPolicy: {{enabled: true, http: {{namespaces: [ingress]}}}}
"""
    kafka, dns = only("NetworkPolicy", "minimal", overrides)["spec"]["egress"]
    assert [port["port"] for port in kafka["ports"]] == ports
    assert {(port["port"], port["protocol"]) for port in dns["ports"]} == {(53, "UDP"), (53, "TCP")}


def test_what_else_the_bridge_may_reach_is_added() -> None:
    kafka, _dns, more = only("NetworkPolicy", "locked-down")["spec"]["egress"]
    assert [port["port"] for port in kafka["ports"]] == [9092, 9093]
    assert kafka["to"][0]["podSelector"]["matchLabels"] == {"strimzi.io/cluster": "main"}
    assert more["ports"] == [{"port": 4318, "protocol": "TCP"}]


@every_values_file
def test_helm_test_asks_for_readiness_and_for_a_refusal(name: str) -> None:
    tests = {pod["metadata"]["name"].rpartition("-")[2]: pod["spec"]["containers"][0] for pod in of_kind("Pod", name)}
    assert tests["ready"]["args"][:2] == ["treble-bridge", "health"]
    # A source that wants a client's certificate refuses before there is an answer.
    assert ("refuses" in tests) == (name != "ingress-tls")
    assert ("send" in tests) == (name == "locked-down")
    assert of_kind("Pod", name, "tests: {enabled: false}") == []


def test_a_client_ca_of_the_configurations_own_leaves_out_the_refusal_as_well() -> None:
    def names(tls: str) -> list[str]:
        found = of_kind("Pod", "minimal", f"config: {{server: {{tls: {tls}}}}}")
        return [pod["metadata"]["name"].rpartition("-")[2] for pod in found]

    assert names("{certificate: /c, key: /k}") == ["ready", "refuses"]
    assert names("{certificate: /c, key: /k, client_ca: /ca}") == ["ready"]
    assert names("null") == ["ready", "refuses"]


def test_only_a_source_that_asks_for_credentials_is_tested_for_them() -> None:
    def tested(sources: str) -> list[str]:
        pods = of_kind("Pod", "minimal", f"config: {{sources: {sources}}}")
        containers = [pod["spec"]["containers"][0] for pod in pods]
        return [container["args"][-1] for container in containers if container["name"] == "refuses"]

    base = "http://tb-treble-bridge.bridges.svc:80"
    assert tested("{treble: {path: /x}}") == [f"{base}/x"]
    assert tested("{treble: {auth: none}}") == []
    assert tested('{treble: {auth: [{bearer: "${TREBLE_TOKEN}"}, {client_ip: ["10.0.0.0/8"]}]}}') == []
