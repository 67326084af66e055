"""What the chart renders, kept as files: a change of it is seen in review. `python -m tests.chart.golden` writes them.

A file for each of the chart's ci/*-values.yaml. The dashboard and the rules stand in their own files, and are left out.
"""

import re
import sys
from pathlib import Path
from typing import Final

from tests.chart.rendering import CI, template

GOLDEN: Final = Path(__file__).parent / "golden"
_DASHBOARD: Final = re.compile(r"(  treble-bridge\.json: \|\n)(?:    .*\n|\n)+")
_RULES: Final = re.compile(r"(kind: PrometheusRule\n(?:.*\n)*?  groups:\n)(?:    .*\n|\n)+")


def rendered(name: str) -> str:
    """What Helm renders today of a values file."""
    return _RULES.sub(r"\1    …\n", _DASHBOARD.sub(r"\1    …\n", template(name)))


def kept(name: str) -> Path:
    """Where that is kept."""
    return GOLDEN / f"{name}.yaml"


def main() -> int:
    """Write every file anew, and remove those of values files that are no more."""
    for path in GOLDEN.glob("*.yaml"):
        if path.stem not in CI:
            path.unlink()
    for name in CI:
        kept(name).write_text(rendered(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
