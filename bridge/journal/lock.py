"""One process at a time uses a journal: it locks a file that names it.

If this user may not use the folder, the error names this user, the folder's owner, and what to do.
"""

import datetime as dt
import errno
import fcntl
import io
import json
import os
import pwd
import socket
import stat
from pathlib import Path
from typing import Final

from bridge.errors import JournalFailedError, JournalLockedError, JournalUnusableError
from bridge.journal.schema import DATABASE, FILE_MODE, LOCK

_UNUSABLE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR})
"""What no restart mends. A disk that fails, or is full, is not among them."""


def take_lock(folder: Path) -> io.FileIO:
    """Own the journal in `folder` until the file that is returned is closed, or the process ends, however that happens.

    The file stays: removing it would let two processes hold two files. Raises JournalLockedError, which names the
    owner's pid and host; JournalUnusableError when this user may not; JournalFailedError when the disk fails.
    """
    path = folder / LOCK
    try:
        file = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE), "r+")
    except OSError as error:
        raise unusable(folder, error) or JournalFailedError(f"{path} can't be opened: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = _owner(file)
        file.close()
        raise JournalLockedError(f"the journal {folder} belongs to {owner}: stop that one first") from error
    since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
    try:
        os.pwrite(file.fileno(), text.ljust(256).encode(), 0)
        file.truncate(256)
    except OSError as error:
        file.close()
        raise JournalFailedError(f"{path} can't be written: {error.strerror}") from error
    return file


def _owner(file: io.FileIO) -> str:
    try:
        owner = json.loads(os.pread(file.fileno(), 4096, 0))
        return f"process {int(owner['pid'])} on host {owner['host']} (since {owner['since']})"
    except (ValueError, KeyError, TypeError):
        return "another process"


def unusable(folder: Path, error: OSError) -> JournalUnusableError | None:
    """The error for a folder that this user can't use as a journal; None when `error` has another cause."""
    path = Path(os.fsdecode(error.filename)) if error.filename else folder
    return _error(path, folder, os.strerror(error.errno)) if error.errno in _UNUSABLE else None


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
    """Whether `folder` has a journal's database. The empty file that a crash may leave before the first start is none.

    Raises JournalUnusableError where this user may not look.
    """
    try:
        found = (folder / DATABASE).stat()
        return stat.S_ISREG(found.st_mode) and found.st_size > 0
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise _error(folder, folder, os.strerror(error.errno)) from error
        return False


def _error(path: Path, folder: Path, reason: str) -> JournalUnusableError:
    return JournalUnusableError(
        f"the journal {folder} can't be used: {path}: {reason}. "
        f"This runs as {_user(os.geteuid())}; {_path_owner(path)}. "
        "Run it as the bridge's user, or give this user a folder that it can write to"
    )


def _path_owner(path: Path) -> str:
    """The owner of `path`; of the folder above it, if `path` is missing or this user may not look at it."""
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
