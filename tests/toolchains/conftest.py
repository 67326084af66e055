"""One loud line about what was left out for want of a toolchain."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the tests that were skipped because a toolchain, or its packages, can't be had here."""
    left_out = [
        report for report in terminalreporter.stats.get("skipped", []) if "LEFT OUT, the tests" in str(report.longrepr)
    ]
    if left_out:
        terminalreporter.write_line(
            f"!!! {len(left_out)} tests in other languages were LEFT OUT (the reasons are above). To run them: install"
            " Node 20+ with npm, Go 1.26+, Java 17+ with Maven, and let them fetch packages; REQUIRE_TOOLCHAINS=1"
            " makes this an error",
            red=True,
            bold=True,
        )
