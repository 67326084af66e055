"""Monitors, rules and the dashboard, as the Prometheus operator and Grafana look for them."""

import json

import pytest
import yaml

from tests.chart.rendering import CHART, of_kind, only, parsed, pods, refusal, template

GROUPS = yaml.safe_load((CHART / "files" / "rules.yaml").read_text(encoding="utf-8"))["groups"]
RUNBOOKS = "https://git.example.com/crm/treble-bridge/blob/v0.1.0"
ALERTS = [rule["alert"] for group in GROUPS for rule in group["rules"] if "alert" in rule]


def test_the_rules_are_those_of_the_file() -> None:
    rule = only("PrometheusRule", "production")
    assert rule["spec"]["groups"] == GROUPS


def test_an_alert_can_be_left_out_and_all_get_labels_of_ones_own() -> None:
    overrides = f"prometheusRule: {{disabled: [{ALERTS[0]}]}}"
    groups = only("PrometheusRule", "monitoring", overrides)["spec"]["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert [alert["alert"] for alert in alerts] == [*ALERTS[1:], "NoWebhooksAtNoon"]
    assert all(alert["labels"]["team"] == "crm" for alert in alerts[:-1])


def test_the_dashboard_is_that_of_the_file() -> None:
    (found,) = (
        document for document in of_kind("ConfigMap", "monitoring") if "dashboard" in document["metadata"]["name"]
    )
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"] == {"grafana_folder": "CRM"}
    shown = json.loads(found["data"]["treble-bridge.json"])
    file = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))
    (runbooks,) = (variable for variable in file["templating"]["list"] if variable["name"] == "runbooks")
    runbooks["query"] = RUNBOOKS
    assert shown == file


def test_each_alert_links_its_runbook_below_the_base_that_is_set() -> None:
    groups = only("PrometheusRule", "monitoring")["spec"]["groups"]
    alerts = [rule["annotations"] for group in groups for rule in group["rules"] if rule.get("alert") in ALERTS]
    assert len(alerts) == len(ALERTS)
    assert all(alert["runbook_url"] == f"{RUNBOOKS}/{alert['runbook']}" for alert in alerts)


def test_a_monitor_scrapes_the_admin_port() -> None:
    monitor = only("ServiceMonitor", "production")["spec"]
    labels = monitor["selector"]["matchLabels"]
    services = of_kind("Service", "production")
    found = [each["metadata"]["name"] for each in services if labels.items() <= each["metadata"]["labels"].items()]
    assert found == ["tb-treble-bridge-admin"]
    assert monitor["endpoints"] == [{"port": "admin", "path": "/metrics"}]
    (endpoint,) = only("PodMonitor", "monitoring")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("admin", "/metrics", "15s")
    for kind, name in (("ServiceMonitor", "production"), ("PodMonitor", "monitoring")):
        assert only(kind, name)["spec"]["jobLabel"] == "app.kubernetes.io/instance"


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_two_releases_in_a_namespace_are_two_jobs(kind: str) -> None:
    values = f"{kind[0].lower()}{kind[1:]}: {{enabled: true}}"
    jobs = set()
    for release in ("one", "two"):
        documents = parsed(template("minimal", values, release=release))
        (monitor,) = (document["spec"] for document in documents if document["kind"] == kind)
        labels = [document["metadata"]["labels"] for document in documents if document["kind"] == "Service"]
        labels += [labels for _, labels, _ in pods(documents)]
        scraped = [each for each in labels if monitor["selector"]["matchLabels"].items() <= each.items()]
        jobs |= {each[monitor["jobLabel"]] for each in scraped}
    assert jobs == {"one", "two"}
    named = only(kind, "minimal", f"{kind[0].lower()}{kind[1:]}: {{enabled: true, jobLabel: team}}")
    assert named["spec"]["jobLabel"] == "team"


def test_a_second_dashboard_has_another_uid_another_title_and_another_file() -> None:
    def shown(uid: str) -> dict[str, tuple[str, str]]:
        made = of_kind("ConfigMap", "minimal", f"dashboard: {{enabled: true, uid: '{uid}'}}")
        (data,) = (each["data"] for each in made if "dashboard" in each["metadata"]["name"])
        found = {file: json.loads(text) for file, text in data.items()}
        return {file: (dashboard["uid"], dashboard["title"]) for file, dashboard in found.items()}

    assert shown("") == shown("treble-bridge") == {"treble-bridge.json": ("treble-bridge", "treble-bridge")}
    # Another title as well: Grafana refuses a folder in which two have the same.
    assert shown("hooks-2") == {"hooks-2.json": ("hooks-2", "treble-bridge (hooks-2)")}
    assert "does not match pattern" in refusal("minimal", "dashboard: {enabled: true, uid: 'a b'}")
