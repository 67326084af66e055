"""Events that say what another said shortly before, times apart: which of a slice they are.

Decided by the times of arrival alone, entry after entry, so the answer is the same in whatever batches the entries
come, and when recovery asks again for entries that Kafka has already. What counts is the first: a repeat doesn't make
the window longer.
"""

from collections.abc import Mapping, Sequence

from bridge.journal import Journal
from bridge.model import Prepared

_NEVER = float("-inf")


async def find_repeats(items: Sequence[Prepared], journal: Journal, semantic_ms: Mapping[str, int]) -> set[int]:
    """The ids of the entries among `items` (in order, without duplicates) that are repeats.

    `semantic_ms` is the window by event type.
    """
    told = [(item, item.semantic) for item in items if item.semantic is not None]
    if not told:
        return set()
    earliest_ms = min(item.received_at_ms - semantic_ms[item.event_type] for item, _ in told)
    last_ms = dict(await journal.seen([semantic for _, semantic in told], earliest_ms))
    repeats: set[int] = set()
    for item, semantic in told:
        if last_ms.get(semantic, _NEVER) >= item.received_at_ms - semantic_ms[item.event_type]:
            repeats.add(item.entry_id)
        else:
            last_ms[semantic] = item.received_at_ms
    return repeats
