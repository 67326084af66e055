"""At the end of a run one line says how many tests were left out, and what would run them."""

from tests.left_out import counted, line


def test_nothing_left_out_says_nothing() -> None:
    assert line(counted([])) == ""


def test_one_line_counts_all_and_says_what_each_kind_needs() -> None:
    reasons = ["no Kafka: no Java"] * 3 + ["LEFT OUT, the chart: no helm", "LEFT OUT, the tests that need Go: no go"]
    said = line(counted([*reasons, "no IPv6 here"]))
    assert said.startswith("!!! 6 tests were LEFT OUT: 3 on a real Kafka (")
    assert "1 of the Helm chart (helm on PATH" in said
    assert "1 in other languages (" in said
    assert "1 for the reasons above" in said
    assert "\n" not in said
