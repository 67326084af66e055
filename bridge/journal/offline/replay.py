"""The offline commands that write to a journal. Each takes its lock, so no bridge may run on it.

replay   entries are forwarded again: each is copied to the end, marked as a copy, and takes the normal way
unpin    retention may delete pinned entries again
renew    a restored copy goes on under a new id

The marks of a copy are fields of its headers: `model.REPLAY_FIELD` and `model.RECEIVED_FIELD`. What was already pending
is left alone: it goes out anyway. A copy is not copied again as part of a range: its original is in reach.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import apsw
import orjson

from bridge.catalogue.times import utc_text
from bridge.errors import JournalFullError
from bridge.journal import queries
from bridge.journal.capacity import ENTRY_OVERHEAD_BYTES, RESUME
from bridge.journal.database import limit_wal, open_writer, transaction, translated
from bridge.journal.lock import take_lock
from bridge.journal.maintenance import log_frames_max
from bridge.journal.offline.inspect import reading
from bridge.journal.queries import EntrySummary
from bridge.journal.schema import WAL_FRAME_BYTES
from bridge.journal.storage import BYTES_MAX_DEFAULT, Storage
from bridge.model import NOTHING_IN_DOUBT, RECEIVED_FIELD, REPLAY_FIELD, Entry

COMMIT_ENTRIES: Final = 200
COMMIT_BYTES: Final = 4 << 20

Outcome = Literal["copied", "missing", "pending", "copy"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one entry: copied as `new_id`, or why not. A rehearsal has no id, but what would be copied."""

    entry_id: int
    outcome: Outcome
    new_id: int = 0
    copy: Entry | None = field(default=None, repr=False, compare=False)


def select(
    folder: Path, wanted: Callable[[EntrySummary], bool], from_id: int = 1, to_id: int = queries.ID_MAX
) -> Iterator[int]:
    """The ids of the entries in a range that `wanted` says yes to, growing."""
    with reading(folder) as connection:
        yield from (entry.id for entry in queries.list_entries(connection, from_id, to_id) if wanted(entry))


def rehearse(folder: Path, ids: Iterable[int], *, originals_only: bool, hint: str | None = None) -> Iterator[Replayed]:
    """What `replay` would do. Needs no lock."""
    with reading(folder) as connection:
        for entry_id in ids:
            outcome, entry = _look(connection, entry_id, originals_only=originals_only, hint=hint)
            yield Replayed(entry_id, outcome, copy=entry)


def replay(
    folder: Path,
    ids: Iterable[int],
    *,
    again: bool,
    originals_only: bool,
    clock_ms: Callable[[], int],
    bytes_max: int = BYTES_MAX_DEFAULT,
    hint: str | None = None,
) -> Iterator[Replayed]:
    """Copy entries to the end of the journal, with `hint` in place of their own where it is given.

    Each yielded outcome is durable. `originals_only` passes over entries that are copies themselves. `bytes_max` is the
    journal's bound: before a copy that would leave no room for webhooks, JournalFullError is raised, with all that was
    done before it yielded.
    """
    with _writing(folder, clock_ms) as storage:
        left, copied, unfit = iter(ids), 0, None
        look = partial(_look, storage.connection, originals_only=originals_only, hint=hint)
        copy_part = partial(_copy_part, storage, left, look, again=again, clock_ms=clock_ms)
        while unfit is None:
            with transaction(storage.connection):
                done, unfit = copy_part(_room(storage, bytes_max))
            limit_wal(storage.connection)
            yield from done
            if not done and unfit is None:
                return
            copied += sum(one.outcome == "copied" for one in done)
    raise JournalFullError(
        f"stopped before entry {unfit}, with {copied} copied: with more, the journal would be {RESUME:.0%} full (of "
        f"{bytes_max} bytes), and a bridge would take no webhooks. Let it forward these, then go on with entry {unfit}"
    )


def _room(storage: Storage, bytes_max: int) -> int:
    """Bytes that may come in, so that a bridge which starts then still takes webhooks; its log counts as it will."""
    return int(RESUME * bytes_max) - storage.bytes_used() - log_frames_max(bytes_max) * WAL_FRAME_BYTES


def _copy_part(
    storage: Storage,
    left: Iterator[int],
    look: Callable[[int], tuple[Outcome, Entry | None]],
    room: int,
    *,
    again: bool,
    clock_ms: Callable[[], int],
) -> tuple[list[Replayed], int | None]:
    """What goes into one commit: its outcomes, and the id of the entry whose copy has no room."""
    done: list[Replayed] = []
    size = new_id = 0
    while len(done) < COMMIT_ENTRIES and size < COMMIT_BYTES and (entry_id := next(left, None)) is not None:
        outcome, entry = look(entry_id)
        if entry is not None:
            copy = _copy(entry, again, clock_ms())
            size += len(copy.headers) + len(copy.body) + ENTRY_OVERHEAD_BYTES
            if size > room:
                return done, entry_id
            new_id = storage.append([copy])
        done.append(Replayed(entry_id, outcome, new_id if entry else 0))
    return done, None


def unpin(folder: Path, ids: Iterable[int], clock_ms: Callable[[], int]) -> None:
    """Let retention have pinned entries again."""
    with _writing(folder, clock_ms) as storage, transaction(storage.connection):
        storage.unpin(ids)


@dataclass(frozen=True, slots=True)
class Renewed:
    """The journal's ids, and how many entries are to be forwarded under the new one."""

    journal_id: str
    former_id: str
    pending: int


def renew(folder: Path, clock_ms: Callable[[], int]) -> Renewed:
    """Give a restored journal a new id, so that what it took since is forwarded: Kafka counts its old ids as forwarded.

    The forwarder has found that out before, and noted here which of the older entries Kafka has (`forward.recovery`).
    """
    with _writing(folder, clock_ms) as storage, transaction(storage.connection):
        former_id = storage.journal_id
        storage.rename(str(uuid.uuid4()))
        storage.note_in_doubt(NOTHING_IN_DOUBT)  # only the old id could resolve it
        storage.confirm()
    return Renewed(storage.journal_id, former_id, storage.pending)


@contextlib.contextmanager
def _writing(folder: Path, clock_ms: Callable[[], int]) -> Iterator[Storage]:
    """The journal in `folder`, to be written. Raises JournalLockedError while a bridge runs on it."""
    written = translated(folder, "be written")
    with take_lock(folder), written, contextlib.closing(open_writer(folder, clock_ms())) as connection:
        yield Storage(connection)


def _look(
    connection: apsw.Connection, entry_id: int, *, originals_only: bool, hint: str | None
) -> tuple[Outcome, Entry | None]:
    """What becomes of an entry, and what is to be copied of it."""
    found = queries.get(connection, entry_id)
    if found is None:
        return "missing", None
    entry, summary = found
    if summary.state != "forwarded":
        return "pending", None
    if originals_only and REPLAY_FIELD in _fields(entry):
        return "copy", None
    return "copied", entry if hint is None else entry._replace(hint=hint)


def _copy(entry: Entry, again: bool, now_ms: int) -> Entry:
    fields = {
        RECEIVED_FIELD: utc_text(entry.received_at_ms),
        **_fields(entry),  # of a copy: with the time at which the first arrived
        REPLAY_FIELD: f"{entry.id} again" if again else f"{entry.id}",
    }
    return Entry(0, now_ms, entry.source, entry.hint, orjson.dumps(fields), entry.body)


def _fields(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = orjson.loads(entry.headers) if entry.headers else {}
    return fields
