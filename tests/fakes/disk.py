"""A disk under SQLite that fails by script, and whose power can be cut: an apsw VFS over real files.

Faults that it injects:

- a write, a sync or a truncation that fails with an I/O error, or because the disk is full; once, or from then on
- a write that reaches the disk only in part before it fails
- a power cut at any operation: of what was written since a file's last sync, each write is kept, lost, or torn (only
  some of its 512-byte sectors arrive), by seeded chance and in any combination; a truncation is kept or lost. What was
  synced stays.

Faults that it can't inject: bytes that rot after they were synced (tests overwrite the file for that); a disk that
says it has synced and has not; names that vanish because a folder was not synced; reads that fail; a torn sector;
shared memory that is lost while the process lives on.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import apsw

SECTOR_BYTES = 512
Operation = Literal["write", "sync", "truncate"]


@dataclass(slots=True)
class Change:
    """What one operation did to a file, so that it can be undone and done again."""

    offset: int
    before: bytes
    after: bytes
    size_before: int
    cut_to: int | None = None


@dataclass(slots=True)
class Fault:
    """The next matching operation fails; every later one too if it `stays`."""

    operation: Operation
    name_ends: str
    error: Callable[[str], apsw.Error]
    skip: int = 0
    stays: bool = False
    part: float = 0.0


@dataclass(slots=True)
class Disk:
    """The script, and what is not synced yet. `operations` counts what changed a file or synced it.

    `cut_at` is the operation at which the power goes: it does not happen any more, nor does any after it.
    """

    name: str
    faults: list[Fault] = field(default_factory=list)
    unsynced: dict[str, list[Change]] = field(default_factory=dict)
    operations: int = 0
    cut_at: int | None = None
    dark: bool = False
    vfs: "_Vfs" = field(init=False)

    def __post_init__(self) -> None:
        self.vfs = _Vfs(self)

    def unregister(self) -> None:
        """Forget the VFS."""
        self.vfs.unregister()

    def fail(
        self,
        operation: Operation,
        name_ends: str = "",
        *,
        full: bool = False,
        skip: int = 0,
        stays: bool = False,
        part: float = 0.0,
    ) -> None:
        """Let an operation on a file whose name ends so fail, after `skip` that don't. `part` of a write arrives."""
        error = apsw.FullError if full else apsw.IOError
        self.faults.append(Fault(operation, name_ends, error, skip, stays, part))

    def cut_power(self) -> None:
        """From now on nothing changes a file any more."""
        self.dark = True

    def restore_power(self, chance: random.Random) -> None:
        """Leave in the files what a power cut may have left. All connections have to be closed."""
        paths, self.unsynced = self.unsynced, {}
        for path, changes in paths.items():
            content = bytearray(Path(path).read_bytes()) if Path(path).exists() else bytearray()
            for change in reversed(changes):
                _undo(content, change)
            for change in changes:
                _maybe_redo(content, change, chance)
            Path(path).write_bytes(content)
            Path(f"{path.removesuffix('-wal')}-shm").unlink(missing_ok=True)
        self.dark, self.cut_at, self.faults = False, None, []

    # from the files

    def step(self, operation: Operation, path: str) -> Fault | None:
        """Count an operation; the fault that hits it."""
        self.operations += 1
        if self.cut_at is not None and self.operations >= self.cut_at:
            self.dark = True
        if self.dark:
            raise apsw.IOError(f"no power: {operation} of {path}")
        for fault in self.faults:
            if fault.operation == operation and path.endswith(fault.name_ends):
                if fault.skip:
                    fault.skip -= 1
                    continue
                if not fault.stays:
                    self.faults.remove(fault)
                return fault
        return None


def _undo(content: bytearray, change: Change) -> None:
    content[change.offset : change.offset + max(len(change.after), len(change.before))] = change.before
    del content[change.size_before :]


def _maybe_redo(content: bytearray, change: Change, chance: random.Random) -> None:
    fate = chance.random()
    if fate < 0.35:
        return
    if change.cut_to is not None:
        del content[change.cut_to :]
        return
    sectors = range(0, len(change.after), SECTOR_BYTES)
    torn = fate > 0.75
    for at in sectors:
        if torn and chance.random() < 0.5:
            continue
        start = change.offset + at
        content.extend(bytes(max(0, start - len(content))))
        content[start : start + SECTOR_BYTES] = change.after[at : at + SECTOR_BYTES]


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._path = str(name.filename() if isinstance(name, apsw.URIFilename) else name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        data = bytes(data)
        fault = self._disk.step("write", self._path)
        if fault is not None:
            part = data[: int(len(data) * fault.part)]
            if part:
                self._write(part, offset)
            raise fault.error(f"scripted: write of {self._path}")
        self._write(data, offset)

    def _write(self, data: bytes, offset: int) -> None:
        size = self.xFileSize()
        before = bytes(self.xRead(min(len(data), size - offset), offset)) if offset < size else b""
        self._disk.unsynced.setdefault(self._path, []).append(Change(offset, before, data, size))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        fault = self._disk.step("truncate", self._path)
        if fault is not None:
            raise fault.error(f"scripted: truncation of {self._path}")
        size = self.xFileSize()
        before = bytes(self.xRead(size - newsize, newsize)) if newsize < size else b""
        self._disk.unsynced.setdefault(self._path, []).append(Change(newsize, before, b"", size, cut_to=newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        fault = self._disk.step("sync", self._path)
        if fault is not None:
            raise fault.error(f"scripted: sync of {self._path}")
        self._disk.unsynced.pop(self._path, None)  # the real file is not synced: nobody pulls the real plug


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.name, "")

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        if self._disk.dark:
            raise apsw.IOError(f"no power: deletion of {filename}")
        self._disk.unsynced.pop(filename, None)
        super().xDelete(filename, syncdir)
