"""The person did not answer in time. (It is the person's silence that timed out, not a webhook.)"""

from typing import Any

from bridge.catalogue.definition import EventType, Evidence, Field, Scene, naive
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.events import BUSINESS_SCOPE_ID, FLOW, QUESTION, flow_body
from bridge.catalogue.shapes import Time


def _timed_out(scene: Scene) -> dict[str, Any]:
    return {
        **flow_body(scene),
        "timeout_at": naive(scene.at.replace(microsecond=572123)),
        "user_session_keys": [{"key": "name", "value": scene.name, "type": None}],
    }


EVENT = EventType(
    name="message.timed_out",
    treble="timeout",
    family=FLOW,
    fires="When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.",
    hints=("timeout",),
    evidence=(Evidence(("timeout_at",), rank=40),),
    own_time=("timeout_at",),
    fields=(QUESTION, Field("timeout_at", Time("When the wait for an answer ended.")), BUSINESS_SCOPE_ID),
    event_id=EventIdRule(
        fields=("session_id", "conversation_id", "question.text", "timeout_at"),
        enough=(("timeout_at",),),
        fallback="body",
    ),
    samples={"documented": _timed_out},
)
