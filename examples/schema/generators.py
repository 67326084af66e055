"""Types for each language, made of `events.schema.json` by a tool of that language."""

from collections.abc import Callable, Mapping
from pathlib import Path

from examples.schema import bundle
from examples.schema.workshop import EXAMPLES, maven, node_modules, python_generator, run, tool

_GO_JSONSCHEMA = "github.com/atombender/go-jsonschema@v0.24.1"
_MARK = "Generated from examples/schema/events.schema.json; `make types` makes it again."


def python(into: Path) -> None:
    """Models of pydantic, which check as they read."""
    header = into / ".header"
    header.write_text(f"# {_MARK}\n# ruff: noqa\n# fmt: off\n")
    run(
        python_generator(),
        "-m",
        "datamodel_code_generator",
        *("--input", bundle.FILE, "--input-file-type", "jsonschema", "--output", into / "events.py"),
        *("--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11"),
        *("--use-title-as-name", "--use-schema-description", "--use-annotated", "--use-union-operator"),
        *("--enum-field-as-literal", "all", "--formatters", "black"),
        *("--disable-timestamp", "--custom-file-header-path", header),
    )
    header.unlink()


def typescript(into: Path) -> None:
    """Interfaces; the type's name tells one from another."""
    run(
        node_modules() / ".bin/json2ts",
        *("--input", bundle.FILE, "--output", into / "src/events.ts"),
        *("--no-additionalProperties", "--bannerComment", f"// {_MARK}"),
    )


def go(into: Path) -> None:
    """Structs for encoding/json."""
    (into / "events").mkdir(exist_ok=True)
    run(
        *(tool("go"), "run", _GO_JSONSCHEMA, "--package", "events", "--only-models", "--tags", "json"),
        *("--capitalization", "ID,URL", "--output", into / "events/events.go", bundle.FILE),
    )


def java(into: Path) -> None:
    """Classes for Jackson."""
    maven(
        "jsonschema2pojo:generate",
        f"-Dtypes.schema={bundle.FILE}",
        f"-Dtypes.directory={into / 'src/main/java'}",
        folder=EXAMPLES / "java",
    )


GENERATORS: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "python": ("events.py", python),
    "typescript": ("src/events.ts", typescript),
    "go": ("events", go),
    "java": ("src/main/java/com/example/treble/events", java),
}
"""By the example's folder: the file or folder in it that is generated, and what makes it."""
