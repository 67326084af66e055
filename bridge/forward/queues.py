"""Who goes first where the map was changed while entries waited.

An entry stays in the queue of the lane it was parked for, whatever topic it goes to by now. In each topic the entries
of all queues go out by their ids, so in the order of arrival. The entry with the lowest id of all never waits for
another, so lanes can't wait for each other for ever.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from bridge.errors import LaneBlockedError
from bridge.forward.batch import prepare
from bridge.forward.lanes import QUEUED, Lane, Lanes
from bridge.forward.pages import pages
from bridge.journal import Journal
from bridge.journal.queries import ID_MAX
from bridge.model import Prepared
from bridge.prepare import Preparer

_UNNAMED: Final = "unknown"


async def destinations(lane: Lane, journal: Journal, preparer: Preparer) -> frozenset[str]:
    """The topics that what is parked for a lane goes to by today's configuration, but the quarantine: it has no order.

    By the types noted at the parking; where those may have changed since (an event type that was named or is no more,
    a body that was not understood), by looking at each entry again.
    """
    routes = preparer.destinations
    types = await journal.parked_types(lane.topic)
    if types <= routes.keys() - {_UNNAMED}:
        return frozenset(routes[name].topic for name in types if not routes[name].drop)
    topics: set[str] = set()
    async for entries in pages(journal, lane.topic, lane.position, ID_MAX):
        prepared = await prepare(entries, preparer, lambda _, item: item)
        topics |= {item.topic for item in prepared if item.record is not None and item.outcome != "quarantined"}
    return frozenset(topics)


async def count_of_those_that_may_go(
    prepared: Sequence[Prepared],
    lane: Lane,
    lanes: Lanes,
    journal: Journal,
    partitions: Mapping[str, int | LaneBlockedError],
) -> tuple[int, LaneBlockedError | None]:
    """How many of a lane's next entries, from the first on, can go now; and what stops the one after them."""
    before: dict[str, tuple[int, LaneBlockedError] | None] = {}
    for count, item in enumerate(prepared):
        if item.record is None:
            continue
        topic = item.record.topic
        well = partitions[topic]
        if isinstance(well, LaneBlockedError):
            return count, well
        if topic not in before:
            before[topic] = await _first_elsewhere(topic, lane, lanes, journal)
        first = before[topic]
        if first is not None and first[0] < item.entry_id:
            return count, first[1]
    return len(prepared), None


async def _first_elsewhere(
    topic: str, lane: Lane, lanes: Lanes, journal: Journal
) -> tuple[int, LaneBlockedError] | None:
    """The lowest id in the queues of other lanes that hold entries for a topic, and the lane that it is in."""
    found = None
    for other in lanes.all():
        if other is lane or not other.leads_to(topic):
            continue
        for entry in await journal.read_parked(other.topic, other.position, 1, 1):
            if found is None or entry.id < found[0]:
                cause = f"entries for {topic} that are older wait in the lane of {other.topic}"
                found = entry.id, LaneBlockedError(lane.topic, QUEUED, cause)
    return found
