"""The journal's positions and Kafka's → where to go on. Pure.

Each lane's position only ever grows, in both places; so the larger one is the truth, lane by lane. Kafka's is larger
when the process died between the commit and the journal's own note of it; the journal's is larger when the positions
topic was lost, or after a stretch of at_least_once, which writes none. One exception: entries that Kafka counts, and
whose records it left without an end, go again, so the journal has their lane behind what Kafka last said of it.
"""

from bridge.model import Positions


def merge(ours: Positions, kafkas: Positions | None, *, noted: bool = False) -> Positions:
    """The larger position of each lane. With `noted`, the journal has taken note of what Kafka says, and its lanes that
    are behind are so nevertheless.
    """
    if kafkas is None:
        return ours
    next_id = max(ours.next_id, kafkas.next_id)
    behind = {}
    for topic in {*ours.behind, *kafkas.behind}:
        position = ours.of(topic)
        if not (noted and topic in ours.behind):
            position = max(position, kafkas.of(topic))
        if position < next_id:
            behind[topic] = position
    return Positions(next_id, behind)
