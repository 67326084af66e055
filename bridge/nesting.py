"""JSON that is nested deeper than the parser reads: whether a text is well-formed, whatever its depth.

Pure, in time proportional to the text. Only for what the parser gave up on: it finds no value, and is slower.
How: strings and other scalars become one mark each. Then what may stand beside what is a regular language; only the
brackets, and whether a comma parts members or items, need a stack.
"""

import re
from typing import Final

PARSER_DEPTH: Final = 1024
"""Levels that orjson reads."""

LOOKED_AT_CHARS_MAX: Final = 1 << 19
"""A longer text is not looked at: requests of others wait meanwhile, half a second for each million characters."""

# The marks are control characters: JSON has none of them, so a text that has some is refused before they are put in.
_VALUE, _NAME = "\x01", "\x02"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_STRING = re.compile(r'("(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")(?:[ \t\r\n]*+(:))?', re.ASCII)
_OTHER = re.compile(r"-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?|true|false|null", re.ASCII)
_BLANK = re.compile(r"[ \t\r\n]+")
_NEIGHBOURS = {"[": r"\x01\[\]{", "{": r"\x02}", "\x02": r"\x01\[{", ",": r"\x01\x02\[{", "\x01]}": r",\]}"}
_CLOSERS = {"[": "]", "{": "}"}
_MISFIT = re.compile("|".join(f"[{re.escape(these)}][^{next_}]" for these, next_ in _NEIGHBOURS.items()))
_TOKENS = re.compile(r"[\[{\x01](?:[\x01\x02,\[\]{}]*[\x01\]}])?")
_STEPS = re.compile(r"[\[\]{}]|,\x02?")


def is_too_deep(text: str) -> bool:
    """Whether a text that the parser refused is JSON all the same, with more levels than `PARSER_DEPTH`.

    False for a text of more than `LOOKED_AT_CHARS_MAX` characters.
    """
    if len(text) > LOOKED_AT_CHARS_MAX or text.count("[") + text.count("{") <= PARSER_DEPTH or _CONTROL.search(text):
        return False
    marked = _STRING.sub(lambda found: _NAME if found[2] else _VALUE, text)
    tokens = _BLANK.sub("", _OTHER.sub(_VALUE, marked))
    if _TOKENS.fullmatch(tokens) is None or _MISFIT.search(tokens):
        return False
    return _depth(tokens) > PARSER_DEPTH


def _depth(tokens: str) -> int:
    """The levels of nesting; 0 where the brackets don't match, or a comma is followed by what its bracket has not."""
    closers: list[str] = []
    deepest = 0
    for step in _STEPS.findall(tokens):
        if step in _CLOSERS:
            closers.append(_CLOSERS[step])
            deepest = max(deepest, len(closers))
        elif not closers:
            return 0
        elif step[0] != ",":
            if closers.pop() != step:
                return 0
        elif (closers[-1] == "}") != (step != ","):
            return 0
    return 0 if closers else deepest
