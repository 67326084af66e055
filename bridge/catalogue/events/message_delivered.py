"""A message reached the person's phone."""

from typing import Any

from bridge.catalogue.definition import EventType, Evidence, Field
from bridge.catalogue.families import (
    BUSINESS_SCOPE_ID,
    FLOW,
    IN_THE_FLOW,
    QUESTION,
    SENT_AT,
    SENT_TEXT,
    flow_body,
    sent,
)
from bridge.catalogue.identity import Identity
from bridge.catalogue.scene import Scene, naive
from bridge.catalogue.shapes import Time


def _delivered(scene: Scene) -> dict[str, Any]:
    return {**flow_body(scene), **sent(scene), "delivered_at": naive(scene.at)}


EVENT = EventType(
    name="message.delivered",
    treble="delivered",
    family=FLOW,
    fires="When the message of a block was delivered to the phone.",
    configured=IN_THE_FLOW,
    hints=("delivered",),
    evidence=(Evidence(("delivered_at",), rank=10),),
    own_time=("delivered_at",),
    fields=(
        QUESTION,
        SENT_AT,
        SENT_TEXT,
        Field("delivered_at", Time("When the phone had the message.")),
        BUSINESS_SCOPE_ID,
    ),
    # sent_at too: two sendings of the same text may be delivered in the same second, when a phone comes back.
    identity=Identity(
        fields=("session_id", "conversation_id", "question.text", "sent_at", "delivered_at"),
        enough=(("delivered_at",),),
        fallback="body",
    ),
    samples={"documented": _delivered},
)
