"""The parts of docs/ that are made from the code: `python -m tests.doc_pages` writes them, a test compares them.

A part stands between `<!-- NAME: made by … -->` and `<!-- end of NAME -->`; everything outside is written by hand.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from bridge.catalogue import TABLE
from bridge.catalogue.reading import ENDINGS, MEANINGS
from bridge.cli import COMMANDS, EXIT_CODES, cli
from bridge.errors import ExitCode
from bridge.settings import reference
from bridge.settings.changes import is_reloadable
from bridge.telemetry.log_events import EVENTS, FIELDS
from observability import metrics_page, rules
from tests.doc_events import event_types, required, told_by

DOCS: Final = Path(__file__).parent.parent / "docs"
BRIDGE: Final = DOCS.parent / "bridge"

RESTART: Final[Mapping[ExitCode, str]] = MappingProxyType(
    {
        ExitCode.OK: "it was asked to stop",
        ExitCode.FAILURE: "yes",
        ExitCode.USAGE: "no: first correct the configuration, or the owner of the journal's folder",
        ExitCode.JOURNAL_LOCKED: "yes, with a pause: the other process may be about to end",
        ExitCode.JOURNAL_CORRUPT: "no: see [a damaged journal](runbook.md#a-damaged-journal)",
        ExitCode.JOURNAL_FAILED: "yes: it recovers at its start",
        ExitCode.FENCED: "no: find the other process first",
        ExitCode.UNREACHABLE: "not of `run`, which waits for Kafka by itself",
        ExitCode.MISMATCH: "not of `run`",
        ExitCode.PORT_TAKEN: "yes, with a pause: who has the port may be about to end, or the network to come up",
    }
)
"""Exit code → whether a supervisor should start `run` again."""


def catalogue() -> Iterator[str]:
    """One row for each event type."""
    yield "| Treble | told by | event type | default topic | default key | required |\n|---|---|---|---|---|---|"
    for name, event_type in TABLE.items():
        cells = (told_by(event_type), f"[`{name}`](events.md#{name.replace('.', '')})", f"`treble.{name}`")
        yield f"| `{event_type.treble}` | {' | '.join(cells)} | {event_type.key} | {required(event_type)} |"


def log_events() -> Iterator[str]:
    """One row for each log event."""
    yield "| `event.name` | meaning |\n|---|---|"
    for name, meaning in EVENTS.items():
        yield f"| `{name}` | {meaning} |"


def log_fields() -> Iterator[str]:
    """One row for each field of log lines."""
    yield "| field | is | named as in |\n|---|---|---|"
    for field in FIELDS.values():
        yield f"| `{field.name}` | {field.meaning} | {field.standard} |"


def exit_codes() -> Iterator[str]:
    """One row for each exit code."""
    yield "| code | means | start `run` again? |\n|---|---|---|"
    for code, meaning in EXIT_CODES.items():
        yield f"| {int(code)} | {meaning} | {RESTART[code]} |"


def commands() -> Iterator[str]:
    """One row for each command, groups left out."""
    yield "| command | does |\n|---|---|"
    for name in COMMANDS:
        yield from _commands(("treble-bridge", name), cli)


def _commands(path: tuple[str, ...], group: click.Group) -> Iterator[str]:
    command = group.get_command(click.Context(group), path[-1])
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from _commands((*path, name), command)
    elif command is not None:
        yield f"| `{' '.join(path)}` | {_first_sentence(command.help)} |"


def notes() -> Iterator[str]:
    """One row for each note, then one for each ending."""
    yield "| note | means |\n|---|---|"
    for note, meaning in MEANINGS.items():
        yield f"| `{note}` | {meaning} |"
    for ending, meaning in ENDINGS.items():
        yield f"| `…{ending}` | {meaning} |"


def file_map() -> Iterator[str]:
    """One row for each package and module of the program, the highest layer first."""
    yield "| package or module | is | |\n|---|---|---|"
    pure = _contracts()["importlinter:contract:pure"]["source_modules"].split()
    modules = [name for line in _layers() for name in line.split(" | ")]
    for name in ["__init__", *modules]:
        path = BRIDGE / name / "__init__.py"
        shown = f"bridge/{name}/" if path.exists() else f"bridge/{name}.py"
        docstring = ast.get_docstring(ast.parse((path if path.exists() else BRIDGE / f"{name}.py").read_text("utf-8")))
        yield f"| `{shown}` | {_first_sentence(docstring)} | {'pure' if f'bridge.{name}' in pure else ''} |"


def options() -> Iterator[str]:
    """A table for each section of the configuration: its keys, what they take, their defaults, what they are for."""
    found = [(option.path.rpartition("."), option) for option in reference.options()]
    for prefix in dict.fromkeys(path[0] for path, _ in found if path[0]):
        rows = [(path[2], option) for path, option in found if path[0] == prefix]
        yield f"### `{prefix}`\n\n{(rows[0][1].section.__doc__ or '').splitlines()[0]}\n"
        yield "| key | takes | default | reload | meaning |\n|---|---|---|---|---|"
        for key, option in rows:
            default = "required" if option.required else f"`{option.default}`" if option.default is not None else "–"
            reload = "yes" if is_reloadable(tuple(option.path.replace("[]", "").split("."))) else "restart"
            meaning = option.description.replace("|", "\\|")
            yield f"| `{key}` | {option.kind} | {default} | {reload} | {meaning} |"
        yield ""


def layers() -> Iterator[str]:
    """The layers that import-linter checks, a line each."""
    yield "\n".join(["```text", *(line.replace("|", "·") for line in _layers()), "```"])


def _layers() -> list[str]:
    lines = _contracts()["importlinter:contract:layers"]["layers"].split("\n")
    return [line.strip() for line in lines if line.strip()]


def _contracts() -> ConfigParser:
    contracts = ConfigParser()
    contracts.read(BRIDGE.parent / ".importlinter", encoding="utf-8")
    return contracts


def _first_sentence(text: str | None) -> str:
    """The first paragraph as one line; of that, what stands before the first full stop."""
    paragraph = " ".join((text or "").split("\n\n")[0].split())
    return re.split(r"\.(?: |$)", paragraph)[0] + "."


PARTS: Final[Mapping[str, Mapping[str, Callable[[], Iterator[str]]]]] = MappingProxyType(
    {
        "configuration.md": {"tables": options},
        "architecture.md": {"file map": file_map, "layers": layers},
        "contract.md": {"catalogue": catalogue},
        "events.md": {"notes": notes, "event types": event_types},
        "metrics.md": {"metrics": metrics_page.page, "recordings": rules.recordings},
        "reference.md": {
            "commands": commands,
            "log fields": log_fields,
            "log events": log_events,
            "exit codes": exit_codes,
        },
        "runbook.md": {"what to watch": rules.what_to_watch},
    }
)
"""Page → its parts by name."""


def with_parts(page: str, parts: Mapping[str, Callable[[], Iterator[str]]]) -> str:
    """`page` with its parts as of today."""
    for name, make in parts.items():
        begin, end = f"<!-- {name}: made by `python -m tests.doc_pages` -->", f"<!-- end of {name} -->"
        before, _, rest = re.sub(rf"<!-- {re.escape(name)}: .* -->", begin, page).partition(begin)
        _, ended, after = rest.partition(end)
        if not ended:
            raise ValueError(f"the page lacks {begin} … {end}")
        text = "\n".join(make()).strip()
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    for file, made in PARTS.items():
        path = DOCS / file
        path.write_text(with_parts(path.read_text(encoding="utf-8"), made), encoding="utf-8")
