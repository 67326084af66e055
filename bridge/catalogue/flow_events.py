"""The event types of flows: their webhooks are configured at a block or an arrow of the conversation editor.

A type is an `EventType` at the top level of this module or of `account_events`. Topics, hints, schemas, samples and
documentation derive from it; nothing else needs an edit.
"""

from typing import Any

import orjson

from bridge.catalogue.definition import EventType, Evidence, Family, Field, Scene, contact_fields, naive
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.shapes import list_of, members, text, time, wrapped_text

FLOW = Family(
    name="flow",
    configured="In the conversation editor, at each message block or arrow of a flow.",
    contact=("", "user"),
    session=("session_id",),
    session_required=True,
    flow="conversation_id",
    documented=frozenset(("user_session_keys",)),
)


QUESTION = Field(
    "question",
    members(
        "The message block that this is about, as the flow defines it.",
        {
            "type": text("Whether the block offers answers.", ("open", "closed")),
            "text": text("The block's text, before variables are filled in."),
            "answers": list_of("The answers that a closed block offers.", wrapped_text("One answer.")),
        },
    ),
)
SENT_AT = Field("sent_at", time("When the message was sent."))
SENT_TEXT = Field("sent_text", text("The text that was sent, variables filled in."))
BUSINESS_SCOPE_ID = Field(
    "business_scope_id",
    text("WhatsApp's id of the person within the business, as it was sent; read in `contact`."),
)


def flow_body(scene: Scene, *, at_a_message: bool = True) -> dict[str, object]:
    """The fields with which a flow webhook's body begins; `at_a_message` adds the open question."""
    body: dict[str, object] = {
        **contact_fields(scene),
        "session_id": scene.session_id,
        "conversation_id": scene.flow_id,
    }
    if at_a_message:
        body["question"] = {"type": "open", "text": scene.question}
    return body


def sent(scene: Scene) -> dict[str, object]:
    """When and what was sent, and no session keys."""
    return {"sent_at": naive(scene.sent_at), "sent_text": scene.question, "user_session_keys": []}


def receipt(treble: str, *, fires: str, at: Field, rank: int) -> EventType:
    """A type that only says when something became of a message: `at`. `treble` is Treble's word for it."""

    def documented(scene: Scene) -> dict[str, Any]:
        return {**flow_body(scene), **sent(scene), at.name: naive(scene.at)}

    return EventType(
        name=f"message.{treble}",
        treble=treble,
        family=FLOW,
        fires=fires,
        hints=(treble,),
        evidence=(Evidence((at.name,), rank),),
        own_time=(at.name,),
        fields=(QUESTION, SENT_AT, SENT_TEXT, at, BUSINESS_SCOPE_ID),
        # sent_at too: a phone that comes back, or a chat that is opened, has several messages delivered or read in the
        # same second, and some may have the same text.
        event_id=EventIdRule(
            fields=("session_id", "conversation_id", "question.text", "sent_at", at.name),
            enough=((at.name,),),
            fallback="body",
        ),
        samples={"documented": documented},
    )


MESSAGE_DELIVERED = receipt(
    "delivered",
    fires="When the message of a block was delivered to the phone.",
    at=Field("delivered_at", time("When the phone had the message.")),
    rank=10,
)


MESSAGE_READ = receipt(
    "read",
    fires="When the person opened the message of a block.",
    at=Field("read_at", time("When the message was opened.")),
    rank=20,
)


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
    """As seen on real calls: hardly a field, no answer but among the session keys, and WhatsApp's id of the person."""
    return {
        **contact_fields(scene),
        "business_scope_id": scene.bsuid,
        "conversation_id": scene.flow_id,
        "session_id": scene.session_id,
        "user_session_keys": [{"key": "answer", "value": scene.answer, "type": None}],
    }


MESSAGE_RESPONDED = EventType(
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
        Field("responded_at", time("When the person answered.")),
        Field("actual_response", text("What the person wrote, literally.")),
        Field("classified_answer", wrapped_text("Which of the block's answers Treble took it for.")),
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


def _timed_out(scene: Scene) -> dict[str, Any]:
    return {
        **flow_body(scene),
        "timeout_at": naive(scene.at.replace(microsecond=572123)),
        "user_session_keys": [{"key": "name", "value": scene.name, "type": None}],
    }


MESSAGE_TIMED_OUT = EventType(
    name="message.timed_out",
    treble="timeout",
    family=FLOW,
    fires="When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.",
    hints=("timeout",),
    evidence=(Evidence(("timeout_at",), rank=40),),
    own_time=("timeout_at",),
    fields=(QUESTION, Field("timeout_at", time("When the wait for an answer ended.")), BUSINESS_SCOPE_ID),
    event_id=EventIdRule(
        fields=("session_id", "conversation_id", "question.text", "timeout_at"),
        enough=(("timeout_at",),),
        fallback="body",
    ),
    samples={"documented": _timed_out},
)


def _evaluated(scene: Scene) -> dict[str, Any]:
    return {
        **flow_body(scene, at_a_message=False),
        "variable": {"name": "orders", "value": "3"},
        "condition": {"operator": "GTEQ", "value": "2"},
        "user_session_keys": [{"key": "orders", "value": "3", "type": None}],
    }


CONDITION_EVALUATED = EventType(
    name="condition.evaluated",
    treble="condition",
    family=FLOW,
    fires="When a conversation leaves a condition block by the path that carries the webhook.",
    hints=("condition",),
    evidence=(Evidence(("condition", "variable"), rank=60),),
    fields=(
        Field(
            "variable",
            members("The session key that was looked at.", {"name": text("Its name."), "value": text("Its value.")}),
        ),
        Field(
            "condition",
            members(
                "What it was compared with.",
                {
                    "operator": text(
                        "How it was compared; DEFAULT is the path for all the rest.",
                        ("EQ", "DIFF", "GT", "LT", "GTEQ", "LTEQ", "CONT", "NCONT", "DEFAULT"),
                    ),
                    "value": text("The operand of the path."),
                },
            ),
        ),
        BUSINESS_SCOPE_ID,
    ),
    # No time at all in the body: only the whole of it tells one evaluation from another.
    event_id=EventIdRule(
        fields=("session_id", "conversation_id", "variable", "condition"),
        enough=(),
        fallback="body",
    ),
    samples={"documented": _evaluated},
)


def _opted_out(scene: Scene) -> dict[str, Any]:
    options = ("Gladly", "No more messages", "DEFAULT")
    return {
        **flow_body(scene),
        "question": {"type": "closed", "text": scene.question, "answers": [{"text": option} for option in options]},
        **sent(scene),
        "classified_answer": {"text": options[1]},
        "reason": "OPTOUT",
    }


CONTACT_OPTED_OUT = EventType(
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
        Field("classified_answer", wrapped_text("The answer that means opting out.")),
        Field("reason", text("Why the contact is blocked.", ("OPTOUT",))),
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
