"""Which of a batch go out, and which are duplicates. Pure: identities and what was seen before, in; two lists, out."""

from collections.abc import Collection, Sequence

from bridge.model import Prepared


def split(batch: Sequence[Prepared], seen: Collection[bytes]) -> tuple[list[Prepared], list[Prepared]]:
    """The batch in its order, parted: what goes out, and what is a duplicate.

    `seen` are the identities that were forwarded inside the window. Of copies inside the batch the first goes out.
    What has no identity (quarantined, or forwarded again on purpose) always does.
    """
    known = set(seen)
    out: list[Prepared] = []
    duplicates: list[Prepared] = []
    for item in batch:
        if item.identity is None:
            out.append(item)
        elif item.identity in known:
            duplicates.append(item)
        else:
            known.add(item.identity)
            out.append(item)
    return out, duplicates
