"""A restored copy of a journal goes on under a new id: nothing that Kafka knows under the old one concerns it any more.

A module of its own, as the last step of a recovery that begins in the forwarder: that has found out that Kafka counts
entries which this journal never held, and has noted here which of the others Kafka has (`recovery.recover_restored`).
What was taken since the copy was made has ids that Kafka counts as forwarded. Under the new id it is forwarded.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.journal.database import open_writer, transaction, translated
from bridge.journal.lock import take_lock
from bridge.journal.storage import Storage
from bridge.model import NOTHING_IN_DOUBT


@dataclass(frozen=True, slots=True)
class Renewed:
    """The journal's ids, and how many entries are to be forwarded under the new one."""

    journal_id: str
    former_id: str
    pending: int


def renew(folder: Path, clock_ms: Callable[[], int]) -> Renewed:
    """Give the journal a new id. Raises JournalLockedError while a bridge runs on it."""
    with take_lock(folder), translated(folder, "be written"):
        connection = open_writer(folder, clock_ms())
        try:
            storage = Storage(connection)
            former_id = storage.journal_id
            with transaction(connection):
                storage.rename(str(uuid.uuid4()))
                storage.note_in_doubt(NOTHING_IN_DOUBT)  # only the old id could resolve it
                storage.confirm()
            return Renewed(storage.journal_id, former_id, storage.pending)
        finally:
            connection.close(True)
