"""docs/metrics.md: every metric is there with its unit and a query, and every query can be asked."""

import re
from pathlib import Path

import pytest
import yaml

from observability.example_queries import GROUPS, Example
from observability.metrics_page import metrics, page, series
from tests.observability.programs import promtool
from tests.observability.promql import metrics as metrics_of
from tests.observability.promql import strangers

EXAMPLES = {name: example for group in GROUPS.values() for name, example in group.items()}

every_example = pytest.mark.parametrize(("name", "example"), EXAMPLES.items(), ids=list(EXAMPLES))


def test_every_metric_has_its_unit_and_its_query_and_nothing_else_has() -> None:
    assert EXAMPLES.keys() == metrics().keys(), "see observability/example_queries.py"


@every_example
def test_a_query_is_about_its_metric_and_names_what_exists(name: str, example: Example) -> None:
    assert strangers(example.query, series()) == []
    assert name in {re.sub("_(bucket|sum|count)$", "", metric) for metric, _ in metrics_of(example.query)}
    assert example.unit
    assert example.asks


def test_prometheus_takes_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"example:query_{n}", "expr": each.query} for n, each in enumerate(EXAMPLES.values())]
    file = tmp_path / "examples.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "examples", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


def test_the_page_has_every_metric_once_with_all_its_labels() -> None:
    rows = [line for part in page() for line in part.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(EXAMPLES)
    for row in rows:
        kind, labels, _ = metrics()[row.split("`")[1]]
        assert f"| {kind} |" in row
        assert all(f"`{label}`" in row for label in labels)
