"""One loud line about what was left out for want of Helm."""

import pytest

from tests.chart.rendering import REQUIRE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the tests that were skipped because a tool can't be had here."""
    left_out = [
        report for report in terminalreporter.stats.get("skipped", []) if "LEFT OUT, the chart" in str(report.longrepr)
    ]
    if left_out:
        terminalreporter.write_line(
            f"!!! {len(left_out)} tests of the Helm chart were LEFT OUT (the reasons are above). They need helm on"
            f" PATH, one also kubeconform and K8S_SCHEMAS; {REQUIRE}=1 makes this an error",
            red=True,
            bold=True,
        )
