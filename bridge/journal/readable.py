"""The entries of a damaged journal that can be believed, growing by id, and where something is missing.

A row counts when it can be read, when its values have their types, and when it agrees with its neighbours: ids grow,
and `stream_end` grows by what the row holds. Of two neighbours that contradict each other, the one is left out that
agrees less with the rows on both sides.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw

from bridge.journal.queries import ID_MAX

UNREADABLE: Final = (apsw.Error, UnicodeError)
TRIED_IN_A_ROW: Final = 1000
"""Ids after one that can't be read that are tried one by one, before the next one that the files mention is: more than
a page holds."""

_FROM: Final = "SELECT id, received_at, stream_end, source, hint, headers, body FROM entries WHERE id >= ? ORDER BY id"
_ONE: Final = _FROM + " LIMIT 1"
_TYPES: Final = (int, int, int, str, str, bytes, bytes)
_JUDGED_WITH: Final = 3  # two that may contradict each other, and the one after them


@dataclass(slots=True, eq=False)
class Row:
    """An entry as it is stored. `after_gap`: between the row before and this one, something could not be read."""

    id: int
    received_at_ms: int
    stream_end: int
    source: str
    hint: str
    headers: bytes
    body: bytes
    after_gap: bool = False

    @property
    def size(self) -> int:
        """What it adds to the stream, bytes."""
        return len(self.headers) + len(self.body)


def check_types(values: Sequence[Any], types: tuple[type, ...]) -> None:
    """Raise apsw.CorruptError when a value is not of its column's type."""
    if not all(isinstance(value, kind) for value, kind in zip(values, types, strict=True)):
        raise apsw.CorruptError("a value of a wrong type")


class Readable:
    """Iterates over the rows. Once it is through, `cut` says whether there was more at the end that can't be read.

    `mentioned` gives ids that the files mention, growing (see `leaves`); it is called when they are needed first.
    """

    def __init__(self, connection: apsw.Connection, mentioned: Callable[[], list[int]]) -> None:
        self.cut = False
        self._connection = connection
        self._mentioned = mentioned
        self._ids: list[int] | None = None

    def __iter__(self) -> Iterator[Row]:
        last: Row | None = None
        waiting: list[Row] = []
        for row in self._scanned():
            if row is None:
                self.cut = True
                continue
            row.after_gap, self.cut = self.cut, False
            waiting.append(row)
            if len(waiting) == _JUDGED_WITH and (sound := self._judged(last, waiting)) is not None:
                yield (last := sound)
        while waiting:
            if (sound := self._judged(last, waiting)) is not None:
                yield (last := sound)

    def _judged(self, last: Row | None, waiting: list[Row]) -> Row | None:
        """The first that waits, taken out, when it is sound. Else None, and one of them was left out."""
        one, other, after = [*waiting, None, None][:_JUDGED_WITH]
        assert one is not None
        if last is not None and one.id <= last.id:
            self._leave_out(waiting, 0)
            return None
        if other is not None and not _link(one, other):
            scores = [_link(last, row) + _link(row, after) for row in (one, other)]
            if scores[0] < scores[1]:
                self._leave_out(waiting, 0)
                return None
            if scores[0] > scores[1] or other.id <= one.id:
                self._leave_out(waiting, 1)
                return None
            other.after_gap = True  # both have friends: where they meet, something is missing
        elif other is None and last is not None and not _link(last, one):
            self._leave_out(waiting, 0)  # the last of all, by its own word only
            return None
        return waiting.pop(0)

    def _leave_out(self, waiting: list[Row], number: int) -> None:
        del waiting[number]
        if number < len(waiting):
            waiting[number].after_gap = True
        else:
            self.cut = True

    # what SQLite gives

    def _scanned(self) -> Iterator[Row | None]:
        """All rows in the order of the pages; None where something can't be read."""
        from_id: int | None = 1
        while from_id is not None:
            before = high = from_id - 1
            try:
                for values in self._connection.execute(_FROM, (from_id,)):
                    entry_id = values[0]
                    # One that is lower than the one before it: which of the two is wrong? It matters where to go on.
                    if entry_id > high:
                        before, high = high, entry_id
                    elif entry_id > before:
                        high = entry_id
                    yield _row(values)
            except UNREADABLE:
                yield None
                from_id = self._next_readable(high + 1)
            else:
                from_id = None

    def _next_readable(self, failed: int) -> int | None:
        """The first id after one that fails from which on a row can be read, or nothing more is."""
        if self._ids is None:
            self._ids = self._mentioned()
        tried_from = entry_id = failed
        while True:
            entry_id += 1
            if entry_id - tried_from > TRIED_IN_A_ROW:
                place = bisect_right(self._ids, entry_id)
                if place == len(self._ids):
                    return None
                tried_from = entry_id = self._ids[place]
            elif (place := bisect_right(self._ids, entry_id - 1)) < len(self._ids) and self._ids[place] == entry_id:
                tried_from = entry_id
            if entry_id > ID_MAX:
                return None
            try:
                self._connection.execute(_ONE, (entry_id,)).fetchall()
            except UNREADABLE:
                continue
            return entry_id


def _row(values: Sequence[Any]) -> Row | None:
    try:
        check_types(values, _TYPES)
    except apsw.CorruptError:
        return None
    return Row(*values) if values[0] >= 1 else None


def _link(one: Row | None, other: Row | None) -> int:
    """How well a row follows another: 2 right behind it, 1 with others in between, 0 not at all."""
    if other is None:
        return 0
    if one is None:
        return 1
    end = one.stream_end + other.size
    if other.id == one.id + 1:
        return 2 if other.stream_end == end else 0
    return 1 if other.id > one.id and other.stream_end >= end else 0
