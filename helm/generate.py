"""What is generated in the chart: `python -m helm.generate` writes it, with `--check` it says what is stale.

values.schema.json, files/from-code.yaml, and the table of values in README.md.
"""

import json
import sys
from pathlib import Path
from typing import Final

import yaml

from helm.from_code import from_code_text
from helm.values_schema import values_schema
from helm.values_table import undocumented, with_table

CHART: Final = Path(__file__).parent / "treble-bridge"
CONFIG_SCHEMA: Final = CHART.parent.parent / "config" / "treble-bridge.schema.json"


def generated() -> dict[Path, str]:
    """Each file with its text as of today. ValueError when values.yaml leaves a key unexplained."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    if silent := undocumented(text, values):
        raise ValueError(f"values.yaml doesn't explain {', '.join(silent)}")
    schema = values_schema(values, json.loads(CONFIG_SCHEMA.read_text(encoding="utf-8")))
    readme = CHART / "README.md"
    return {
        CHART / "values.schema.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n",
        CHART / "files" / "from-code.yaml": from_code_text(),
        readme: with_table(readme.read_text(encoding="utf-8"), text, values),
    }


def stale() -> list[Path]:
    """The files that are not as they would be made today."""
    return [path for path, text in generated().items() if not path.exists() or path.read_text("utf-8") != text]


def main() -> int:
    """Write what is stale, or with --check name it. The exit code is 1 if something was."""
    if "--check" in sys.argv[1:]:
        for path in stale():
            print(f"stale: {path.relative_to(CHART.parent.parent)}; run `python -m helm.generate`")
        return 1 if stale() else 0
    for path in stale():
        path.write_text(generated()[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
