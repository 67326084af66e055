"""Forwarding entries again: each is copied to the end of the journal, marked as a copy, and takes the normal way.

The mark is a field of the entry's headers, `x-treble-bridge-replay`: the id of the entry that was copied, followed by
" again" when the copy has to go out even if the window of duplicates knows the event. What was already pending is left
alone: it goes out anyway. A copy is not copied again as part of a range: its original is in reach.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import apsw
import orjson

from bridge.journal import queries
from bridge.journal.database import open_writer, transaction, translated
from bridge.journal.inspect import reading
from bridge.journal.ownership import Ownership
from bridge.journal.queries import Listed
from bridge.journal.storage import Storage
from bridge.model import Entry, Submission

REPLAY_FIELD: Final = "x-treble-bridge-replay"
COMMIT_ENTRIES: Final = 200

Outcome = Literal["copied", "missing", "pending", "copy"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one entry: copied as `new_id` (0 in a rehearsal), or why not."""

    entry_id: int
    outcome: Outcome
    new_id: int = 0


def select(
    folder: Path, wanted: Callable[[Listed], bool], from_id: int = 1, to_id: int = queries.ID_MAX
) -> Iterator[int]:
    """The ids of the entries in a range that `wanted` says yes to, growing."""
    with reading(folder) as connection:
        while page := queries.list_page(connection, from_id, to_id):
            yield from (entry.id for entry in page if wanted(entry))
            from_id = page[-1].id + 1


def rehearse(folder: Path, ids: Iterable[int], *, originals_only: bool) -> Iterator[Replayed]:
    """What `replay` would do. Needs no ownership."""
    with reading(folder) as connection:
        for entry_id in ids:
            outcome, _ = _look(connection, entry_id, originals_only=originals_only)
            yield Replayed(entry_id, outcome)


def replay(
    folder: Path, ids: Iterable[int], *, again: bool, originals_only: bool, clock_ms: Callable[[], int]
) -> Iterator[Replayed]:
    """Copy entries to the end of the journal. Raises JournalLockedError while a bridge runs on it.

    Each yielded outcome is durable. `originals_only` passes over entries that are copies themselves.
    """
    with Ownership.take(folder), translated(folder, "be written"), _storage(folder, clock_ms) as storage:
        for part in _parts(ids):
            with transaction(storage.connection):
                done = [_copy(storage, i, again=again, originals_only=originals_only, now_ms=clock_ms()) for i in part]
            yield from done


def release(folder: Path, ids: Iterable[int], clock_ms: Callable[[], int]) -> None:
    """Let retention have held entries again. Raises JournalLockedError while a bridge runs on it."""
    with (
        Ownership.take(folder),
        translated(folder, "be written"),
        _storage(folder, clock_ms) as storage,
        transaction(storage.connection),
    ):
        storage.release(ids)


def _parts(ids: Iterable[int]) -> Iterator[list[int]]:
    part: list[int] = []
    for entry_id in ids:
        part.append(entry_id)
        if len(part) == COMMIT_ENTRIES:
            yield part
            part = []
    if part:
        yield part


@contextlib.contextmanager
def _storage(folder: Path, clock_ms: Callable[[], int]) -> Iterator[Storage]:
    connection = open_writer(folder, clock_ms())
    try:
        yield Storage(connection)
    finally:
        connection.close(True)


def _look(connection: apsw.Connection, entry_id: int, *, originals_only: bool) -> tuple[Outcome, Entry | None]:
    entry = queries.get(connection, entry_id)
    if entry is None:
        return "missing", None
    listed = queries.list_page(connection, entry_id, entry_id)[0]
    if listed.state != "forwarded":
        return "pending", None
    if originals_only and REPLAY_FIELD in _fields(entry):
        return "copy", None
    return "copied", entry


def _copy(storage: Storage, entry_id: int, *, again: bool, originals_only: bool, now_ms: int) -> Replayed:
    outcome, entry = _look(storage.connection, entry_id, originals_only=originals_only)
    if entry is None:
        return Replayed(entry_id, outcome)
    fields = {**_fields(entry), REPLAY_FIELD: f"{entry_id} again" if again else f"{entry_id}"}
    copy = Submission(now_ms, entry.source, entry.hint, orjson.dumps(fields), entry.body)
    return Replayed(entry_id, outcome, storage.append([copy]))


def _fields(entry: Entry) -> dict[str, Any]:
    if not entry.headers:
        return {}
    fields = orjson.loads(entry.headers)
    return fields if isinstance(fields, dict) else {}
