"""Bodies as Treble sends them, with invented people and texts: for `send`, the demo, tests and benchmarks.

The shapes are those of the catalogue's own samples. What varies (who, which conversation, when) comes from a seed, so
that the same seed makes the same body. A scenario is webhooks in an order that tells a story, each with the answer that
it must get.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as fields_of
from random import Random
from types import MappingProxyType
from typing import Any, Final, Literal

import orjson

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
_SCENE_FIELDS = frozenset(known.name for known in fields_of(Scene))

STEP: Final = dt.timedelta(seconds=20)
_CONVERSATION: Final = (
    "message.delivered", "message.read", "message.responded", "condition.evaluated", "conversation.closed"
)  # fmt: skip
_NEITHER_JSON: Final[tuple[tuple[str, Callable[[bytes], bytes]], ...]] = (
    ("cut off in the middle", lambda body: body[: len(body) // 2]),
    ("empty", lambda _: b""),
    ("not UTF-8", lambda body: body.replace(b'"', b"\xff", 1)),
    ("a form instead of JSON", lambda _: b"session_id=1&read_at=2026-06-22"),
    ("two bodies in one", lambda body: body + body),
    ("undefined, which is no JSON", lambda _: b'{"session_id": undefined}'),
)
_REFUSED: Final = frozenset({401})
_KEPT_AS_BROKEN: Final = frozenset({400})
_TAKEN_OR_TOLD_TO_WAIT: Final = frozenset({200, 429})


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
        bsuid=f"CO.{chance.randrange(10**12, 10**13)}",
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


@dataclass(frozen=True, slots=True)
class Posting:
    """One webhook to post, and what is expected of it.

    `session` is the conversation that its event names, "" for none. `hint` is the last segment of its URL, "" for none.
    `expected` are the statuses that are right; `about` says what is odd about it, "" for nothing.
    """

    event_type: str
    session: str
    hint: str
    body: bytes = field(repr=False)
    expected: frozenset[int] = frozenset({200})
    credentials: Literal["right", "missing", "wrong"] = "right"
    about: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to make: types in turn, how many, from which seed, and what to change in each body.

    `at` is when the first message was sent; by default a time that comes from the seed.
    """

    types: Sequence[str]
    count: int
    seed: int
    session: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story. `counted` is what `count` counts; `own_types` says that it has its own event types."""

    about: str
    counted: str
    count: int
    make: Callable[[Wish], Iterator[Posting]]
    own_types: bool = False


def singles(wish: Wish) -> Iterator[Posting]:
    """Webhooks of other conversations each, the types in turn; without end."""
    for number in itertools.count():
        yield _posting(wish, wish.types[number % len(wish.types)], number)


def reads(wish: Wish) -> Iterator[Posting]:
    """One contact opens message after message; without end."""
    for step in itertools.count(1):
        yield _posting(wish, "message.read", 0, step)


def conversation(wish: Wish) -> Iterator[Posting]:
    """One contact after the other: from the delivered message to the closed conversation."""
    for number in range(wish.count):
        for step, event_type in enumerate(_CONVERSATION):
            yield _posting(wish, event_type, number, step)


def campaign(wish: Wish) -> Iterator[Posting]:
    """A template is approved, then goes to many: all that becomes of it, mixed as it would come in."""
    yield _posting(wish, "hsm.status_changed", 0)
    for step, number in itertools.product(range(4), range(wish.count)):
        if event_type := _in_campaign(step, number):
            yield _posting(wish, event_type, number, step)


def duplicates(wish: Wish) -> Iterator[Posting]:
    """Each webhook twice, byte by byte the same: both are answered 200, one event comes out."""
    for number in range(wish.count):
        posting = _posting(wish, wish.types[number % len(wish.types)], number)
        yield posting
        yield replace(posting, about="the same once more")


def malformed(wish: Wish) -> Iterator[Posting]:
    """Bodies that are no JSON: answered 400, and kept for the quarantine; and one that is JSON, but no webhook."""
    for number in range(wish.count):
        posting = _posting(wish, wish.types[number % len(wish.types)], number)
        which = number % (len(_NEITHER_JSON) + 1)
        if which == len(_NEITHER_JSON):
            yield replace(posting, hint="", body=b'{"hello": "bridge"}', about="JSON, but no webhook")
        else:
            about, spoil = _NEITHER_JSON[which]
            yield replace(posting, body=spoil(posting.body), expected=_KEPT_AS_BROKEN, about=about)


def unauthorized(wish: Wish) -> Iterator[Posting]:
    """Without credentials, then with wrong ones: answered 401, nothing is kept; at last with the right ones."""
    for number in range(wish.count):
        posting = _posting(wish, wish.types[number % len(wish.types)], number)
        yield replace(posting, expected=_REFUSED, credentials="missing", about="without credentials")
        yield replace(posting, expected=_REFUSED, credentials="wrong", about="with wrong credentials")
    yield _posting(wish, wish.types[0], wish.count)


def burst(wish: Wish) -> Iterator[Posting]:
    """All at the same time: each is answered 200, or 429 where the source has a rate limit."""
    for number in range(wish.count):
        posting = _posting(wish, wish.types[number % len(wish.types)], number)
        yield replace(posting, expected=_TAKEN_OR_TOLD_TO_WAIT)


SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "conversation": Scenario("a contact's way from delivered to closed", "conversations", 1, conversation, True),
        "campaign": Scenario("a template to many contacts, and what becomes of it", "contacts", 10, campaign, True),
        "duplicates": Scenario("each webhook twice", "webhooks", 3, duplicates),
        "malformed": Scenario("bodies that are not JSON: 400, and kept", "bodies", len(_NEITHER_JSON) + 1, malformed),
        "unauthorized": Scenario("missing and wrong credentials: 401", "tries of each", 1, unauthorized),
        "burst": Scenario("all at the same time", "webhooks", 200, burst),
    }
)
"""Name → scenario."""


def _in_campaign(step: int, number: int) -> str:
    """What becomes of contact `number` in this step of the campaign; "" for nothing."""
    failed, silent, unwilling = number % 10 == 9, number % 5 == 3, number % 10 == 7
    if failed:
        return "deployment.failed" if step == 0 else ""
    if step < 2:
        return ("message.delivered", "message.read")[step]
    if unwilling:
        return "contact.opted_out" if step == 2 else ""
    if step == 2:
        return "message.timed_out" if silent else "message.responded"
    return "conversation.closed"


def _posting(wish: Wish, event_type: str, number: int, step: int = 0) -> Posting:
    """One webhook of the contact that `number` stands for. Steps are moments of the same conversation."""
    seed = wish.seed + number
    given: dict[str, Any] = {} if wish.session is None else {"session_id": wish.session}
    if wish.at is not None:
        given |= {"sent_at": wish.at, "at": wish.at + STEP}
    who = scene(seed, **given)
    # Treble gives each event an id of its own; the scene has one for the contact.
    event_id = f"{seed & 0xFFFFFFFFFFFFFFFF:016x}{step:04x}{list(TABLE).index(event_type):04x}"
    facts = {**given, "at": who.at + step * STEP, "event_id": event_id}
    body = sample(event_type, seed, fields=wish.fields, **facts)
    return Posting(event_type, _session(body), hint_for(event_type), orjson.dumps(body))


def _session(body: dict[str, Any]) -> str:
    inner = body.get("session")
    return str(body.get("session_id") or (inner.get("external_id") if isinstance(inner, dict) else None) or "")
