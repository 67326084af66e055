"""Folders that this user may not use: who runs this, and whose they are, for an error that says what to do."""

import errno
import os
import pwd
import stat
from pathlib import Path
from typing import Final

from bridge.errors import JournalUnusableError
from bridge.journal.layout import DATABASE, LOCK

_UNUSABLE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR})
"""What no restart mends. A disk that fails, or is full, is not among them."""


def unusable(folder: Path, error: OSError) -> JournalUnusableError | None:
    """The error for a folder that this user can't use as a journal; None when `error` has another cause."""
    if error.errno not in _UNUSABLE:
        return None
    return _error(Path(os.fsdecode(error.filename)) if error.filename else folder, folder, os.strerror(error.errno))


def denied(folder: Path) -> JournalUnusableError | None:
    """The same, where SQLite only said that it could not: asks for the right to write; None when it is there.

    Opens nothing: to close a file that SQLite has open in this process would end its locks.
    """
    for path in (folder, *(folder / name for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", LOCK))):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
            read_only = os.statvfs(path).f_flag & os.ST_RDONLY
            return _error(path, folder, os.strerror(errno.EROFS if read_only else errno.EACCES))
    return None


def find_journal(folder: Path) -> bool:
    """Whether `folder` has a journal's database. Raises JournalUnusableError where this user may not look."""
    try:
        return stat.S_ISREG((folder / DATABASE).stat().st_mode)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise _error(folder, folder, os.strerror(error.errno)) from error
        return False


def _error(path: Path, folder: Path, reason: str) -> JournalUnusableError:
    return JournalUnusableError(
        f"the journal {folder} can't be used: {path}: {reason}. This runs as {_user(os.geteuid())}; {_owner(path)}. "
        "Run it as the bridge's user, or give this user a folder that it can write to"
    )


def _owner(path: Path) -> str:
    """Whose `path` is; of what this user may not even look at, or is not there, the folder above."""
    for each in (path, *path.absolute().parents):
        try:
            found = each.stat()
        except OSError:
            continue
        kind = "" if stat.S_ISDIR(found.st_mode) else ", a file,"
        return f"{each}{kind} belongs to {_user(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):04o}"
    return "whose it is can't be seen"


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
