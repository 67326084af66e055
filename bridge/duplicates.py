"""Which of a batch go out, and which are duplicates. Pure: identities and what was seen before, in; two lists, out.

Decided entry after entry, by their times of arrival alone: the same copies are dropped in whatever batches they come,
live or out of a backlog, and when recovery asks again for entries that Kafka has already.
"""

from collections.abc import Mapping, Sequence

from bridge.model import Prepared

_NEVER = float("-inf")


def split(
    batch: Sequence[Prepared], seen: Mapping[bytes, int], window_ms: int
) -> tuple[list[Prepared], list[Prepared]]:
    """The batch in its order, parted: what goes out, and what is a duplicate.

    `seen` says when the latest forwarded entry of an identity had arrived. A duplicate is what arrived at the most
    `window_ms` after one that goes out or went out. What has no identity (quarantined, or forwarded again on purpose)
    always goes out.
    """
    known = dict(seen)
    out: list[Prepared] = []
    duplicates: list[Prepared] = []
    for item in batch:
        if item.identity is None:
            out.append(item)
        elif known.get(item.identity, _NEVER) >= item.received_at_ms - window_ms:
            duplicates.append(item)
        else:
            known[item.identity] = item.received_at_ms
            out.append(item)
    return out, duplicates
