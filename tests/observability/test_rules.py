"""The rules: promtool takes them, every alert fires when it should, and what they name exists."""

import re
from functools import cache
from typing import Any

import pytest
import yaml

from observability import rules
from observability.metrics_page import series
from tests.observability.programs import PROGRAM_S_MAX, ROOT, promtool
from tests.observability.promql import TARGET_LABELS, grouped, metrics, strangers

ALERTS = {rule["alert"]: rule for rule in rules.rules("alert")}
RECORDED = {rule["record"]: tuple(grouped(rule["expr"])) for rule in rules.rules("record")}
UNIT_TESTS = sorted((ROOT / "observability").glob("rules_*test.yaml"))
KNOWN = {**series(), **RECORDED, "up": ()}

every_alert = pytest.mark.parametrize("name", ALERTS)


def test_promtool_takes_the_rules() -> None:
    said = promtool("check", "rules", rules.FILE)
    assert f"{len(ALERTS) + len(RECORDED)} rules found" in said


@pytest.mark.timeout(PROGRAM_S_MAX + 10)
def test_the_alerts_do_what_their_unit_tests_say() -> None:
    assert promtool("test", "rules", *UNIT_TESTS).count("SUCCESS") == len(UNIT_TESTS)


@cache
def unit_tests() -> list[dict[str, Any]]:
    """What promtool is told to expect, at which time, of which alert."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in UNIT_TESTS]
    return [test for file in files for group in file["tests"] for test in group["alert_rule_test"]]


@every_alert
def test_every_alert_is_seen_to_fire_and_not_to_fire(name: str) -> None:
    fired = [bool(case["exp_alerts"]) for case in unit_tests() if case["alertname"] == name]
    assert True in fired
    assert False in fired


def test_a_unit_test_is_of_an_alert_that_exists() -> None:
    assert {case["alertname"] for case in unit_tests()} == set(ALERTS)


@pytest.mark.parametrize(
    "rule", [*rules.rules("alert"), *rules.rules("record")], ids=lambda rule: rule.get("alert", rule.get("record"))
)
def test_every_metric_and_label_of_a_rule_exists(rule: dict[str, Any]) -> None:
    assert strangers(rule["expr"], KNOWN) == []


@every_alert
def test_a_description_shows_labels_that_the_alert_has(name: str) -> None:
    rule = ALERTS[name]
    labels = {label for metric, _ in metrics(rule["expr"]) for label in KNOWN[metric]} | TARGET_LABELS
    by = grouped(rule["expr"])
    if by and rule["expr"].lstrip().startswith(("sum by", "max by")):
        labels &= by
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"])) <= labels


@every_alert
def test_every_alert_says_how_urgent_it_is_what_it_means_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert "{{" not in rule["annotations"]["summary"], "the summary is a cell of a table in docs/runbook.md"
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == "docs/runbook.md"
    assert anchor in runbooks()


@cache
def runbooks() -> dict[str, str]:
    """The sections of docs/runbook.md that are runbooks: they say what is to be done. Anchor → text."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"): body for title, body in sections.items()}


def test_every_runbook_that_an_alert_leads_to_says_what_to_do() -> None:
    for rule in ALERTS.values():
        body = runbooks()[rule["annotations"]["runbook"].partition("#")[2]]
        assert len(body.split()) > 30, rule["alert"]
