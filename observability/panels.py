"""The parts of a dashboard, in the words of whoever writes one: rows of panels, panels of queries. Pure values.

In a query, `$on` stands for what chooses the instances that the dashboard's variables name.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["timeseries", "state-timeline", "stat", "table"]

WIDTH = 24
"""Of a dashboard, in Grafana's columns."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query. `legend` names its series, with their labels in double braces."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    `unit` is Grafana's id of one (`s`, `bytes`, `reqps`, …). `thresholds` are (from this value on, this colour),
    growing; below the first it is green. `runbook` is a heading of docs/runbook.md, as its anchor. `words` shows
    values as words. `quiet` says when there is nothing to show, for panels that may stay empty.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 8
    stacked: bool = False
    thresholds: tuple[tuple[float, str], ...] = ()
    words: tuple[tuple[int, str, str], ...] = ()
    highest: float | None = None
    runbook: str = ""
    quiet: str = ""

    @property
    def height(self) -> int:
        """In Grafana's lines."""
        return 4 if self.kind == "stat" else 8


@dataclass(frozen=True, slots=True)
class Row:
    """A headline and the panels below it."""

    title: str
    panels: tuple[Panel, ...]
