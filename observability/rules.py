"""The rules for Prometheus, read for the documentation: what to watch, and what is recorded.

They are written by hand, in helm/treble-bridge/files/rules.yaml: that is the form that operators read and change.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

FILE: Final = Path(__file__).parent.parent / "helm" / "treble-bridge" / "files" / "rules.yaml"
_SEVERITIES: Final = ("page", "ticket")


def groups() -> list[dict[str, Any]]:
    """The groups of rules, as Prometheus reads them."""
    found: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
    return found


def rules(kind: str) -> list[dict[str, Any]]:
    """All rules of a kind: `alert` or `record`."""
    return [rule for group in groups() for rule in group["rules"] if kind in rule]


def what_to_watch() -> Iterator[str]:
    """One row for each alert, those first that wake somebody."""
    yield "| alert | severity | means | do |\n|---|---|---|---|"
    for severity in _SEVERITIES:
        for rule in rules("alert"):
            if rule["labels"]["severity"] == severity:
                notes = rule["annotations"]
                anchor = notes["runbook"].partition("#")[2]
                title = anchor.replace("-", " ").replace("kafka", "Kafka").replace("treble", "Treble")
                yield f"| `{rule['alert']}` | {severity} | {notes['summary']} | [{title}](#{anchor}) |"


def recordings() -> Iterator[str]:
    """One row for each recorded query."""
    yield "| recorded | is |\n|---|---|"
    for rule in rules("record"):
        query = " ".join(rule["expr"].split()).replace("|", "\\|")
        yield f"| `{rule['record']}` | `{query}` |"
