"""The journal's positions and Kafka's → where to go on. Pure.

Each lane's position only ever grows, in both places; so the larger one is the truth, lane by lane. Kafka's is larger
when the process died between the commit and the journal's own note of it; the journal's is larger when the positions
topic was lost, or after a stretch of at_least_once, which writes none.
"""

from bridge.model import Positions


def merge(ours: Positions, kafkas: Positions | None) -> Positions:
    """The larger position of each lane."""
    if kafkas is None:
        return ours
    next_id = max(ours.next_id, kafkas.next_id)
    behind = {}
    for topic in {*ours.behind, *kafkas.behind}:
        position = max(ours.of(topic), kafkas.of(topic))
        if position < next_id:
            behind[topic] = position
    return Positions(next_id, behind)
