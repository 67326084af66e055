"""The person answered."""

from typing import Any

import orjson

from bridge.catalogue.definition import EventType, Evidence, Field, Scene, naive
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.events import BUSINESS_SCOPE_ID, FLOW, QUESTION, SENT_AT, SENT_TEXT, flow_body
from bridge.catalogue.shapes import Text, Time, Wrapped


def _documented(scene: Scene) -> dict[str, Any]:
    location = {"latitude": 4.6512, "longitude": -74.0557, "address": "Calle 72 #10-34"}
    return {
        **flow_body(scene),
        "conversation_id": str(scene.flow_id),
        "question": {
            "type": "closed",
            "text": scene.question,
            "answers": [{"text": option} for option in scene.options],
        },
        "sent_at": naive(scene.sent_at),
        "responded_at": naive(scene.at),
        "sent_text": scene.question,
        "actual_response": scene.answer,
        "classified_answer": {"text": scene.options[0]},
        "user_session_keys": [
            {"key": "name", "value": scene.name, "type": None},
            {"key": "order", "value": "1042", "type": None},
            {"key": "place", "value": orjson.dumps(location).decode(), "type": "location"},
        ],
    }


def _observed(scene: Scene) -> dict[str, Any]:
    """As seen on real calls: hardly a field, no answer but among the session keys, and a field of its own."""
    return {
        "country_code": scene.country_code,
        "cellphone": scene.cellphone,
        "business_scope_id": f"CO.{scene.event_id}",
        "conversation_id": scene.flow_id,
        "session_id": scene.session_id,
        "user_session_keys": [{"key": "answer", "value": scene.answer, "type": None}],
    }


EVENT = EventType(
    name="message.responded",
    treble="response",
    family=FLOW,
    fires="When the person answered the message of a block.",
    hints=("response",),
    evidence=(
        Evidence(("responded_at",), rank=50),
        # An answer alone is weaker: an opt-out carries one too (beside its reason), and a time-out might.
        Evidence(("actual_response",), rank=31, without=("reason",)),
        Evidence(("classified_answer",), rank=30, without=("reason",)),
    ),
    own_time=("responded_at",),
    fields=(
        QUESTION,
        SENT_AT,
        SENT_TEXT,
        Field("responded_at", Time("When the person answered.")),
        Field("actual_response", Text("What the person wrote, literally.")),
        Field("classified_answer", Wrapped("Which of the block's answers Treble took it for.")),
        BUSINESS_SCOPE_ID,
    ),
    event_id=EventIdRule(
        fields=(
            "session_id",
            "conversation_id",
            "question.text",
            "sent_at",
            "responded_at",
            "actual_response",
            "classified_answer.text",
        ),
        enough=(("responded_at",),),
        fallback="body",
    ),
    samples={"documented": _documented, "observed": _observed},
)
