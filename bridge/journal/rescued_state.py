"""The state row of a damaged journal, as far as it can be believed, and its way into the new one."""

import json
from dataclasses import replace
from typing import Any, Final

import apsw

from bridge.journal import queries
from bridge.journal.database import transaction
from bridge.journal.queries import Standing
from bridge.journal.readable import UNREADABLE, check_types
from bridge.model import Positions

_STATE: Final = "SELECT journal_id, created_at, next_id, behind, kafka_offset, deleted FROM state WHERE next_id >= 1"
_TYPES: Final = (str, int, int, str, object, int)
_UNKNOWN: Final = {"": 1}
"""In place of the lanes that are behind, when they can't be read."""
_NEW_ID: Final = (
    "the journal's id and positions could not be read: it got a new id, and every rescued entry will be forwarded again"
)


def read_state(old: apsw.Connection, notes: list[str]) -> Standing | None:
    """The state; None, with a note, when it can't be read. The lanes in it are for `with_lanes` first."""
    try:
        row: tuple[Any, ...] = old.execute(_STATE).fetchall()[0]
        check_types(row, _TYPES)
    except (*UNREADABLE, IndexError):
        notes.append(_NEW_ID)
        return None
    journal_id, created_at, next_id, behind, offset, deleted = row
    offset = offset if isinstance(offset, int) else None
    return Standing(journal_id, created_at, Positions(next_id, _lanes(behind, next_id)), offset, deleted)


def _lanes(text: str, next_id: int) -> dict[str, int]:
    try:
        lanes = json.loads(text)
    except ValueError:
        return _UNKNOWN
    if not isinstance(lanes, dict) or not all(type(at) is int and 1 <= at <= next_id for at in lanes.values()):
        return _UNKNOWN
    return lanes


def with_lanes(state: Standing, new: apsw.Connection, *, parked_known: bool, notes: list[str]) -> Standing | None:
    """The state with lanes that hold: when they could not be read, each from the first on that is parked in `new`.

    None, with a note, when nothing says what waits: then everything has to be forwarded again.
    """
    if state.positions.behind != _UNKNOWN:
        return state
    if not parked_known:
        notes.append(_NEW_ID)
        return None
    notes.append("how far the lanes were could not be read: each begins at its first entry that waits")
    rows = new.execute("SELECT topic, min(entry_id) FROM parked GROUP BY topic").fetchall()
    behind = {str(topic): int(str(first)) for topic, first in rows}
    return replace(state, positions=Positions(state.positions.next_id, behind))


def write_state(old: apsw.Connection, new: apsw.Connection, state: Standing) -> None:
    """Give the new journal the old one's state."""
    with transaction(new):
        new.execute(
            "UPDATE state SET journal_id = ?, created_at = ?, next_id = ?, behind = ?, kafka_offset = ?, "
            "unconfirmed_from = ?, doubts = ?",
            (
                state.journal_id,
                state.created_at_ms,
                state.positions.next_id,
                queries.behind_text(state.positions),
                state.positions_offset,
                _later(old, "unconfirmed_from", int),
                _later(old, "doubts", str),
            ),
        )


def _later(old: apsw.Connection, column: str, kind: type[int] | type[str]) -> int | str | None:
    """What a column holds that older layouts don't have."""
    try:
        (value,) = old.execute(f"SELECT {column} FROM state").fetchall()[0]  # noqa: S608 - ours
    except (*UNREADABLE, IndexError):
        return None
    return value if isinstance(value, kind) else None


def count_by(state: Standing, highest_id: int) -> int:
    """How many entries there were by the state, when `highest_id` was the highest that was taken."""
    return max(highest_id, state.positions.next_id - 1) - state.deleted
