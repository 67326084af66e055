"""Bodies as Treble sends them, with invented people and texts: for `send`, the demo, tests and benchmarks.

The shapes are those of the catalogue's own samples. What varies (who, which conversation, when) comes from a seed, so
that the same seed makes the same body.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

from bridge.catalogue import TABLE
from bridge.catalogue.definition import Scene

_NAMES = ("Ana", "Beatriz", "Camilo", "Diego", "Elena", "Felipe", "Gabriela", "Hugo", "Inés", "João")
_TALK = (
    ("Your appointment with us is tomorrow at nine. Will you come?", ("Yes", "I need another time"), "yes!"),
    ("How did you like your stay?", ("Very much", "It was fine", "Not at all"), "it was ok, thanks"),
    ("Your invoice of May is ready. May we send it to this chat?", ("Please do", "No, by mail"), "please do"),
    ("The bicycle that you asked for is back in the shop. Shall we keep it for you?", ("Keep it", "No"), "👍 keep it"),
)
_COUNTRIES = (("+57", "300", 7), ("+52", "55", 8), ("+54", "11", 8), ("+55", "119", 8), ("+34", "6", 8))
_SCENE_FIELDS = frozenset(field.name for field in fields_of(Scene))


def hint_for(event_type: str) -> str:
    """The last segment of the URL that is meant for this type; "" where there is none."""
    hints = TABLE[event_type].hints
    return hints[0] if hints else ""


def scene(seed: int, **facts: Any) -> Scene:
    """An invented moment: the same for the same seed. `facts` replace single fields of the Scene."""
    chance = Random(seed)  # noqa: S311 - a seed that repeats itself is the point
    country_code, prefix, digits = chance.choice(_COUNTRIES)
    question, options, answer = chance.choice(_TALK)
    sent_at = dt.datetime(2026, 6, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=chance.randrange(30 * 86_400_000_000))
    made = Scene(
        country_code=country_code,
        cellphone=prefix + "".join(chance.choices("0123456789", k=digits)),
        session_id=f"{chance.getrandbits(224):056x}",
        flow_id=chance.randrange(10_000, 99_999),
        name=chance.choice(_NAMES),
        question=question,
        options=options,
        answer=answer,
        event_id=f"{chance.getrandbits(96):024x}",
        sent_at=sent_at,
        at=(sent_at + dt.timedelta(seconds=chance.randrange(2, 3600))).replace(microsecond=0),
    )
    return replace(made, **facts)


def sample(
    event_type: str,
    seed: int | None = None,
    *,
    variant: str = "",
    fields: Mapping[str, Any] = MappingProxyType({}),
    **given: Any,
) -> dict[str, Any]:
    """A body of this type. Without a seed it is always the same one.

    `variant` names one of the type's shapes; default: the usual one. `given` are facts of the scene (`session_id`,
    `cellphone`, `at`, …); any other name is a field of the body. `fields` are the body's own, by dotted path.
    """
    shapes = TABLE[event_type].samples
    make = shapes[variant] if variant else next(iter(shapes.values()))
    facts = {name: value for name, value in given.items() if name in _SCENE_FIELDS}
    body = make(replace(Scene(), **facts) if seed is None else scene(seed, **facts))
    others = {name: value for name, value in given.items() if name not in _SCENE_FIELDS}
    for path, value in {**others, **fields}.items():
        set_field(body, path, value)
    return body


def set_field(body: dict[str, Any], path: str, value: Any) -> None:
    """Set the field at a dotted path (`session.external_id`), making the objects on the way."""
    *way, last = path.split(".")
    holder = body
    for name in way:
        inner = holder.get(name)
        if not isinstance(inner, dict):
            inner = holder[name] = {}
        holder = inner
    holder[last] = value
