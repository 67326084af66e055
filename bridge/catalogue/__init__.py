"""The event catalogue: what Treble sends, as data, and how it is told apart.

`flow_events` and `account_events` declare the types (in the words of `definition`), with samples. `table` says which of
them a body is; hints, default topics, schemas and documentation derive from it. `shapes`, `times`, `phones` and
`session_keys` read values; `reading` holds what a reader has to say about them; `event_id` makes ids; `samples` makes
bodies, alone or in an order that tells a story.

Pure: no clock, no chance, no I/O. What becomes of an entry as a whole is `bridge.transform.normalize`.
"""

from bridge.catalogue.definition import EventType, KeyKind
from bridge.catalogue.reading import note_kind
from bridge.catalogue.table import HINTS, TABLE, UNKNOWN, Classification, classify

__all__ = ["HINTS", "TABLE", "UNKNOWN", "Classification", "EventType", "KeyKind", "classify", "note_kind"]
