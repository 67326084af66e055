"""The event catalogue: what Treble sends, as data, and how it is told apart.

`events/` has one module per event type: a declaration (in the words of `definition`) and its samples. `table` collects
them, and says which a body is; hints, default topics, schemas and documentation derive from the table. `shapes`,
`times`, `phones` and `session_keys` read values; `reading` holds what a reader has to say about them; `event_id` makes
ids.

Pure: no clock, no chance, no I/O. What becomes of an entry as a whole is `bridge.transform.normalize`.
"""

from bridge.catalogue.definition import EventType, KeyKind
from bridge.catalogue.reading import note_kind
from bridge.catalogue.table import HINTS, TABLE, UNKNOWN, Classification, classify

__all__ = ["HINTS", "TABLE", "UNKNOWN", "Classification", "EventType", "KeyKind", "classify", "note_kind"]
