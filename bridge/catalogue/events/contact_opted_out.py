"""The person does not want messages any more."""

from typing import Any

from bridge.catalogue.definition import EventType, Evidence, Field, Scene
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.events import BUSINESS_SCOPE_ID, FLOW, QUESTION, SENT_AT, SENT_TEXT, flow_body, sent
from bridge.catalogue.shapes import Text, Wrapped


def _opted_out(scene: Scene) -> dict[str, Any]:
    options = ("Gladly", "No more messages", "DEFAULT")
    return {
        **flow_body(scene),
        "question": {"type": "closed", "text": scene.question, "answers": [{"text": option} for option in options]},
        **sent(scene),
        "classified_answer": {"text": options[1]},
        "reason": "OPTOUT",
    }


EVENT = EventType(
    name="contact.opted_out",
    treble="opt-out",
    family=FLOW,
    fires="When the person chose an answer that the flow marks as opting out.",
    hints=("opt-out",),
    # First of all flow types: a reason states what the call is about, whatever else the body tells of the message.
    evidence=(Evidence(("reason",), rank=70, equals="OPTOUT"),),
    fields=(
        QUESTION,
        SENT_AT,
        SENT_TEXT,
        Field("classified_answer", Wrapped("The answer that means opting out.")),
        Field("reason", Text("Why the contact is blocked.", ("OPTOUT",))),
        BUSINESS_SCOPE_ID,
    ),
    # It has no time of its own. One sent message is answered by one opt-out, so the sending's time tells them apart.
    event_id=EventIdRule(
        fields=("session_id", "conversation_id", "question.text", "sent_at", "classified_answer.text", "reason"),
        enough=(("sent_at",),),
        fallback="body",
    ),
    samples={"documented": _opted_out},
)
