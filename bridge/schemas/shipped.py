"""The generated files, as shipped in the package: `v1/<event type>.json`, `v1/quarantine.json`, `v1/asyncapi.json`."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

ASYNCAPI = "asyncapi"
_DIRECTORY = re.compile(r"v\d+")


def names() -> list[str]:
    """The schemas by name, of every version that is shipped: `message.read`."""
    return sorted(name for name in _files() if name != ASYNCAPI)


def text(name: str) -> str:
    """The text of a schema, or of the AsyncAPI document, in its newest version. KeyError when there is none."""
    return _files()[name].read_text(encoding="utf-8")


def _files() -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    folders = [folder for folder in files("bridge.schemas").iterdir() if _DIRECTORY.fullmatch(folder.name)]
    for folder in sorted(folders, key=lambda folder: int(folder.name[1:])):
        found |= {file.name.removesuffix(".json"): file for file in folder.iterdir() if file.name.endswith(".json")}
    return found
