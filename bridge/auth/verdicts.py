"""The values that go into a decision on credentials, and those that come out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

# What a condition says when it does not hold. Below zero, since what holds says its generation; the lower, the more it
# tells a person who looks for the mistake, so the lowest of all conditions is the reason that is reported.
MISSING = -1  # nothing of that kind was sent
WRONG = -2  # something was sent, and it is not the secret
AMBIGUOUS = -3  # it was sent more than once: which one counts is anybody's guess, so none does
ADDRESS = -4  # the caller's address is in none of the networks
STALE = -5  # the signed time is too far from now
SIGNATURE = -6  # the signature does not fit the body
EXPIRED = -7  # the right secret, after its `not_after`

_WORDS = {
    MISSING: "missing",
    WRONG: "wrong",
    AMBIGUOUS: "ambiguous",
    ADDRESS: "address",
    STALE: "stale",
    SIGNATURE: "signature",
    EXPIRED: "expired",
}
REASONS = tuple(_WORDS.values())


class Headers(Protocol):
    """Request headers by name in any case; one name may have several values."""

    def getall(self, key: str, default: tuple[()], /) -> Sequence[str]:
        """All values of the header, or `default`."""
        ...


class Facts(NamedTuple):
    """What a request shows before its body.

    Bytes that are not UTF-8 are in the text as lone surrogates (`surrogateescape`). `query` is raw, without the
    question mark. `path_secret` is the decoded segment after the source's path, None when there is none. `remote` is
    the address of the peer, "" when it is not known.
    """

    headers: Headers
    query: str = ""
    path_secret: str | None = None
    remote: str = ""

    def __repr__(self) -> str:
        return "Facts(…)"  # headers, query and segment may hold secrets


@dataclass(frozen=True, slots=True)
class Grant:
    """Alternative number `alternative` holds (from 0, as configured).

    `generations` has, for each of its conditions in the order of `kinds`, the number of the value that matched: 0 is
    the first. It is empty for a source that asks for nothing.
    """

    alternative: int
    kinds: tuple[str, ...] = ()
    generations: tuple[int, ...] = ()

    @property
    def generation(self) -> int:
        """The oldest generation in use: above 0, a rotation is not finished."""
        return max(self.generations, default=0)


@dataclass(frozen=True, slots=True)
class Denied:
    """No alternative holds; `reason` is one of `REASONS`, bounded and without anything that was sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """All holds but a signature over the body, which is needed to go on. For `Credentials.after_body`."""

    facts: Facts
    candidates: tuple[Any, ...]  # (the alternative, what its other conditions found)
    reason: int  # why the other alternatives don't hold


DENIED = {code: Denied(word) for code, word in _WORDS.items()}
