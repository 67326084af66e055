"""A template could not be sent to a person."""

from typing import Any

from bridge.catalogue.definition import EventType, Field, Scene, zulu
from bridge.catalogue.event_id import EventIdRule
from bridge.catalogue.events import GLOBAL, TIMESTAMP
from bridge.catalogue.shapes import Text, Time

REASONS = (
    "FAILURE",
    "FAILURE_BY_HUMAN_HANDOVER",
    "REVOKED",
    "INVALID_PHONE",
    "FAILURE_BY_RATE_LIMIT",
    "COMPANY_RATE_LIMIT",
    "FAILURE_BY_TIER_CAPACITY",
    "MISSING_PARAMETER",
    "PARAMETER_MISMATCH",
    "FAILURE_BY_BLOCKED_CONTACT",
    "FAILURE_BY_OPTOUT_CONTACT",
    "INVALID_POLL",
    "CHARACTER_LIMIT_HEADER",
    "CHARACTER_LIMIT_BODY",
    "FAILURE_BY_DISABLED_HSM",
    "FAILURE_BY_SPAM_RATE_LIMIT",
    "FAILURE_BY_EXPERIMENT_NUMBER",
    "FAILURE_BY_UNABLE_TO_CONTACT",
)


def _failed(scene: Scene) -> dict[str, Any]:
    return {
        "event_type": "deployment.failure",
        "event_id": scene.event_id,
        "timestamp": zulu(scene.at),
        "failure_reason": "FAILURE_BY_HUMAN_HANDOVER",
        "failed_at": zulu(scene.at),
        "user": {"country_code": scene.country_code, "cellphone": scene.cellphone},
    }


EVENT = EventType(
    name="deployment.failed",
    treble="deployment.failure",
    family=GLOBAL,
    fires="When Treble gave up sending a template to a person.",
    hints=("deployment-failure",),
    own_time=("failed_at", "timestamp"),
    key="phone",
    fields=(
        Field("failure_reason", Text("Why it was not sent.", REASONS)),
        Field("failed_at", Time("When Treble gave up.")),
        TIMESTAMP,
    ),
    event_id=EventIdRule(
        fields=("user.country_code", "user.cellphone", "failed_at", "timestamp", "failure_reason"),
        enough=(("user.cellphone", "failed_at"), ("user.cellphone", "timestamp")),
        fallback="reject",
    ),
    samples={"observed": _failed},
)
