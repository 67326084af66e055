"""Which of a batch go out, and which are duplicates. Pure: events and what was seen before, in; two lists, out.

Decided entry after entry, by their times of arrival alone. With `action: drop`, the same copies are dropped in whatever
batches they come, live or out of a backlog, and when recovery asks again for entries that Kafka has already. With
`action: mark`, batches matter. Once its batch is committed, a marked copy begins the window anew. Copies in one batch
are measured from the last unmarked one. A marked copy that only recovery counts does not begin the window anew.

A dedupe key stands for an event with its id; a content key for what it says, times apart. Flow webhooks were seen to
fire twice within seconds, with differing times, so their ids differ and only their content keys are equal.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson

from bridge.catalogue.definition import EventType
from bridge.model import Event, Prepared

_KEY_BYTES: Final = 16
_ANSWERS: Final = frozenset({"actual_response", "classified_answer"})
_NEVER = float("-inf")


def split(
    batch: Sequence[Prepared],
    seen: Mapping[bytes, int],
    key: Callable[[Prepared], bytes | None],
    window_ms: Callable[[Prepared], int],
) -> tuple[list[Prepared], list[Prepared]]:
    """The batch in its order, parted: what goes out, and what is a duplicate.

    `seen` says when the latest forwarded entry of a key had arrived. A duplicate is what arrived at the most
    `window_ms` after one that goes out or went out. What has no key (quarantined, or forwarded again on purpose)
    always goes out.
    """
    known = dict(seen)
    out: list[Prepared] = []
    duplicates: list[Prepared] = []
    for item in batch:
        found = key(item)
        if found is not None and known.get(found, _NEVER) >= item.received_at_ms - window_ms(item):
            duplicates.append(item)
            continue
        out.append(item)
        if found is not None:
            known[found] = item.received_at_ms
    return out, duplicates


def dedupe_key(event: Event) -> bytes:
    """What the dedupe window remembers of an event. Names hold no NUL, so no two texts are equal."""
    return hashlib.sha256(f"{event.source}\0{event.type}\0{event.id}".encode()).digest()[:_KEY_BYTES]


class ContentKeys:
    """The content keys of one event type, over session, flow, and the fields that its id is made of, without times."""

    __slots__ = ("_answers", "_fields")

    def __init__(self, event_type: EventType) -> None:
        tops = {path.partition(".")[0] for path in event_type.event_id.fields}
        self._fields = tuple(
            field.name
            for field in event_type.fields
            if field.path.partition(".")[0] in tops and field.shape.schema.get("format") != "date-time"
        )
        self._answers = event_type.name == "message.responded"

    def of(self, event: Event) -> bytes | None:
        """The content key; None where the event says too little to be taken for another."""
        parts = {name: event.data[name] for name in self._fields if name in event.data}
        if not parts or event.session_id is None or (self._answers and not parts.keys() & _ANSWERS):
            return None
        # The word tells these keys from those of ids in the same journal: another one would forget what it remembers.
        said = ["semantic", event.source, event.type, event.session_id, event.flow_id, parts]
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()[:_KEY_BYTES]
