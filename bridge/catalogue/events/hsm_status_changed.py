"""A message template (HSM) changed its state."""

from typing import Any

from bridge.catalogue.definition import EventType, Field, Scene, zulu
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.events import GLOBAL, TIMESTAMP
from bridge.catalogue.shapes import Identifier, ListOf, Text


def _approved(scene: Scene) -> dict[str, Any]:
    return {
        "event_type": "hsm.status",
        "event_id": scene.event_id,
        "timestamp": zulu(scene.at),
        "status": "APPROVED",
        "name": scene.template,
        "affected_conversation_ids": [scene.flow_id, scene.flow_id + 7],
    }


EVENT = EventType(
    name="hsm.status_changed",
    treble="hsm.status",
    family=GLOBAL,
    fires="When WhatsApp approves, rejects, pauses or disables a template.",
    hints=("hsm-status",),
    own_time=("timestamp",),
    key="template",
    fields=(
        Field("template", Text("The template's name."), sent_as="name", required=True),
        Field("status", Text("Its new state.", ("APPROVED", "REJECTED", "PENDING", "PAUSED", "DISABLED"))),
        Field(
            "affected_flow_ids",
            ListOf("The flows that use the template.", Identifier("One flow.")),
            sent_as="affected_conversation_ids",
        ),
        TIMESTAMP,
    ),
    event_id=EventIdRule(fields=("name", "status", "timestamp"), enough=(("name", "timestamp"),), fallback="reject"),
    samples={"documented": _approved},
)
