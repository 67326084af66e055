"""One loud line about what was left out for want of Prometheus."""

import pytest

from tests.observability.programs import LEFT_OUT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the tests that were skipped because Prometheus or promtool is not here."""
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if LEFT_OUT in str(one.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"!!! {len(skipped)} tests of rules and queries were LEFT OUT. To run them: install prometheus with"
            " promtool (Debian's package `prometheus`); REQUIRE_TOOLCHAINS=1 makes this an error",
            red=True,
            bold=True,
        )
