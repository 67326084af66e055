"""docs/scaling.md calculates right, from figures that are those of the README, of the defaults and of the chart."""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from bridge.journal.schema import ITEM_BYTES
from bridge.settings.models import Journal
from bridge.settings.topics import Duplicates

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
FUNCTIONS: Mapping[str, Callable[..., float]] = {"ceil": math.ceil, "max": max}


class Row(NamedTuple):
    """A line of a table of the example: what it says how its value comes about, and the value it shows."""

    name: str
    how: str
    shown: str


ROWS = [
    Row(*found) for found in re.findall(r"^\| `([a-z_]+)` \| (?:`([^`]+)`|given) \| ([\d,.]+) \|", PAGE, re.MULTILINE)
]


def worth(formula: str, known: Mapping[str, float]) -> float:
    """What a formula of the page comes to: arithmetic with names, `ceil` and `max`, nothing else."""

    def of(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name):
                return known[name]
            case ast.BinOp(left=left, op=sign, right=right):
                return float(OPERATORS[type(sign)](of(left), of(right)))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return FUNCTIONS[name](*map(of, arguments))
        raise ValueError(f"{formula}: what is {ast.dump(node)}?")

    return of(ast.parse(formula, mode="eval").body)


def number(shown: str) -> float:
    return float(shown.replace(",", ""))


def last_digit(shown: str) -> float:
    """What one more in the last digit that is not a filling 0 would be."""
    digits = shown.replace(",", "")
    if "." in digits:
        return 10.0 ** -len(digits.partition(".")[2])
    return 10.0 ** (len(digits) - len(digits.rstrip("0")))


def example() -> Iterator[tuple[Row, float]]:
    """Each row with its value, from the unrounded values of those above it."""
    known: dict[str, float] = {}
    for row in ROWS:
        known[row.name] = worth(row.how, known) if row.how else number(row.shown)
        yield row, known[row.name]


def test_the_example_has_all_its_rows_and_each_name_once() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert {"replicas", "volume", "partitions", "conversations_max"} <= set(names)
    section = PAGE.partition("## A worked example")[2].partition("\n## ")[0]
    assert len(names) == len(re.findall(r"^\| `", section, re.MULTILINE))


@pytest.mark.parametrize(("row", "value"), [pytest.param(*pair, id=pair[0].name) for pair in example()])
def test_a_row_of_the_example_comes_to_what_it_shows(row: Row, value: float) -> None:
    assert abs(value - number(row.shown)) <= last_digit(row.shown) / 2 + 1e-9


def test_the_given_figures_are_those_of_the_readme_and_of_the_defaults() -> None:
    given = {row.name: number(row.shown) for row in ROWS if not row.how}
    (measured,) = re.findall(r"^\| events/s through Kafka.*?\| ([\d,]+) beside", README, re.MULTILINE)
    (cpu,) = re.findall(r"^\| CPU an event.*?\| (\d+) µs", README, re.MULTILINE)
    (memory,) = re.findall(r"^\| resident memory with a backlog.*?\| \d+ MiB, (\d+) MiB", README, re.MULTILINE)
    assert given["measured"] == number(measured)
    assert f"{cpu} µs of CPU each" in PAGE
    assert f"* {cpu} / 1000000" in next(row.how for row in ROWS if row.name == "cpu")
    assert f"{memory} MiB was the highest measured" in PAGE
    assert given["retained"] == Journal().retain_bytes
    assert given["window_hours"] * 3600 == Duplicates().window
    # Two tables hold a dedupe key, for a while both do.
    assert ITEM_BYTES < 40 <= 2 * ITEM_BYTES


def test_the_table_of_disks_calculates_right() -> None:
    rows = re.findall(r"^\| (\d+) ms \(.*?\) \| (\d+) ms \| ([\d,]+) \| (.*?) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for sync, answer, commits, webhooks in rows:
        assert int(answer) == 2 * int(sync)
        assert number(commits) == 1000 / int(sync)
        assert webhooks == "bound by the CPU" or number(webhooks) == 64 * 1000 / int(answer)


def test_the_campaign_by_itself_calculates_right() -> None:
    (recipients, minutes, rate) = re.findall(
        r"([\d,]+) recipients in (\d+) minutes, with\s+`delivered` and `read`, are (\d+) webhooks/s", PAGE
    )[0]
    assert round(number(recipients) * 2 / (int(minutes) * 60)) == int(rate)


def test_the_pod_is_that_of_the_chart() -> None:
    resources = yaml.safe_load((ROOT / "helm" / "treble-bridge" / "values.yaml").read_text(encoding="utf-8"))[
        "resources"
    ]
    assert f"| CPU | {resources['requests']['cpu']} | none |" in PAGE
    assert f"| memory | {resources['requests']['memory']} | {resources['limits']['memory']} |" in PAGE
    assert "cpu" not in resources["limits"]
