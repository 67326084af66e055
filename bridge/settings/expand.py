"""`${VAR}`, `${VAR:-default}` and `${file:/path}` inside a scalar of the configuration. Pure.

Expansion comes after parsing and is done once: what a variable or a file holds is text, whatever it looks like. It
can't add a key, a list or a second `${…}`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_FORMS = "expected ${NAME}, ${NAME:-default} or ${file:/path}; a $ that stands for itself before { is written $$"


@dataclass(frozen=True, slots=True)
class Expanded:
    """`text` with everything in its place, unless there are `problems`. `changed` says whether anything stood there."""

    text: str
    changed: bool = False
    problems: tuple[str, ...] = ()


def expand(text: str, variables: Mapping[str, str], read: Callable[[str], str]) -> Expanded:
    """Put variables and files in their place; `$$` is one `$`, any other `$` is itself.

    A variable that is not set and has no default is a problem; a default also stands in for an empty one. `read` gets
    an absolute path and returns the content, or raises ValueError with the reason. Problems name variables and paths,
    and never show what they hold, nor text of the scalar itself: it may be a secret.
    """
    problems: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        try:
            return _value(match[1], match[2] == "}", variables, read)
        except ValueError as error:
            problems.append(str(error))
            return ""

    result, count = _REFERENCE.subn(replace, text)
    return Expanded(result, count > 0, tuple(problems))


def _value(reference: str, closed: bool, variables: Mapping[str, str], read: Callable[[str], str]) -> str:
    if not closed:
        raise ValueError(f"${{ without a closing }}: {_FORMS}")
    if reference.startswith("file:"):
        path = reference.removeprefix("file:")
        if not path.startswith("/"):
            raise ValueError("${file:…} needs an absolute path, such as ${file:/run/secrets/token}")
        return _without_last_newline(read(path))
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


def _without_last_newline(content: str) -> str:
    return content.removesuffix("\n").removesuffix("\r") if content.endswith("\n") else content
