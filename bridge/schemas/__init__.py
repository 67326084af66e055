"""What consumers and senders may rely on, as documents for machines. Here: the files as they are shipped, read.

`event`, `headers` and `examples` make the parts out of the catalogue, `asyncapi` the document of all topics, `generate`
the files in `v1/`: a test compares them with what is made today. `openapi.json` is written by hand, and held against
what the ingress answers. Nothing is imported here, so that reading a file costs no more than that.
"""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

ASYNCAPI, OPENAPI = "asyncapi", "openapi"
_VERSION = re.compile(r"v\d+")


def names() -> list[str]:
    """The JSON Schemas by name: `message.read`."""
    return sorted(_files().keys() - {ASYNCAPI, OPENAPI})


def text(name: str) -> str:
    """The text of a schema in its newest version, or of one of the two documents. KeyError when there is none."""
    return _files()[name].read_text(encoding="utf-8")


def _files() -> dict[str, Traversable]:
    package = files("bridge.schemas")
    versions = [folder for folder in package.iterdir() if _VERSION.fullmatch(folder.name)]
    found = {OPENAPI: package / f"{OPENAPI}.json"}
    for folder in sorted(versions, key=lambda folder: int(folder.name[1:])):
        found |= {file.name.removesuffix(".json"): file for file in folder.iterdir() if file.name.endswith(".json")}
    return found
