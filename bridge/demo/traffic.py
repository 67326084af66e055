"""The webhooks of each act, as Treble would post them, and what must become of each. Pure.

Three people, a template and a failed deployment: together, each of the nine types. What Treble would take a day for
happens here within minutes, all of them before now.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import orjson

from bridge.catalogue.samples import hint_for, sample, scene

Fate = Literal["forwarded", "duplicate", "quarantined", "refused"]
"""On its topic; known already; kept although it is no JSON; turned away."""

STATUS: Final[dict[Fate, int]] = {"forwarded": 200, "duplicate": 200, "quarantined": 400, "refused": 401}

_CONVERSATIONS: Final[tuple[tuple[str, ...], ...]] = (
    ("message.delivered", "message.read", "message.responded", "condition.evaluated", "conversation.closed"),
    ("message.delivered", "message.read", "message.timed_out", "conversation.closed"),
    ("message.delivered", "message.read", "contact.opted_out"),
    ("hsm.status_changed",),
    ("deployment.failed",),
)
_STEP: Final = dt.timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook to post. `who` is what its events have as their key: session, template or phone."""

    event_type: str
    hint: str
    body: bytes = field(repr=False)
    who: str = field(repr=False)
    fate: Fate = "forwarded"


def conversations(seed: int, now: dt.datetime) -> list[Webhook]:
    """The whole small world: every type at least once, each conversation in its order."""
    began_at = now.replace(microsecond=0) - dt.timedelta(minutes=5)
    made = []
    for number, types in enumerate(_CONVERSATIONS):
        for step, event_type in enumerate(types):
            made.append(webhook(event_type, seed + number, at=began_at + (step + 1) * _STEP, sent_at=began_at))
    return made


def reads(seed: int, now: dt.datetime) -> Iterator[Webhook]:
    """Without end: one person opens message after message."""
    at = now.replace(microsecond=0)
    while True:
        at += dt.timedelta(seconds=1)
        yield webhook("message.read", seed, at=at, sent_at=at - dt.timedelta(seconds=2))


def webhook(event_type: str, seed: int, *, at: dt.datetime, sent_at: dt.datetime) -> Webhook:
    """One webhook of an invented conversation: the same seed is the same person."""
    who = scene(seed)
    key = {"hsm.status_changed": who.template, "deployment.failed": who.country_code + who.cellphone}
    # Treble gives each event an id of its own; the scene has one for the person.
    event_id = f"{seed & 0xFFFFFFFFFFFF:012x}{int(at.timestamp()):012x}"
    body = sample(event_type, seed, at=at, sent_at=sent_at, event_id=event_id)
    return Webhook(event_type, hint_for(event_type), orjson.dumps(body), key.get(event_type, who.session_id))


def refused(like: Webhook) -> Webhook:
    """The same, from someone who does not know the token."""
    return Webhook(like.event_type, like.hint, like.body, like.who, "refused")


def broken(like: Webhook) -> Webhook:
    """The same, cut off in the middle: no JSON."""
    text = like.body.decode()
    return Webhook(like.event_type, like.hint, text[: len(text) // 2].encode(), like.who, "quarantined")


def again(like: Webhook) -> Webhook:
    """The very same, once more."""
    return Webhook(like.event_type, like.hint, like.body, like.who, "duplicate")
