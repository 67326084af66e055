"""The configuration inside the chart: what Helm refuses, what the bridge gets, where secrets are."""

import datetime as dt
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from bridge.catalogue import TABLE
from bridge.cli.health import ADMIN_URL_VARIABLE
from bridge.settings.load import Loaded, load
from tests.chart.rendering import CHART, bridge_of, every_values_file, objects, of_kind, only, pods, refusal, template

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
SECRET = "a-secret-that-is-long-enough"


def bridge_yaml(name: str, overrides: str = "") -> str:
    (text,) = (
        document["data"]["bridge.yaml"]
        for document in of_kind("ConfigMap", name, overrides)
        if "bridge.yaml" in document["data"]
    )
    return str(text)


def loaded(name: str, folder: Path, overrides: str = "") -> Loaded:
    """What the real loader makes of the rendered ConfigMap, with files and variables such as the pod has them."""
    bridge = bridge_of(name, overrides)
    text = bridge_yaml(name, overrides).replace("/run/secrets/", f"{folder}/")
    spec = only("StatefulSet", name, overrides)["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in bridge["volumeMounts"]:
        for source in volumes.get(mount["name"], {}).get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                file = folder / mount["mountPath"].removeprefix("/run/secrets/") / item["path"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{SECRET}-{item['path']}", encoding="utf-8")
    variables = {entry["name"]: entry.get("value", SECRET) for entry in bridge.get("env", [])}
    if "envFrom" in bridge:
        variables |= dict.fromkeys(re.findall(r"\$\{([A-Z_]+)\}", text), SECRET)
    path = folder / "bridge.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, TABLE, variables=variables, now=NOW)


@every_values_file
def test_the_bridge_loads_what_is_rendered(name: str, tmp_path: Path) -> None:
    result = loaded(name, tmp_path)
    assert result.settings.sources
    # One source there is open to everyone, and one number at the edge of what is exact: both are said.
    assert len(result.warnings) == (2 if name == "locked-down" else 0)


def test_numbers_stay_the_numbers_that_were_written(tmp_path: Path) -> None:
    settings = loaded("locked-down", tmp_path).settings
    assert settings.journal.max_bytes == 2147483648
    assert settings.server.max_body == 524288
    pairs = settings.sources["treble"].responses["message.responded"]["user_session_keys"]
    assert pairs == [{"key": "seen", "value": "yes"}, {"key": "limit", "value": 9007199254740991}]
    assert "e+" not in template("locked-down")


def test_a_section_without_values_is_one_that_is_not_there(tmp_path: Path) -> None:
    assert loaded("minimal", tmp_path, "config: {log: null, topics: null}").settings.log.level == "info"


@pytest.mark.parametrize(
    ("overrides", "key", "complaint"),
    [
        ("config: {kafka: {bootstrap_server: k}}", "/config/kafka'", "'bootstrap_server' not allowed"),
        ("config: {sources: {treble: {timezon: UTC}}}", "/config/sources/treble'", "'timezon' not allowed"),
        ("config: {sources: {treble: {auth: [{bearr: x}]}}}", "/config/sources/treble/auth/0'", "'bearr' not allowed"),
        ("config: {topics: {map: {message.read: {kee: x}}}}", "/config/topics/map/message.read'", "'kee' not allowed"),
        ("config: {server: {ack_deadline: 3}}", "/config/server/ack_deadline'", "maximum: got 3, want 0"),
        ("config: {kafka: {delivery: twice}}", "/config/kafka/delivery'", "exactly_once|at_least_once"),
        (
            "config: {sources: {treble: {responses: {message.read: {count: 9007199254740993}}}}}",
            "message.read/count'",
            "maximum",
        ),
        ("replicaCounts: 3", "at ''", "'replicaCounts' not allowed"),
        ("podAntiAffinity: sometimes", "/podAntiAffinity'", "must be one of"),
        ("secrets: {env: {TOKEN: {secretName: s}}}", "/secrets/env/TOKEN'", "missing property 'key'"),
    ],
)
def test_a_mistake_is_named_with_its_key(overrides: str, key: str, complaint: str) -> None:
    message = refusal("minimal", overrides)
    assert key in message
    assert complaint in message
    assert len(message) < 700


EVERY_SECRET = [
    "{sources: {treble: {auth: [{bearer: %s}]}}}",
    "{sources: {treble: {auth: [{bearer: ['${TREBLE_TOKEN}', %s]}]}}}",
    "{sources: {treble: {auth: [{bearer: [{value: %s}]}]}}}",
    "{sources: {treble: {auth: [{header: {name: X-Key, value: %s}}]}}}",
    "{sources: {treble: {auth: [{header: [{name: X-Key, value: [%s]}]}]}}}",
    "{sources: {treble: {auth: [{query: {name: t, value: %s}}]}}}",
    "{sources: {treble: {auth: [{basic: {username: u, password: %s}}]}}}",
    "{sources: {treble: {auth: [{path_secret: %s}]}}}",
    "{sources: {treble: {auth: [{hmac: {header: X-S, secret: %s}}]}}}",
    "{kafka: {security: {password: %s}}}",
    "{kafka: {security: {oauth_token: %s}}}",
    "{kafka: {security: {key_password: %s}}}",
    "{privacy: {hash_key: %s}}",
]


@pytest.mark.parametrize("config", EVERY_SECRET)
def test_every_secret_must_be_a_reference(config: str) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    def takes(secret: str) -> bool:
        given = {"sources": {"treble": {"auth": "none"}}, "kafka": {}, **yaml.safe_load(config % secret)}
        given["kafka"]["bootstrap_servers"] = "k:1"
        return jsonschema.Draft7Validator(schema).is_valid({"config": given})

    assert takes("'${NAME}'")
    assert takes("'${file:/run/secrets/treble-bridge/name}'")
    for plain in ("geheim", "'${T:-geheim}'", "'${T:-}'", "'geheim${E}'", "'${E}geheim'", "'${E}${F}'", "'$${E}'"):
        assert not takes(plain), plain
    for wrong in ("'${}'", "'${file:name}'", "'${1}'"):
        assert not takes(wrong), wrong


def test_helm_does_not_repeat_the_secret_that_it_refuses() -> None:
    message = refusal("minimal", "config: {sources: {treble: {auth: [{bearer: [{value: geheim}]}]}}}")
    assert "/config/sources/treble/auth/0/bearer/0/value'" in message
    assert "a reference, ${NAME} or ${file:/path}: secrets have no place in values" in message
    assert "geheim" not in message


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("${NOBODY}", "expected secrets.env.NOBODY, or it in env or envFrom"),
        ("${file:/run/secrets/treble-bridge/nobody}", "expected secrets.files.nobody"),
    ],
)
def test_a_reference_that_nothing_provides_is_refused(reference: str, complaint: str) -> None:
    assert complaint in refusal("minimal", f'config: {{sources: {{treble: {{auth: [{{bearer: "{reference}"}}]}}}}}}')


