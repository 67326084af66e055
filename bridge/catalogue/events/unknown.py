"""An event that Treble names, and this version doesn't know: nothing of it is lost, little of it is read."""

from typing import Any

from bridge.catalogue.definition import EventType, Family, Field, Scene, zulu
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.events import IN_THE_CENTER, TIMESTAMP
from bridge.catalogue.shapes import Text

UNKNOWN = Family(
    name="unknown",
    configured=IN_THE_CENTER,
    contact=("user", ""),
    session=("session.external_id", "session_id"),
    flow="conversation_id",
    documented=frozenset(("event_id", "user_session_keys")),
)


def _invented(scene: Scene) -> dict[str, Any]:
    return {
        "event_type": "agent.assigned",
        "event_id": scene.event_id,
        "timestamp": zulu(scene.at),
        "session": {"external_id": scene.session_id},
        "user": {"country_code": scene.country_code, "cellphone": scene.cellphone},
        "agent": {"name": "Luis"},
    }


EVENT = EventType(
    name="unknown",
    treble="*",
    family=UNKNOWN,
    fires="When `event_type` holds a value that this version does not know.",
    own_time=("timestamp",),
    strict_time=False,  # what this version doesn't know may mean something else by `timestamp`
    fields=(Field("event_type", Text("Treble's own name of the event.")), TIMESTAMP),
    event_id=EventIdRule(fields=("event_type", "timestamp"), enough=(), fallback="body"),
    samples={"invented": _invented},
)
