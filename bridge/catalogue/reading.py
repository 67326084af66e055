"""What a reader says while it reads one body: notes (it was lenient) and problems (it could not be).

A note is a bounded word, or `word:detail`. Words come from this package, with the names of documented fields in them;
details may come from the body, so they are cleaned and cut. `note_kind` is the word: the only part fit for a metric.
"""

import datetime as dt
import re
from collections.abc import Iterable

from bridge.model import Problem

NOTES_MAX = 10
MORE_NOTES = "more_notes"
_DETAIL_CHARACTERS_MAX = 40


class Reading:
    """The notes and problems of one body. `zone` is that of times without one; None is UTC."""

    __slots__ = ("notes", "problems", "zone")

    def __init__(self, zone: dt.tzinfo | None = None, notes: Iterable[str] = ()) -> None:
        self.zone = zone
        self.notes: list[str] = [*notes]
        self.problems: list[Problem] = []

    def note(self, note: str) -> None:
        """Say what was lenient; the same thing once, and no more than NOTES_MAX things."""
        notes = self.notes
        if note in notes:
            return
        if len(notes) < NOTES_MAX:
            notes.append(note)
        elif notes[-1] != MORE_NOTES:
            notes.append(MORE_NOTES)

    def problem(self, field: str, message: str) -> None:
        """Say what is wrong at `field`, a dotted path into the body ("" is the whole body)."""
        self.problems.append(Problem(pointer(field), message))

    def unknown_fields(self, names: Iterable[str], under: str = "") -> None:
        """Note fields that nobody knows yet, in the body's own order: a set's order differs between processes."""
        for name in names:
            self.note(f"unknown_field:{under}{cleaned(name)}")


def note_kind(note: str) -> str:
    """The bounded word of a note: `unknown_field:plan` → `unknown_field`."""
    return note.partition(":")[0]


def pointer(field: str) -> str:
    """A dotted path as a JSON pointer (RFC 6901). The names are those of documented fields: nothing to escape."""
    return "/" + field.replace(".", "/") if field else ""


def cleaned(name: str) -> str:
    """A name out of a body, fit for a note: cut, and only letters, digits and . _ - in it."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name[:_DETAIL_CHARACTERS_MAX]) or "_"


def sent_as(value: object) -> str:
    """What a JSON value is, in one word."""
    return _WORDS.get(type(value), "number")


_WORDS: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
