"""The text of a configuration file → a tree of text, with the line of every key. Pure.

PyYAML reads the syntax; what it would make of scalars is left alone (see `scalars`). Duplicate keys are problems, since
the last would win in silence; so are tags, which could only mean something that is not meant here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from bridge.settings.expand import Expanded
from bridge.settings.scalars import Plain, is_null
from bridge.settings.section import Loc

_NODES_MAX = 50_000  # aliases can multiply: a small file must not become a large tree
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")}
_NO_TEXT = "holds bytes that are not UTF-8, or half a surrogate pair: that can be sent to nobody"
_QUOTE_IT = re.compile(r"[@`%]|alias|anchor|tag")


@dataclass(slots=True)
class Document:
    """A parsed file.

    `value` holds dicts, lists, None and text. `lines` has the line of each key path, `written` the text of scalars as
    the file writes them, `nulls` the keys without a value. `broken` are the paths of scalars that could not be
    expanded; `problems` are path, line and message.
    """

    value: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    written: dict[Loc, str] = field(default_factory=dict)
    nulls: list[Loc] = field(default_factory=list)
    broken: set[Loc] = field(default_factory=set)
    problems: list[tuple[Loc, int, str]] = field(default_factory=list)
    readable: bool = True

    def line(self, loc: Loc) -> int:
        """The line of a key path, or of the nearest one above it that is in the file."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)


class _Loader(yaml.SafeLoader):
    """Reads structure only: without implicit resolvers every scalar is text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - never written to; PyYAML declares it so


def parse(text: str, expand: Callable[[str], Expanded]) -> Document:
    """Parse one YAML document. Problems are in it; with a syntax error there is nothing else in it."""
    document = Document()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        document.problems.append(((), line + 1, f"not YAML: {_what(error, text.splitlines()[line : line + 1])}"))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.problems.append(((), line, "not YAML: a character that YAML doesn't allow"))
    except RecursionError:
        document.problems.append(((), 1, "nested too deep"))
    else:
        if node is not None:
            document.value = _Tree(document, expand).read(node, ())
        return document
    document.readable = False
    return document


def is_text(text: str) -> bool:
    """Whether it is Unicode text: an escape such as `\\ud800`, or a variable's bytes, may be none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _what(error: yaml.MarkedYAMLError, lines: list[str]) -> str:
    """PyYAML's reason, and what it often comes from.

    Without what it quotes from the file, beyond single characters: that may be a secret that begins with * or &.
    """
    if "'\\t'" in (error.problem or ""):
        indented = any("\t" in line[: len(line) - len(line.lstrip())] for line in lines)
        return "a tab: indent with spaces" if indented else "a tab: spaces must stand there"
    reason = ", ".join(part for part in (error.context, error.problem) if part)
    reason = re.sub(r"'([^']*)'|\"([^\"]*)\"", lambda quoted: quoted[0] if _is_syntax(quoted[0][1:-1]) else "…", reason)
    if any("${" in line for line in lines):
        return f"{reason} (inside {{ }} and [ ], ${{…}} must be in quotes)"
    return (
        f"{reason} (text that begins with a special character must be in quotes)"
        if _QUOTE_IT.search(reason)
        else reason
    )


def _is_syntax(quoted: str) -> bool:
    return len(quoted) <= 1 or quoted.startswith("<")


class _Tree:
    """Walks the nodes of one document."""

    def __init__(self, document: Document, expand: Callable[[str], Expanded]) -> None:
        self.document = document
        self.expand = expand
        self.open: set[int] = set()
        self.nodes = 0

    def read(self, node: yaml.Node, at: Loc) -> Any:
        """The value of `node`, which stands at the path `at`."""
        self.document.lines.setdefault(at, node.start_mark.line + 1)
        self.nodes += 1
        if self.nodes > _NODES_MAX:
            if self.nodes == _NODES_MAX + 1:
                self.problem((), node, f"more than {_NODES_MAX} values: aliases multiply what they stand for")
            return None
        if node.tag not in _TAGS:
            return self.problem(at, node, "tags such as !name have no meaning here; text in quotes is text")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, at)
        if id(node) in self.open:
            return self.problem(at, node, "an alias inside what it stands for")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.read(item, (*at, index)) for index, item in enumerate(node.value)]
            return self.mapping(node, at)
        finally:
            self.open.discard(id(node))

    def scalar(self, node: yaml.ScalarNode, at: Loc) -> str | None:
        """A plain null is None; what is plain and holds nothing to expand is Plain; everything else is text."""
        plain = node.style is None
        if plain and is_null(node.value):
            self.document.nulls.append(at)
            return None
        self.document.written[at] = node.value
        expanded = self.expand(node.value) if is_text(node.value) else Expanded("", problems=(_NO_TEXT,))
        for message in expanded.problems or (() if is_text(expanded.text) else (_NO_TEXT,)):
            self.problem(at, node, message)
            self.document.broken.add(at)
        return Plain(node.value) if plain and not expanded.changed else expanded.text

    def mapping(self, node: yaml.Node, at: Loc) -> dict[str, Any]:
        """Keys are text as written; `<<` merges other mappings, whose keys yield to those of this one."""
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(at, key, "expected text as a key")
            elif key.value == "<<" and key.style is None:
                for name, pair in self.merge(value, at):
                    merged.setdefault(name, pair)
            elif "${" in key.value:
                self.problem(at, key, "${…} is expanded in values only, not in keys")
            elif key.value in pairs:
                first = pairs[key.value][0].start_mark.line + 1
                self.problem((*at, key.value), key, f"the same key twice, first in line {first}")
            else:
                pairs[key.value] = (key, value)
        result = {}
        for name, (key, value) in {**merged, **pairs}.items():
            if not is_text(name):
                self.problem(at, key, f"a key {_NO_TEXT}")
                continue
            self.document.lines.setdefault((*at, name), key.start_mark.line + 1)
            result[name] = self.read(value, (*at, name))
        return result

    def merge(self, node: yaml.Node, at: Loc) -> Iterator[tuple[str, tuple[yaml.Node, yaml.Node]]]:
        """The pairs that a merge key brings in."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                self.problem(at, part, "expected a mapping, or a list of mappings, after <<")
                continue
            for key, value in part.value:
                if isinstance(key, yaml.ScalarNode):
                    yield key.value, (key, value)

    def problem(self, at: Loc, node: yaml.Node, message: str) -> None:
        """Note what is wrong, at the line where `node` begins."""
        self.document.problems.append((at, node.start_mark.line + 1, message))
