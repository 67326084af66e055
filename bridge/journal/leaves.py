"""Which row ids a database's files mention, read past SQLite: where to go on when one of its pages can't be read.

Only places to look at: whatever is wrong here is found out when SQLite is asked for it. Formats:
https://www.sqlite.org/fileformat.html, "B-tree Pages" and "The Write-Ahead Log".
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bridge.journal.layout import DATABASE, PAGE_BYTES, WAL_FRAME_BYTES

_LEAF, _INTERIOR = 0x0D, 0x05
_HEADER_BYTES: Final = {_LEAF: 8, _INTERIOR: 12}
_WAL_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = WAL_FRAME_BYTES - PAGE_BYTES
_VARINT_BYTES_MAX: Final = 9
_CHILD_BYTES: Final = 4


def mentioned_ids(folder: Path) -> list[int]:
    """The first and the last row id of each leaf, and where each begins by its parent; all tables together, growing."""
    found: set[int] = set()
    for page in _pages(folder / DATABASE, 0, 0, PAGE_BYTES):
        found.update(_ends(page))
    log = folder / f"{DATABASE}-wal"
    for page in _pages(log, _WAL_HEADER_BYTES, _FRAME_HEADER_BYTES, WAL_FRAME_BYTES):
        found.update(_ends(page))
    return sorted(found)


def _pages(file: Path, start: int, skipped: int, stride: int) -> Iterator[bytes]:
    if not file.exists():
        return
    with file.open("rb") as opened:
        for at in range(start, os.fstat(opened.fileno()).st_size, stride):
            opened.seek(at + skipped)
            yield opened.read(PAGE_BYTES)


def _ends(page: bytes) -> Iterator[int]:
    header = _HEADER_BYTES.get(page[0]) if len(page) == PAGE_BYTES else None
    if header is None:
        return
    cells = int.from_bytes(page[3:5], "big")
    for number in range(cells) if page[0] == _INTERIOR else {0, cells - 1} if cells else ():
        at = header + 2 * number
        cell = page[int.from_bytes(page[at : at + 2], "big") :]
        # A leaf's cell begins with the length of the row, an interior one with a page; then the id, both times. In an
        # interior page it is the highest on the left, so that the next begins another page.
        if page[0] == _LEAF:
            yield _varint(cell[_varint(cell)[1] :])[0]
        else:
            yield _varint(cell[_CHILD_BYTES:])[0] + 1


def _varint(data: bytes) -> tuple[int, int]:
    """SQLite's integer of variable length, and how many bytes it takes."""
    value = 0
    for length, byte in enumerate(data[:_VARINT_BYTES_MAX], 1):
        if length == _VARINT_BYTES_MAX:
            return value << 8 | byte, length
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, length
    return value, len(data)
