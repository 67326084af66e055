"""Webhooks in an order that tells a story, each with the answer that it must get: for `send --scenario` and the demo.

A scenario is made of the sample bodies and a seed, so that the same seed makes the same webhooks. The table is
`SCENARIOS`; `count` means what the scenario says it counts.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal

import orjson

from bridge.catalogue import TABLE
from bridge.catalogue.samples import hint_for, sample, scene

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
    ("NaN, which is no JSON", lambda _: b'{"session_id": NaN}'),
)
_REFUSED: Final = frozenset({401})
_KEPT_AS_BROKEN: Final = frozenset({400})
_TAKEN_OR_TOLD_TO_WAIT: Final = frozenset({200, 429})


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
    for step, wave in enumerate(map(_wave, range(4))):
        for number in range(wish.count):
            event_type = wave(number)
            if event_type:
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


def _wave(step: int) -> Callable[[int], str]:
    """What becomes of contact `number` in the campaign's step; "" for nothing."""

    def event_type(number: int) -> str:
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

    return event_type


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
    return Posting(event_type, _session(body, event_type), hint_for(event_type), orjson.dumps(body))


def _session(body: dict[str, Any], event_type: str) -> str:
    for path in TABLE[event_type].family.session:
        value: Any = body
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value:
            return str(value)
    return ""