def test_what_only_looks_like_a_missing_reference_is_taken() -> None:
    overrides = "config: {kafka: {client_id: '$${NOT_ONE}-${WITH:-default}-${file:/etc/hostname}'}}"
    assert "$${NOT_ONE}-${WITH:-default}-${file:/etc/hostname}" in bridge_yaml("minimal", overrides)


@every_values_file
def test_secrets_are_named_and_never_rendered(name: str) -> None:
    assert of_kind("Secret", name) == []
    for where, _, spec in pods(objects(name)):
        for container in spec["containers"]:
            for entry in container.get("env", []):
                assert "valueFrom" in entry or entry["name"] in {"KAFKA", ADMIN_URL_VARIABLE}, where


def test_secret_files_are_one_folder_that_is_swapped_as_a_whole() -> None:
    spec = only("StatefulSet", "production")["spec"]["template"]["spec"]
    (volume,) = (volume for volume in spec["volumes"] if volume["name"] == "secrets")
    names = [item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]]
    assert names == sorted(["token", "token-old", "api-key", "kafka-password", "kafka-ca.pem"])
    assert volume["projected"]["defaultMode"] == 0o440
    for mount in bridge_of("production")["volumeMounts"]:
        assert "subPath" not in mount  # the kubelet never refreshes those
        assert mount["name"] == "journal" or mount["readOnly"] is True


def test_the_bridges_own_certificate_is_in_its_configuration() -> None:
    tls = yaml.safe_load(bridge_yaml("ingress-tls"))["server"]["tls"]
    folder = "/run/secrets/treble-bridge-tls"
    files = {"certificate": f"{folder}/tls.crt", "key": f"{folder}/tls.key", "client_ca": f"{folder}/client-ca.crt"}
    assert tls == files
    assert only("Certificate", "ingress-tls")["spec"]["secretName"] == "tb-treble-bridge-tls"
    assert of_kind("Certificate", "gateway") == []
    for overrides, complaint in (
        ("tls: {enabled: true}", "expected tls.secretName, or tls.certManager.enabled"),
        ("tls: {certManager: {enabled: true}}", "has no effect without tls.enabled"),
        ("tls: {enabled: true, certManager: {enabled: true}}", "tls.certManager.issuerRef: expected the issuer"),
        ("tls: {enabled: true, certManager: {enabled: true}}", "internal-ca"),
        ("tls: {enabled: true, certManager: {enabled: true}}", "it needs tls.certManager.dnsNames"),
        (
            "{tls: {enabled: true, secretName: s}, config: {server: {tls: {certificate: /c, key: /k}}}}",
            "tls.enabled sets config.server.tls",
        ),
    ):
        assert complaint in refusal("minimal", overrides)
