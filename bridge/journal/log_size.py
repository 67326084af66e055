"""Keeps the write-ahead log of a long offline command from growing with all that the command writes."""

from typing import Final

import apsw

from bridge.journal.layout import WAL_FRAME_BYTES

LOG_BYTES_MAX: Final = 8 << 20
"""A log that is longer is moved into the database, after a commit; then it begins anew. One commit may exceed it."""


def keep_short(connection: apsw.Connection) -> None:
    """To be called between commits by the only one who has the database open."""
    frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    if frames * WAL_FRAME_BYTES >= LOG_BYTES_MAX:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
