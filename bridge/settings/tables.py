"""The tables of docs/configuration.md: `python -m bridge.settings.tables` writes them from the models."""

import sys
from itertools import groupby
from pathlib import Path

from bridge.settings.changes import is_reloadable
from bridge.settings.options import Option, options

FILE = Path("docs") / "configuration.md"
_BEGIN = "<!-- tables: written by `python -m bridge.settings.tables` -->"
_END = "<!-- end of tables -->"


def tables() -> str:
    """A table for each section: its keys, what they take, their defaults, what they are for."""
    parts = []
    for (prefix, section), rows in groupby(_by_section(), key=lambda option: (_prefix(option), option.section)):
        parts.append(f"### `{prefix}`\n\n{(section.__doc__ or '').splitlines()[0]}\n")
        parts.append("| key | takes | default | reload | meaning |\n|---|---|---|---|---|")
        parts.extend(_row(option) for option in rows)
        parts.append("")
    return "\n".join(parts)


def with_tables(page: str) -> str:
    """`page` with the tables of today between its markers."""
    before, _, rest = page.partition(_BEGIN)
    _, found, after = rest.partition(_END)
    if not found:
        raise ValueError(f"the page lacks {_BEGIN} … {_END}")
    return f"{before}{_BEGIN}\n\n{tables()}\n{_END}{after}"


def _by_section() -> list[Option]:
    """Every option below the top level, those of a section together, in the order in which sections are met."""
    found = [option for option in options() if _prefix(option)]
    order = list(dict.fromkeys(_prefix(option) for option in found))
    return sorted(found, key=lambda option: order.index(_prefix(option)))


def _prefix(option: Option) -> str:
    return option.path.rpartition(".")[0]


def _row(option: Option) -> str:
    loc = tuple(option.path.replace("[]", "").split("."))
    default = "required" if option.required else f"`{option.default}`" if option.default is not None else "–"
    reload = "yes" if is_reloadable(loc) else "restart"
    key = option.path.rpartition(".")[2]
    meaning = option.description.replace("|", "\\|")
    return f"| `{key}` | {option.kind} | {default} | {reload} | {meaning} |"


def main() -> None:
    """Write the tables into the page of the checkout, or into the one that is given."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    target.write_text(with_tables(target.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
