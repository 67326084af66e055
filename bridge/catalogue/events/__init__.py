"""The event types: one module each, with an `EventType` at its top level and samples of its bodies.

A module that is put here is part of the program: topics, hints, schemas, samples and documentation derive from it.
Nothing else needs an edit. Modules here declare; they read nothing and know no other stage.

What several of them share stands here: families, fields, parts of samples, and receipts, which differ in one field.
"""

from typing import Any

from bridge.catalogue.definition import EventType, Evidence, Family, Field, Scene, naive
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.shapes import ListOf, Object, Text, Time, Wrapped

IN_THE_FLOW = "In the conversation editor, at each message block or arrow of a flow."
IN_THE_CENTER = "Settings → Webhooks: one URL for the account, and a switch for each kind of event."

FLOW = Family(
    name="flow",
    configured=IN_THE_FLOW,
    contact=("",),
    session=("session_id",),
    session_required=True,
    flow="conversation_id",
    documented=frozenset(("user_session_keys",)),
)
GLOBAL = Family(
    name="global",
    configured=IN_THE_CENTER,
    contact=("user",),
    session=("session.external_id",),
    documented=frozenset(("event_type", "event_id", "user_session_keys")),
)


QUESTION = Field(
    "question",
    Object(
        "The message block that this is about, as the flow defines it.",
        {
            "type": Text("Whether the block offers answers.", ("open", "closed")),
            "text": Text("The block's text, before variables are filled in."),
            "answers": ListOf("The answers that a closed block offers.", Wrapped("One answer.")),
        },
    ),
)
SENT_AT = Field("sent_at", Time("When the message was sent."))
SENT_TEXT = Field("sent_text", Text("The text that was sent, variables filled in."))
BUSINESS_SCOPE_ID = Field(
    "business_scope_id",
    Text("An id of the person within the business; seen on real calls, perhaps in place of a phone number."),
    documented=False,
)
TIMESTAMP = Field("timestamp", Time("When Treble reported it."))


def flow_body(scene: Scene, *, at_a_message: bool = True) -> dict[str, object]:
    """The fields with which a flow webhook's body begins; `at_a_message` adds the open question."""
    body: dict[str, object] = {
        "country_code": scene.country_code,
        "cellphone": scene.cellphone,
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
