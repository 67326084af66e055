"""Writes the schemas and the AsyncAPI document: `python -m bridge.schemas.generate`; `--check` only compares."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.catalogue import TABLE
from bridge.catalogue.definition import SCHEMA_VERSION
from bridge.schemas import ASYNCAPI, FOLDER
from bridge.schemas.asyncapi import asyncapi
from bridge.schemas.event import QUARANTINE, event_schema, quarantine_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"  # AsyncAPI has its own, which knows all of these keywords


def documents() -> dict[str, str]:
    """Every generated file: path below the package, text."""
    made = {f"v{SCHEMA_VERSION}/{name}.json": event_schema(event_type) for name, event_type in TABLE.items()}
    made[f"v{SCHEMA_VERSION}/{QUARANTINE}.json"] = quarantine_schema()
    texts = {path: as_text({"$schema": DIALECT, **document}) for path, document in made.items()}
    return {**texts, f"v{SCHEMA_VERSION}/{ASYNCAPI}.json": as_text(asyncapi())}


def as_text(document: Mapping[str, Any]) -> str:
    """A document as the text of its file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def stale(folder: Path = FOLDER) -> list[str]:
    """The files that are not as they would be made now, or should not be there."""
    wanted = documents()
    there = {f"{file.parent.name}/{file.name}": file.read_text("utf-8") for file in folder.glob("v*/*.json")}
    return sorted(path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path))


def main() -> int:
    """Write the files, or compare them. Returns the exit code."""
    if "--check" in sys.argv[1:]:
        outdated = stale()
        for path in outdated:
            sys.stderr.write(f"stale: bridge/schemas/{path} (run `make schemas`)\n")
        return 1 if outdated else 0
    for path, text in documents().items():
        target = FOLDER / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
