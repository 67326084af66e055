"""One process owns a journal: an flock on a file that names the owner. It ends with the process, however that ends."""

import datetime as dt
import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.errors import JournalFailedError, JournalLockedError
from bridge.journal.access import unusable
from bridge.journal.layout import FILE_MODE, LOCK


class Ownership:
    """Held from `take` to `release`, or to the end of the process."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Own the journal in `folder`. Raises JournalLockedError, which names the owner's pid and host.

        JournalUnusableError when this user may not, JournalFailedError when the disk fails.
        """
        path = folder / LOCK
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise unusable(folder, error) or JournalFailedError(f"{path} can't be opened: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = _owner(file)
            os.close(file)
            raise JournalLockedError(f"the journal {folder} belongs to {owner}: stop that one first") from error
        ownership = cls(file)
        try:
            ownership._sign()
        except OSError as error:
            ownership.release()
            raise JournalFailedError(f"{path} can't be written: {error.strerror}") from error
        return ownership

    def _sign(self) -> None:
        since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        os.pwrite(self._file, text.ljust(256).encode(), 0)
        os.ftruncate(self._file, 256)

    def release(self) -> None:
        """Let another process own the journal. The file stays: removing it would let two processes hold two files."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _owner(file: int) -> str:
    try:
        owner = json.loads(os.pread(file, 4096, 0))
        return f"process {int(owner['pid'])} on host {owner['host']} (since {owner['since']})"
    except (ValueError, KeyError, TypeError):
        return "another process"
