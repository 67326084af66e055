"""The Grafana dashboard as JSON: `python -m observability.dashboard` writes it, a test compares it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from observability.board_attention import ATTENTION, PROCESS
from observability.board_flow import FORWARDING, JOURNAL, TAKING
from observability.panels import WIDTH, Panel, Query, Row

ROWS: Final = (TAKING, JOURNAL, FORWARDING, ATTENTION, PROCESS)
FILE: Final = Path(__file__).parent.parent / "helm" / "treble-bridge" / "files" / "dashboard.json"
SELECTOR: Final = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"'
RUNBOOK: Final = "${runbooks}/docs/runbook.md"
"""`runbooks` is a variable of the dashboard: where the project's files of this version can be read."""

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """The whole dashboard, as Grafana imports it."""
    return {
        "uid": "treble-bridge",
        "title": "treble-bridge",
        "description": "From Treble's webhooks to Kafka: taken, kept, forwarded, and what needs attention.",
        "tags": ["treble-bridge"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": list(_variables())},
        "annotations": {"list": [_restarts()]},
        "links": [_link("Runbooks", f"{RUNBOOK}#what-to-watch")],
        "panels": list(_placed()),
    }


def text() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "type": "datasource", "label": "Prometheus", "query": "prometheus"}
    # Outside Kubernetes there is no namespace, and «all» has to mean that, too.
    yield _labels("namespace", "treble_bridge_build_info", allValue=".*")
    yield _labels("job", 'treble_bridge_build_info{namespace=~"$namespace"}')
    yield _labels("instance", 'treble_bridge_build_info{namespace=~"$namespace", job=~"$job"}')
    yield {"name": "runbooks", "type": "textbox", "label": "Runbooks are at", "query": ""}


def _labels(label: str, series: str, **more: str) -> dict[str, Any]:
    query = f"label_values({series}, {label})"
    return {
        "name": label,
        "type": "query",
        "label": label.capitalize(),
        "datasource": _SOURCE,
        "query": {"query": query, "refId": label},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
        **more,
    }


def _restarts() -> dict[str, Any]:
    return {
        "name": "Starts",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "purple",
        "expr": f"changes(process_start_time_seconds{{{SELECTOR}}}[2m]) > 0",
        "titleFormat": "started",
        "textFormat": "{{instance}}",
        "step": "1m",
    }


def _placed() -> Iterator[dict[str, Any]]:
    """Rows below each other; panels side by side as long as there is room, the highest one makes the line's height."""
    number = y = 0
    for row in ROWS:
        number += 1
        yield _row(row, number, y)
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            number += 1
            yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": panel.height})
            x, height = x + panel.width, max(height, panel.height)
        y += height


def _row(row: Row, number: int, y: int) -> dict[str, Any]:
    place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": f"{panel.description} Nothing to see is good: {panel.quiet}."
        if panel.quiet
        else panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [_target(query, index, panel) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
    }
    if panel.runbook:
        made["links"] = [_link("Runbook", f"{RUNBOOK}#{panel.runbook}")]
    if panel.kind == "table":
        made["transformations"] = [_columns("instance", "version")]
    return made


def _target(query: Query, index: int, panel: Panel) -> dict[str, Any]:
    now = panel.kind in {"stat", "table"}
    return {
        "refId": chr(ord("A") + index),
        "datasource": _SOURCE,
        "expr": query.expr.replace("$on", SELECTOR),
        "legendFormat": query.legend,
        "instant": now,
        "range": not now,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"value": None, "color": "green"}]
    steps += [{"value": value, "color": color} for value, color in panel.thresholds]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": None if panel.unit == "s" and panel.quiet else 0,  # what is over has a time below zero
        "max": panel.highest,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
    }
    if panel.words:
        options = {str(value): {"text": word, "color": color} for value, word, color in panel.words}
        defaults["mappings"] = [{"type": "value", "options": options}]
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 25 if panel.stacked else 8,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if panel.thresholds else "off"},
        }
    return {key: value for key, value in defaults.items() if value is not None}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "none", "textMode": "auto"}
    if panel.kind == "table":
        return {"showHeader": True}
    if panel.kind == "state-timeline":
        return {"mergeValues": True, "showValue": "never", "legend": {"displayMode": "list", "placement": "bottom"}}
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _columns(*names: str) -> dict[str, Any]:
    return {"id": "filterFieldsByName", "options": {"include": {"names": list(names)}}}


def _link(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "url": url, "targetBlank": True, "type": "link"}


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
