"""The text of a configuration file → a tree of text, with the line of every key. Pure.

Three steps in one walk: PyYAML reads the syntax, `expand` puts variables and files in their place, and every scalar
stays the text that was written until its place says what it is. YAML 1.1 would make numbers, booleans, dates and nulls
of plain scalars before that: a token `0123` would become 83, a country `no` false. Only free-form places (the bodies
under `responses`) ask what a plain scalar looks like: `typed`.

Duplicate keys are problems, since the last would win in silence; so are tags, which could only mean something that is
not meant here.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from bridge.settings.section import Loc

_NODES_MAX = 50_000  # aliases can multiply: a small file must not become a large tree
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")}
_NO_TEXT = "holds bytes that are not UTF-8, or half a surrogate pair: that can be sent to nobody"
_QUOTE_IT = re.compile(r"[@`%]|alias|anchor|tag")

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_FORMS = "expected ${NAME}, ${NAME:-default} or ${file:/path}; a $ that stands for itself before { is written $$"

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_INTEGER_MAX = 1 << 63


@dataclass(slots=True)
class Document:
    """A parsed file.

    `value` holds dicts, lists, None and text. `lines` has the line of each key path, `written` the text of scalars as
    the file writes them, `nulls` the keys without a value. `broken` are the paths of scalars that could not be
    expanded; `problems` are path, line and message. `readable` is False where the file is not YAML at all.
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


class Expanded(NamedTuple):
    """`text` with everything in its place, unless there are `problems`."""

    text: str
    problems: tuple[str, ...] = ()


class Plain(str):
    """A scalar that the file writes without quotes, and without anything expanded in it."""

    __slots__ = ()


def parse(text: str, expand: Callable[[str], Expanded]) -> Document:
    """Parse one YAML document. Problems are in it; with a syntax error there is nothing else in it."""
    document = Document()
    try:
        if (node := yaml.compose(text, Loader=_Loader)) is not None:
            document.value = _Tree(document, expand).read(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        message = f"not YAML: {_reason(error, text.splitlines()[line : line + 1])}"
    except yaml.reader.ReaderError as error:
        line, message = text.count("\n", 0, error.position), "not YAML: a character that YAML doesn't allow"
    except RecursionError:
        line, message = 0, "nested too deep, or an alias inside what it stands for"
    else:
        return document
    return Document(problems=[((), line + 1, message)], readable=False)


def expand(text: str, variables: Mapping[str, str], read: Callable[[str], str]) -> Expanded:
    """Put variables and files in their place; `$$` is one `$`, any other `$` is itself.

    It is done once: what a variable or a file holds is text, and can't add a key, a list or a second `${…}`.
    A variable that is not set and has no default is a problem; a default also stands in for an empty one. `read` gets
    an absolute path and returns the content, or raises ValueError with the reason. Problems name variables and paths,
    and never show what they hold, nor text of the scalar itself: it may be a secret.
    """
    problems: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        try:
            return _referenced(match[1], match[2] == "}", variables, read)
        except ValueError as error:
            problems.append(str(error))
            return ""

    return Expanded(_REFERENCE.sub(replace, text), tuple(problems))


def typed(value: Any) -> Any:
    """Free-form content → JSON values: plain scalars that are JSON numbers, booleans or null become those.

    Text in quotes and text that came out of `${…}` stays text, as do numbers that JSON can't carry exactly and
    everything else that looks like something only to YAML: `0123`, `+57`, `yes`, `2026-12-31`.
    """
    if isinstance(value, Plain):
        return _typed_scalar(str(value))
    if isinstance(value, Mapping):
        return {str(key): typed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed(item) for item in value]
    return value


class _Loader(yaml.SafeLoader):
    """Reads structure only: without implicit resolvers every scalar is text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - never written to; PyYAML declares it so


class _Tree:
    """Walks the nodes of one document."""

    def __init__(self, document: Document, expand: Callable[[str], Expanded]) -> None:
        self.document = document
        self.expand = expand
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
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*at, index)) for index, item in enumerate(node.value)]
        return self.mapping(node, at)

    def scalar(self, node: yaml.ScalarNode, at: Loc) -> str | None:
        """A plain null is None; what is plain and holds nothing to expand is Plain; everything else is text."""
        plain = node.style is None
        if plain and node.value in _NULL:
            self.document.nulls.append(at)
            return None
        self.document.written[at] = node.value
        expanded = self.expand(node.value) if _is_text(node.value) else Expanded("", problems=(_NO_TEXT,))
        for message in expanded.problems or (() if _is_text(expanded.text) else (_NO_TEXT,)):
            self.problem(at, node, message)
            self.document.broken.add(at)
        return Plain(node.value) if plain and expanded.text == node.value else expanded.text

    def mapping(self, node: yaml.Node, at: Loc) -> dict[str, Any]:
        """Keys are text as written."""
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(at, key, "expected text as a key")
            elif key.value == "<<" and key.style is None:
                self.problem(at, key, "<< merges nothing here: an alias (*name) stands for a whole value")
            elif "${" in key.value:
                self.problem(at, key, "${…} is expanded in values only, not in keys")
            elif key.value in pairs:
                first = pairs[key.value][0].start_mark.line + 1
                self.problem((*at, key.value), key, f"the same key twice, first in line {first}")
            else:
                pairs[key.value] = (key, value)
        result = {}
        for name, (key, value) in pairs.items():
            if not _is_text(name):
                self.problem(at, key, f"a key {_NO_TEXT}")
                continue
            self.document.lines.setdefault((*at, name), key.start_mark.line + 1)
            result[name] = self.read(value, (*at, name))
        return result

    def problem(self, at: Loc, node: yaml.Node, message: str) -> None:
        """Note what is wrong, at the line where `node` begins."""
        self.document.problems.append((at, node.start_mark.line + 1, message))


def _is_text(text: str) -> bool:
    """Whether it is Unicode text: an escape such as `\\ud800`, or a variable's bytes, may be none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(error: yaml.MarkedYAMLError, lines: list[str]) -> str:
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
    quote_it = " (text that begins with a special character must be in quotes)" if _QUOTE_IT.search(reason) else ""
    return reason + quote_it


def _is_syntax(quoted: str) -> bool:
    return len(quoted) <= 1 or quoted.startswith("<")


def _referenced(reference: str, closed: bool, variables: Mapping[str, str], read: Callable[[str], str]) -> str:
    if not closed:
        raise ValueError(f"${{ without a closing }}: {_FORMS}")
    if reference.startswith("file:"):
        path = reference.removeprefix("file:")
        if not path.startswith("/"):
            raise ValueError("${file:…} needs an absolute path, such as ${file:/run/secrets/token}")
        content = read(path)
        return content.removesuffix("\n").removesuffix("\r") if content.endswith("\n") else content
    match = _VARIABLE.fullmatch(reference)
    if match is None:
        raise ValueError(f"${{…}} is not understood: {_FORMS}")
    name, default = match[1], match[2]
    if default is not None and "${" in default:
        raise ValueError(f"the default of ${{{name}:-…}} can't hold another ${{…}}")
    if default is not None:
        return variables.get(name) or default
    if name not in variables:
        raise ValueError(f"the environment variable {name} is not set")
    return variables[name]


def _typed_scalar(text: str) -> Any:
    if text in _TRUTH:
        return _TRUTH[text]
    if len(text) <= 32 and (match := _NUMBER.fullmatch(text)):
        number = json.loads(text)
        exact = math.isfinite(number) if match[2] or match[3] else -_INTEGER_MAX <= number < _INTEGER_MAX
        return number if exact else text
    return text
