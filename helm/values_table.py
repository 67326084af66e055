"""The table of values in the chart's README, from the comments in values.yaml. Pure.

A comment that begins with `# --` is about the key below it; its further lines begin with `# `.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

BEGIN: Final = "<!-- values: made by `python -m helm.generate` -->"
END: Final = "<!-- end of values -->"
DEFAULT_CHARS_MAX: Final = 60
_KEY = re.compile(r"( *)([A-Za-z][A-Za-z0-9]*):")
_TYPES: Final = {dict: "object", list: "list", bool: "bool", int: "int", str: "string", type(None): "int"}


def documented(text: str) -> Iterator[tuple[str, str]]:
    """Key path and description of each key that has one, in the order of the file."""
    path: list[str] = []
    description: list[str] = []
    for line in text.splitlines():
        if (comment := re.match(r" *# ?(.*)", line)) is not None:
            if comment[1].startswith("-- "):
                description = [comment[1].removeprefix("-- ")]
            elif description:
                description.append(comment[1])
        elif (key := _KEY.match(line)) is not None:
            path = [*path[: len(key[1]) // 2], key[2]]
            if description:
                yield ".".join(path), " ".join(description)
            description = []


def undocumented(text: str, values: dict[str, Any]) -> list[str]:
    """Keys that neither have a description, nor stand below or above one that has."""
    known = dict(documented(text))
    return [path for path in _leaves(values, "") if not any(_covers(name, path) for name in known)]


def table(text: str, values: dict[str, Any]) -> str:
    """A row for each key that has a description."""
    rows = ["| key | type | default | description |", "|---|---|---|---|"]
    for path, description in documented(text):
        value: Any = values
        for step in path.split("."):
            value = value[step]
        shown = json.dumps(value, ensure_ascii=False).replace("|", "\\|")
        if len(shown) > DEFAULT_CHARS_MAX:
            shown = "see values.yaml"
        rows.append(f"| `{path}` | {_TYPES[type(value)]} | `{shown}` | {description.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def with_table(page: str, text: str, values: dict[str, Any]) -> str:
    """The page, with today's table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError("README.md has no place for the table of values")
    return f"{before}{BEGIN}\n\n{table(text, values)}\n\n{END}{after}"


def _leaves(values: dict[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _covers(name: str, path: str) -> bool:
    return path == name or path.startswith(f"{name}.")
