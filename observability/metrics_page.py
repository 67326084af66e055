"""The parts of docs/metrics.md: every metric with its type, labels, unit and meaning, and a query to start from."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bridge.model import JournalUsage, PinnedEntries
from bridge.telemetry.metrics import Metrics
from observability.example_queries import GROUPS

_UNLABELLED = "–"


class Described(NamedTuple):
    """One metric, as a scrape shows it."""

    kind: str
    labels: tuple[str, ...]
    meaning: str


def metrics() -> Mapping[str, Described]:
    """Every metric of a bridge by name: that of a counter ends with `_total`, that of a histogram has no ending."""
    made = Metrics()
    made.watch_journal(lambda: JournalUsage(0, 0, 0, 0, None, {}, PinnedEntries(), 0.0, "ok"), lambda: 0)
    made.watch_log(lambda: 0)
    labels = {
        name: tuple(getattr(collector, "_labelnames", ()) or getattr(collector, "_labels", ()))
        for collector, names in made.registry._collector_to_names.items()  # noqa: SLF001 - it has no other way to ask
        for name in names
    } | {"treble_bridge_topic_deferred_entries": ("topic",)}
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: Described(
            family.type, labels.get(family.name, ()), family.documentation
        )
        for family in made.registry.collect()
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
