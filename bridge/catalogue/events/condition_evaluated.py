"""A conversation took a path out of an "If" block."""

from typing import Any

from bridge.catalogue.definition import EventType, Evidence, Field, Scene
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.events import BUSINESS_SCOPE_ID, FLOW, flow_body
from bridge.catalogue.shapes import Object, Text


def _evaluated(scene: Scene) -> dict[str, Any]:
    return {
        **flow_body(scene, at_a_message=False),
        "variable": {"name": "orders", "value": "3"},
        "condition": {"operator": "GTEQ", "value": "2"},
        "user_session_keys": [{"key": "orders", "value": "3", "type": None}],
    }


EVENT = EventType(
    name="condition.evaluated",
    treble="condition",
    family=FLOW,
    fires="When a conversation leaves a condition block by the path that carries the webhook.",
    hints=("condition",),
    evidence=(Evidence(("condition", "variable"), rank=60),),
    fields=(
        Field(
            "variable",
            Object("The session key that was looked at.", {"name": Text("Its name."), "value": Text("Its value.")}),
        ),
        Field(
            "condition",
            Object(
                "What it was compared with.",
                {
                    "operator": Text(
                        "How it was compared; DEFAULT is the path for all the rest.",
                        ("EQ", "DIFF", "GT", "LT", "GTEQ", "LTEQ", "CONT", "NCONT", "DEFAULT"),
                    ),
                    "value": Text("The operand of the path."),
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
