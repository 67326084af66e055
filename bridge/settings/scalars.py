"""Scalars of the configuration file: text until their place says what they are.

YAML 1.1 makes numbers, booleans, dates and nulls of plain scalars before anyone knows what their place expects, so that
a token `0123` becomes 83 and a country `no` becomes false. Here every scalar stays the text that was written; a place
for a number or a boolean reads that text, and only free-form places (the bodies under `responses`) ask what a plain
scalar looks like.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_INTEGER_MAX = 1 << 63


class Plain(str):
    """A scalar that the file writes without quotes, and without anything expanded in it."""

    __slots__ = ()


def is_null(text: str) -> bool:
    """Whether a plain scalar says that there is nothing."""
    return text in _NULL


def typed(value: Any) -> Any:
    """Free-form content → JSON values: plain scalars that are JSON numbers, booleans or null become those.

    Text in quotes and text that came out of `${…}` stays text, as do numbers that JSON can't carry exactly and
    everything else that looks like something only to YAML: `0123`, `+57`, `yes`, `2026-12-31`.
    """
    if isinstance(value, Plain):
        return _scalar(value)
    if isinstance(value, Mapping):
        return {str(key): typed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed(item) for item in value]
    return value


def _scalar(text: Plain) -> Any:
    if text in _TRUTH:
        return _TRUTH[text]
    if len(text) <= 32 and (match := _NUMBER.fullmatch(text)):
        number = json.loads(text)
        exact = math.isfinite(number) if match[2] or match[3] else -_INTEGER_MAX <= number < _INTEGER_MAX
        return number if exact else str(text)
    return str(text)
