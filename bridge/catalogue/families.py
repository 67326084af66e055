"""What the types of a family have in common, and the fields that several types share."""

from bridge.catalogue.definition import Family, Field
from bridge.catalogue.scene import Scene, naive
from bridge.catalogue.shapes import ListOf, Object, Text, Time, Wrapped

FLOW = Family(
    name="flow",
    contact=("",),
    session=("session_id",),
    session_required=True,
    flow="conversation_id",
    documented=frozenset(("user_session_keys",)),
)
GLOBAL = Family(
    name="global",
    contact=("user",),
    session=("session.external_id",),
    documented=frozenset(("event_type", "event_id", "user_session_keys")),
)

IN_THE_FLOW = "In the conversation editor, at each message block or arrow of a flow."
IN_THE_CENTER = "Settings → Webhooks: one URL for the account, and a switch for each kind of event."

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
