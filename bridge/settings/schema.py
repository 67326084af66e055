"""The JSON Schema of the configuration file, for editors: `python -m bridge.settings.schema` writes it.

It is for writing, the loader is for truth: the schema knows keys, types and choices, not what contradicts what.
"""

import json
import sys
from pathlib import Path
from typing import Any

from bridge.settings.models import Settings
from bridge.settings.options import default_text, options
from bridge.settings.section import Section

FILE = Path("config") / "treble-bridge.schema.json"
_EXPANSION = {"$ref": "#/$defs/Expansion"}
_SCALARS = {"string", "integer", "number", "boolean"}


def schema() -> dict[str, Any]:
    """The schema as a JSON value: each scalar may also be a text with `${…}`, each default is as the file writes it."""
    generated = Settings.model_json_schema()
    sections = {section.__name__: section for section in _sections(Settings)}
    for name, definition in [*generated["$defs"].items(), ("Settings", generated)]:
        _describe(definition, sections[name])
    result = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "treble-bridge configuration",
        **{key: _open(value) for key, value in generated.items() if key not in {"title", "$defs"}},
        "$defs": {name: _open(definition) for name, definition in generated["$defs"].items()},
    }
    result["$defs"]["Expansion"] = {
        "type": "string",
        "pattern": r"\$\{[^}]+\}",
        "description": "${VAR}, ${VAR:-default} or ${file:/path}",
    }
    return result


def schema_text() -> str:
    """The schema as the text of its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _sections(section: type[Section]) -> set[type[Section]]:
    """`section` and all sections below it."""
    return {section, *(option.section for option in options(section))}


def _describe(definition: dict[str, Any], section: type[Section]) -> None:
    """Defaults as text with their unit, and no titles: they only repeat the keys."""
    definition.pop("title", None)
    for key, prop in definition["properties"].items():
        prop.pop("title", None)
        prop.pop("default", None)
        written = default_text(section.model_fields[key])
        if not section.model_fields[key].is_required() and ("$ref" in prop or prop.get("type") == "object"):
            about = {"description": prop.pop("description")}
            definition["properties"][key] = {**about, "anyOf": [prop, {"type": "null"}]}  # all of it commented out
        elif written not in {None, "[]", "{}"}:
            prop["default"] = json.loads(written) if _is_json(written) else written


def _is_json(text: str | None) -> bool:
    return text is not None and (text.isdigit() or text in {"true", "false", '""'})


def _open(node: Any) -> Any:
    """Let every scalar be a text with something to expand in it."""
    if isinstance(node, list):
        return [_open(item) for item in node]
    if not isinstance(node, dict):
        return node
    if _is_scalar(node):
        about = {key: node[key] for key in ("description", "default", "examples") if key in node}
        plain = {key: value for key, value in node.items() if key not in {*about, "format", "writeOnly"}}
        if plain.get("type") == "string" and not plain.keys() & {"pattern", "enum", "const"}:
            return {**about, **plain}
        return {**about, "anyOf": [plain, _EXPANSION]}
    return {key: value if key in {"required", "default"} else _open(value) for key, value in node.items()}


def _is_scalar(node: dict[str, Any]) -> bool:
    kinds = node.get("type", "string" if "enum" in node or "const" in node else [])
    return bool(kinds) and {*([kinds] if isinstance(kinds, str) else kinds)} <= _SCALARS


def main() -> None:
    """Write the schema into the checkout, or to the path that is given."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    target.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
