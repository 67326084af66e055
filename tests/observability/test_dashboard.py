"""The dashboard's file: as of today, well-formed, and about metrics that exist."""

import json
import re

import pytest

from observability import dashboard
from observability.metrics_page import series
from observability.panels import Panel
from tests.observability.promql import strangers
from tests.observability.test_rules import runbooks

PANELS = [panel for row in dashboard.ROWS for panel in row.panels]
MADE = dashboard.dashboard()

every_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)


def test_the_file_is_not_stale() -> None:
    assert dashboard.FILE.read_text(encoding="utf-8") == dashboard.text(), "run `python -m observability.dashboard`"


@every_panel
def test_every_metric_and_label_of_a_panel_exists(panel: Panel) -> None:
    for query in panel.queries:
        expression = query.expr.replace("$on", 'instance="a"').replace("$__rate_interval", "5m")
        assert strangers(expression, series()) == []
        labels = {label for names in series().values() for label in names} | {"instance"}
        assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= labels


@every_panel
def test_every_panel_is_explained_and_its_runbook_exists(panel: Panel) -> None:
    assert panel.description.endswith(".")
    assert panel.unit
    assert not panel.runbook or panel.runbook in runbooks()
    assert list(panel.thresholds) == sorted(panel.thresholds)


def test_every_query_is_about_the_instances_that_are_chosen() -> None:
    for panel in PANELS:
        for query in panel.queries:
            names = re.findall(r"\b(?:treble_bridge|process)_\w+", query.expr)
            assert query.expr.count("$on") == len(names), query.expr


def places() -> list[dict[str, int]]:
    return [panel["gridPos"] for panel in MADE["panels"]]


def test_no_panel_lies_over_another_or_beyond_the_edge() -> None:
    taken: set[tuple[int, int]] = set()
    for place in places():
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_panel_has_a_number_and_a_title_of_its_own() -> None:
    for key in ("id", "title"):
        values = [panel[key] for panel in MADE["panels"]]
        assert len(set(values)) == len(values)


def test_every_variable_that_is_used_is_declared_and_the_other_way_round() -> None:
    declared = {variable["name"] for variable in MADE["templating"]["list"]}
    text = json.dumps(MADE)
    used = set(re.findall(r"\$\{?([a-z]\w*)", text))
    assert used == declared


def test_every_metric_is_on_the_dashboard_or_left_out_for_a_reason() -> None:
    left_out = {
        "process_virtual_memory_bytes": "says nothing that an operator acts on",
        "treble_bridge_trace_spans_total": "there where tracing is on; docs/tracing.md",
    }
    shown = json.dumps(MADE)
    missing = {name for name in series() if re.sub("_(bucket|sum|count)$", "", name) not in shown}
    assert missing == left_out.keys()


def test_panels_are_of_kinds_that_grafana_has_built_in() -> None:
    assert {panel["type"] for panel in MADE["panels"]} <= {"row", "timeseries", "state-timeline", "stat", "table"}
    assert all(panel["targets"] for panel in MADE["panels"] if panel["type"] != "row")
