"""What was left out of a run for want of a program: one line at its end, that says how many and what would run them.

`make test` runs pytest twice. Each run appends its counts to the file that LEFT_OUT_FILE names, and `python -m
tests.left_out FILE` says the line for both. Without that variable each run says it by itself.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.kafka_broker.provide import HOW_TO

# A part of the reason → whose tests they are, and what would run them. The first that fits counts.
KINDS: Mapping[str, tuple[str, str]] = {
    "no Kafka: ": ("on a real Kafka", HOW_TO),
    "LEFT OUT, the chart": ("of the Helm chart", "helm on PATH, for one also kubeconform and K8S_SCHEMAS"),
    "LEFT OUT, the tests that need Prometheus": ("of rules and queries", "prometheus with promtool on PATH"),
    "LEFT OUT, promtool": ("of the files for Prometheus", "promtool on PATH"),
    "LEFT OUT, the tests that need HAProxy": ("behind a proxy", "haproxy on PATH"),
    "LEFT OUT, the tests that need": ("in other languages", "Node 20+ with npm, Go 1.26+, Java 17+ with Maven"),
    "LEFT OUT, the tests of the image": ("of the image", "Docker 25 or newer, with buildx and compose"),
    "LEFT OUT, of compose.yaml": ("of what compose.yaml runs", "its images in Docker's store"),
    "LEFT OUT, the cluster tests": ("in a cluster", "KUBECONFIG, and what the reason above names"),
    "actionlint": ("of the workflows", "actionlint on PATH"),
}


def counted(reasons: Iterable[str]) -> Counter[str]:
    """How many tests were left out, by a key of KINDS; "" for reasons that are none of them."""
    return Counter(next((part for part in KINDS if part in reason), "") for reason in reasons)


def line(counts: Mapping[str, int]) -> str:
    """The line; "" where nothing was left out."""
    total = sum(counts.values())
    if not total:
        return ""
    parts = [f"{counts[part]} {whose} ({needs})" for part, (whose, needs) in KINDS.items() if counts.get(part)]
    if counts.get(""):
        parts.append(f"{counts['']} for the reasons above")
    return (
        f"!!! {total} tests were LEFT OUT: {'; '.join(parts)}. REQUIRE_KAFKA=1, REQUIRE_TOOLCHAINS=1 make that an error"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say the line of this run, or leave its counts for `make test`."""
    if hasattr(config, "workerinput"):  # one of several processes: the one that started them counts for all
        return
    counts = counted(str(one.longrepr) for one in terminalreporter.stats.get("skipped", []))
    if file := os.environ.get("LEFT_OUT_FILE"):
        with Path(file).open("a", encoding="utf-8") as out:
            out.write(json.dumps(counts) + "\n")
    elif said := line(counts):
        terminalreporter.write_line(said, red=True, bold=True)


if __name__ == "__main__":
    both: Counter[str] = Counter()
    for text in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        both.update(json.loads(text))
    print(line(both) or "No test was left out.")
