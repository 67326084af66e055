"""What consumers and senders may rely on, as documents for machines. Here: the files as they are shipped, read.

`event` and `examples` make the parts out of the catalogue, `asyncapi` the document of all topics, `generate` the files
in `v1/`: a test compares them with what is made today. `openapi.json` is written by hand, and held against what the
ingress answers. Nothing is imported here, so that reading a file costs no more than that.
"""

from pathlib import Path
from typing import Final

ASYNCAPI, OPENAPI = "asyncapi", "openapi"
FOLDER: Final = Path(__file__).parent


def names() -> list[str]:
    """The JSON Schemas by name: `message.read`."""
    return sorted(_files().keys() - {ASYNCAPI, OPENAPI})


def text(name: str) -> str:
    """The text of a schema in its newest version, or of one of the two documents. KeyError when there is none."""
    return _files()[name].read_text(encoding="utf-8")


def _files() -> dict[str, Path]:
    versions = sorted(FOLDER.glob("v*/*.json"), key=lambda file: int(file.parent.name[1:]))
    return {file.stem: file for file in [FOLDER / f"{OPENAPI}.json", *versions]}
