"""A message was opened by the person."""

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


def _read(scene: Scene) -> dict[str, Any]:
    return {**flow_body(scene), **sent(scene), "read_at": naive(scene.at)}


EVENT = EventType(
    name="message.read",
    treble="read",
    family=FLOW,
    fires="When the person opened the message of a block.",
    configured=IN_THE_FLOW,
    hints=("read",),
    evidence=(Evidence(("read_at",), rank=20),),
    own_time=("read_at",),
    fields=(
        QUESTION,
        SENT_AT,
        SENT_TEXT,
        Field("read_at", Time("When the message was opened.")),
        BUSINESS_SCOPE_ID,
    ),
    # sent_at too: whoever opens a chat reads all that waits there in the same second, equal texts included.
    identity=Identity(
        fields=("session_id", "conversation_id", "question.text", "sent_at", "read_at"),
        enough=(("read_at",),),
        fallback="body",
    ),
    samples={"documented": _read},
)
