"""What the chart repeats of the program is not stale."""

import jsonschema
import yaml

from bridge.catalogue import HINTS
from bridge.settings.changes import RELOADABLE
from bridge.version import VERSION
from helm.generate import stale
from tests.chart.rendering import CHART


def test_nothing_that_is_generated_is_stale() -> None:
    assert [path.name for path in stale()] == [], "run `python -m helm.generate`"


def test_the_schema_is_one_that_every_helm_3_reads() -> None:
    schema = yaml.safe_load((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == VERSION


def test_the_templates_know_what_a_running_bridge_takes_and_which_hints_there_are() -> None:
    known = yaml.safe_load((CHART / "files" / "from-code.yaml").read_text(encoding="utf-8"))
    assert {tuple(path) for path in known["reloadable"]} == RELOADABLE
    assert known["hints"] == list(HINTS)
