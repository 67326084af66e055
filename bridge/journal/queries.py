"""What is read from the tables, in short read transactions: a long one would keep the log from beginning anew."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import apsw

from bridge.model import (
    NOTHING_IN_DOUBT,
    Entry,
    InDoubt,
    InDoubtTransaction,
    PendingMarker,
    PinnedEntries,
    Positions,
)

EntryState = Literal["pending", "deferred", "forwarded"]
PAGE_ROWS: Final = 500

_FIELDS: Final = "id, received_at, source, hint, headers, body"
_READ: Final = f"SELECT {_FIELDS} FROM entries WHERE id >= ? ORDER BY id LIMIT ?"  # noqa: S608 - a constant
_READ_DEFERRED: Final = f"""
    SELECT {_FIELDS} FROM parked CROSS JOIN entries ON id = entry_id
    WHERE topic = ? AND entry_id >= ? ORDER BY entry_id LIMIT ?"""  # noqa: S608 - a constant
_PINNED: Final = """
    SELECT count(*), coalesce(sum(length(headers) + length(body)), 0) FROM held LEFT JOIN entries ON id = entry_id"""
_LIST: Final = """
    SELECT id, received_at, source, hint, length(headers), length(body),
        (SELECT topic FROM parked WHERE entry_id = id), EXISTS (SELECT 1 FROM held WHERE entry_id = id)
    FROM entries WHERE id BETWEEN ? AND ? ORDER BY id """
_LIST_UP: Final = _LIST + "LIMIT ?"
_LIST_DOWN: Final = _LIST + "DESC LIMIT ?"
ID_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class EntrySummary:
    """An entry without its content. `topic` is the queue that it is deferred for, else ""; `pinned` as in `schema`."""

    id: int
    received_at_ms: int
    source: str
    hint: str
    headers_bytes: int
    body_bytes: int
    state: EntryState
    topic: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class JournalState:
    """Which journal this is, and how far it was forwarded, as the database says it."""

    journal_id: str
    positions: Positions
    positions_offset: int | None
    deleted: int


def read(connection: apsw.Connection, from_id: int, max_entries: int, max_bytes: int) -> list[Entry]:
    return _take(connection.execute(_READ, (from_id, max_entries)), max_bytes)


def read_deferred(
    connection: apsw.Connection, topic: str, from_id: int, max_entries: int, max_bytes: int
) -> list[Entry]:
    return _take(connection.execute(_READ_DEFERRED, (topic, from_id, max_entries)), max_bytes)


def deferred_types(connection: apsw.Connection, topic: str) -> set[str]:
    return {row[0] for row in connection.execute("SELECT DISTINCT event_type FROM parked WHERE topic = ?", (topic,))}


def pinned(connection: apsw.Connection) -> PinnedEntries:
    """How many entries are pinned, and their bytes. Looks at each of them."""
    return PinnedEntries(*_row(connection.execute(_PINNED)))


def _take(rows: apsw.Cursor, max_bytes: int) -> list[Entry]:
    entries: list[Entry] = []
    left = max_bytes
    for row in rows:
        left -= len(row[4]) + len(row[5])
        if left < 0 and entries:
            rows.close()  # ends the read transaction
            break
        entries.append(Entry(*row))
    return entries


def get(connection: apsw.Connection, entry_id: int) -> tuple[Entry, EntrySummary] | None:
    """One entry, and what is known of it; None when it isn't there (any more)."""
    entries, summary = read(connection, entry_id, 1, 0), next(list_entries(connection, entry_id, entry_id), None)
    return (entries[0], summary) if summary is not None else None


def journal_state(connection: apsw.Connection) -> JournalState:
    rows = connection.execute("SELECT journal_id, next_id, behind, kafka_offset, deleted FROM state")
    journal_id, next_id, behind, offset, deleted = _row(rows)
    return JournalState(journal_id, Positions(next_id, json.loads(behind)), offset, deleted)


def in_doubt(connection: apsw.Connection) -> InDoubt:
    (text,) = _row(connection.execute("SELECT doubts FROM state"))
    if text is None:
        return NOTHING_IN_DOUBT
    found = json.loads(text)
    last = found["unclear"]
    if last is not None:
        positions = Positions(last["next_id"], last["behind"])
        last = InDoubtTransaction(_markers(last["ends"]), positions, last["offset"], last["acknowledged"])
    return InDoubt(_markers(found["ends"]), last)


def _markers(rows: Sequence[Any]) -> tuple[PendingMarker, ...]:
    return tuple(PendingMarker(topic, partition, first, tuple(ids)) for topic, partition, first, ids in rows)


def in_doubt_text(what: InDoubt) -> str | None:
    """The same, as the column `doubts` holds it."""
    if what == NOTHING_IN_DOUBT:
        return None
    last = what.transaction
    return json.dumps(
        {
            "ends": what.markers,
            "unclear": last
            and {
                "ends": last.markers,
                "next_id": last.positions.next_id,
                "behind": dict(last.positions.behind),
                "offset": last.offset,
                "acknowledged": last.acknowledged,
            },
        }
    )


def _row(rows: apsw.Cursor) -> tuple[Any, ...]:
    return rows.fetchall()[0]


def list_entries(
    connection: apsw.Connection, from_id: int = 1, to_id: int = ID_MAX, *, newest_first: bool = False
) -> Iterator[EntrySummary]:
    """Entries of a range without their content; page by page, so that no read lasts."""
    while True:
        positions = journal_state(connection).positions
        rows = connection.execute(_LIST_DOWN if newest_first else _LIST_UP, (from_id, to_id, PAGE_ROWS))
        page = [_summary(row, positions) for row in rows]
        yield from page
        if not page:
            return
        if newest_first:
            to_id = page[-1].id - 1
        else:
            from_id = page[-1].id + 1


def _summary(row: tuple[Any, ...], positions: Positions) -> EntrySummary:
    entry_id, at_ms, source, hint, headers_bytes, body_bytes, topic, pinned = row
    state: EntryState = "forwarded" if entry_id < positions.next_id else "pending"
    if topic is not None and entry_id >= positions.of(topic):
        state = "deferred"
    return EntrySummary(entry_id, at_ms, source, hint, headers_bytes, body_bytes, state, topic or "", bool(pinned))
