"""The parts of docs/metrics.md: every metric with its type, labels, unit and meaning, and a query to start from."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bridge.telemetry.metrics import describe
from observability.example_queries import GROUPS

_UNLABELLED = "–"


class Described(NamedTuple):
    """One metric, as a scrape shows it."""

    kind: str
    labels: tuple[str, ...]
    meaning: str


def metrics() -> Mapping[str, Described]:
    """Every metric of a bridge by name: that of a counter ends with `_total`, that of a histogram has no ending."""
    return {
        f"{name}_total" if kind == "counter" else name: Described(kind, labels, meaning)
        for name, kind, labels, meaning in describe()
    }


def series() -> Mapping[str, tuple[str, ...]]:
    """Every name that a query may use, with its labels."""
    names: dict[str, tuple[str, ...]] = {}
    for name, metric in metrics().items():
        if metric.kind == "histogram":
            names |= {f"{name}_bucket": (*metric.labels, "le"), f"{name}_sum": metric.labels}
            names[f"{name}_count"] = metric.labels
        else:
            names[name] = metric.labels
    return names


def page() -> Iterator[str]:
    """A section for each group: the table of its metrics, then the queries."""
    known = metrics()
    for title, examples in GROUPS.items():
        yield f"## {title}\n\n| metric | type | labels | unit | meaning |\n|---|---|---|---|---|"
        for name, example in examples.items():
            kind, labels, meaning = known[name]
            shown = ", ".join(f"`{label}`" for label in labels) or _UNLABELLED
            yield f"| `{name}` | {kind} | {shown} | {example.unit} | {meaning} |"
        yield "\n```promql"
        yield "\n\n".join(f"# {example.asks}\n{example.query}" for example in examples.values())
        yield "```\n"
