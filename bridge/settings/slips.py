"""What a wrong line most likely came from: characters that look like others, and YAML's own traps. Pure.

Of the file's text, only single characters are repeated: the rest may be a secret.
"""

import re
import unicodedata

import yaml

_LOOKALIKES = frozenset("“”„‟‘’‚‛«»‹›‐‑‒–—−：\u2800\u3164\u034f\ufe0f\ufffd")
_UNSEEN = {"Zs", "Zl", "Zp", "Cf", "Cc"}
_NAMES = {"\ufeff": "byte order mark", "\n": "line break", "\r": "carriage return", "\t": "tab"}
_QUOTE_IT = re.compile(r"[@`%]|alias|anchor|tag")
_NO_BLANK = re.compile(r"\s*(?:- +)?[A-Za-z_.]+:[^\s/]")
_SHAPES = (
    (re.compile(r"[A-Za-z_.]+:\S"), "a space is missing after the colon"),
    (re.compile(r"-\S"), "a space is missing after the -"),
    (re.compile(r"[A-Za-z_.]+\s*="), "write `key: value`, not ="),
)
_HINTS = (
    ("mapping values", "a value that holds `: ` must be in quotes; keys that belong together stand exactly in line"),
    ("<block end>", "check the indentation: keys that belong together stand exactly in line"),
    ("unknown escape", "inside double quotes a \\ is written \\\\; inside single quotes it is itself"),
)


def odd_character(text: str) -> str | None:
    """The first character that can't be seen, or that looks like another: `U+00A0 (no-break space)`."""
    for character in text:
        if character in _LOOKALIKES or (character != " " and unicodedata.category(character) in _UNSEEN):
            name = _NAMES.get(character) or unicodedata.name(character, "control character").lower()
            return f"U+{ord(character):04X} ({name})"
    return None


def text_slip(text: str, *, shape: bool = True) -> str:
    """What is wrong with text, by its characters and its `shape`, where something else was expected; else ""."""
    if odd := odd_character(text):
        return f"; it holds {odd}"
    return next((f"; {what}" for pattern, what in _SHAPES if shape and pattern.match(text)), "")


def syntax_slip(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """The line (the first is 0) that has to be mended, and what is wrong with it."""
    mark, opened = error.problem_mark or error.context_mark, error.context_mark
    line, problem = mark.line if mark else 0, error.problem or ""
    lines = text.splitlines()
    here = "".join(lines[line : line + 1])
    if "'\\t'" in problem:
        indented = "\t" in here[: len(here) - len(here.lstrip())]
        return line, "a tab: indent with spaces" if indented else "a tab: spaces must stand there"
    if opened and "quoted scalar" in (error.context or "") and "unexpected" in problem:
        return opened.line, "the quote that opens here is not closed"
    if mark and (quote := _quote_before(text, mark.index)):
        return quote
    if opened and problem == "could not find expected ':'":
        line = opened.line
    for number in (line, line - 1) if "':'" in problem or "mapping values" in problem else ():
        if _NO_BLANK.match("".join(lines[number : number + 1])):
            return number, "a space is missing after the colon"
    return line, _reason(error, "".join(lines[line : line + 1]).split(" #")[0])


def _quote_before(text: str, index: int) -> tuple[int, str] | None:
    """A quoted text that ends right before the place of an error: it began too early, or ended there by mistake."""
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            start, end = token.start_mark, token.end_mark
            if not isinstance(token, yaml.ScalarToken) or token.plain or text[end.index : index].strip():
                continue
            if end.index > index:
                return None
            if start.line < end.line:
                return start.line, unclosed(end.line)
            return start.line, "text after a closing quote: in '…' a quote is written '', in \"…\" it is written \\\""
    except yaml.YAMLError:
        pass
    return None


def unclosed(end: int) -> str:
    return f"the quote that opens here ends only in line {end + 1}: it was not closed"


def _reason(error: yaml.MarkedYAMLError, here: str) -> str:
    """PyYAML's reason, and what it often comes from."""
    reason = ", ".join(part for part in (error.context, error.problem) if part)
    reason = re.sub(r"'([^']*)'|\"([^\"]*)\"", lambda quoted: quoted[0] if _is_syntax(quoted[0][1:-1]) else "…", reason)
    if odd := odd_character(here):
        return f"{reason} (the line holds {odd})"
    if "{{" in here:
        return f"{reason} (holds {{{{ }}}}, word for word: nothing has filled that in)"
    if re.search(r"\$\{|[\w.]\{", here):
        return f"{reason} (inside {{ }} and [ ], {'${…}' if '${' in here else 'text with { }'} must be in quotes)"
    if (opened := error.context_mark) and "flow" in reason:
        return f"{reason} (what is not closed opens in line {opened.line + 1})"
    if _QUOTE_IT.search(reason):
        return f"{reason} (text that begins with a special character must be in quotes)"
    return reason + next((f" ({hint})" for part, hint in _HINTS if part in reason), "")


def _is_syntax(quoted: str) -> bool:
    return len(quoted) <= 1 or quoted.startswith("<")
