"""What the chart's templates must know of the program: files/from-code.yaml. Pure."""

from typing import Any, Final

import yaml

from bridge.catalogue import HINTS
from bridge.settings.changes import RELOADABLE
from bridge.settings.reference import options

DEFAULTS: Final = (
    "server.listen",
    "server.ack_deadline",
    "server.drain_delay",
    "server.drain_deadline",
    "admin.listen",
    "journal.path",
    "journal.max_bytes",
    "topics.create",
    "topics.replication_factor",
)
"""Options whose defaults the templates calculate with, or tell."""

_HEAD: Final = "# Made by `python -m helm.generate`: what the templates must know of the program.\n"


def from_code() -> dict[str, Any]:
    """`reloadable`: keys that count without a restart. `defaults`: of options. `hints`: last segments of URLs."""
    known = {option.path: option.default for option in options()}
    return {
        "reloadable": sorted([str(step) for step in loc] for loc in RELOADABLE),
        "defaults": {path: known[path] for path in DEFAULTS},
        "hints": list(HINTS),
    }


def from_code_text() -> str:
    """The text of the file."""
    return _HEAD + yaml.safe_dump(from_code(), sort_keys=False, default_flow_style=None, width=120)
