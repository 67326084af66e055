"""A stretch of the journal, page by page: a backlog may be larger than the memory."""

from collections.abc import AsyncIterator
from typing import Final

from bridge.journal import Journal
from bridge.model import Entry

READ_ENTRIES: Final = 500
READ_BYTES: Final = 4 << 20


async def pages(journal: Journal, topic: str | None, from_id: int, end_id: int) -> AsyncIterator[list[Entry]]:
    """The entries from `from_id` on and below `end_id`: all of them, or those that are parked for a topic."""
    while from_id < end_id:
        if topic is None:
            entries = await journal.read(from_id, READ_ENTRIES, READ_BYTES)
        else:
            entries = await journal.read_parked(topic, from_id, READ_ENTRIES, READ_BYTES)
        page = [entry for entry in entries if entry.id < end_id]
        if page:
            yield page
        if len(page) < len(entries) or not entries:
            return
        from_id = entries[-1].id + 1
