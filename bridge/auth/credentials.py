"""The credentials of one source: alternatives, of which one must hold, and conditions, which must hold together."""

from collections.abc import Sequence
from typing import Literal

from bridge.auth.conditions import Basic, ClientIp, Condition, Header, Networks, PathSecret, Query, Signature
from bridge.auth.verdicts import DENIED, MISSING, Denied, Facts, Grant, Undecided
from bridge.settings.sources import Alternative

_REALM = 'realm="treble-bridge"'
# What WWW-Authenticate says (RFC 9110, 11.6.1): a scheme for each way that has a registered one.
_CHALLENGES = {"bearer": f"Bearer {_REALM}", "basic": f'Basic {_REALM}, charset="UTF-8"'}
_OTHER_CHALLENGE = f"Treble-Bridge {_REALM}"


class Credentials:
    """All that a source accepts as a proof of who calls."""

    def __init__(self, auth: Literal["none"] | Sequence[Alternative], trusted_proxies: Networks = ()) -> None:
        chosen: Sequence[Alternative] = () if auth == "none" else auth
        if auth != "none" and not auth:
            raise ValueError("credentials need an alternative; a source for everyone says so with auth: none")
        self._alternatives = tuple(_Compiled(i, each, trusted_proxies) for i, each in enumerate(chosen))
        conditions = [c for alternative in self._alternatives for c in alternative.conditions]
        self._path_secrets = tuple(c for c in conditions if isinstance(c, PathSecret))
        self.has_path_secret = bool(self._path_secrets)
        """Whether the URL may have a secret after the source's path."""
        kinds = {c.kind for c in conditions}
        self.challenge = ", ".join(text for kind, text in _CHALLENGES.items() if kind in kinds) or _OTHER_CHALLENGE
        self.header_names = frozenset(name.lower() for each in chosen for name in _secret_headers(each))
        """Lower-case names of headers that carry secrets or signatures: they are kept nowhere."""

    def is_path_secret(self, segment: str) -> bool:
        """Whether the segment is a secret of this source, expired or not."""
        return any(secret.is_secret(segment) for secret in self._path_secrets)

    def before_body(self, facts: Facts, now_ms: int) -> Grant | Undecided | Denied:
        """Decide by everything but the body. `now_ms` is the time, in milliseconds since the epoch."""
        if not self._alternatives:
            return Grant(0)
        reason = 0
        candidates: list[tuple[_Compiled, tuple[int, ...]]] = []
        for alternative in self._alternatives:
            found = tuple([condition.check(facts, now_ms) for condition in alternative.conditions])
            worst = min(found)
            if worst < 0:
                reason = min(reason, worst)
            elif alternative.signature is None:
                return Grant(alternative.number, alternative.kinds, found)
            else:
                candidates.append((alternative, found))
        if candidates:
            return Undecided(facts, tuple(candidates), reason)
        return DENIED[reason]

    def after_body(self, undecided: Undecided, body: bytes, now_ms: int) -> Grant | Denied:
        """Decide what `before_body` left open, with the bytes of the body as they were sent."""
        reason = undecided.reason
        for alternative, found in undecided.candidates:
            generation = alternative.signature.check_body(undecided.facts, body, now_ms)
            if generation >= 0:
                return Grant(alternative.number, alternative.kinds, (*found[:-1], generation))
            reason = min(reason, generation)
        return DENIED[reason or MISSING]

    def decide(self, facts: Facts, body: bytes, now_ms: int) -> Grant | Denied:
        """Both phases at once, for those who have the body already."""
        verdict = self.before_body(facts, now_ms)
        return self.after_body(verdict, body, now_ms) if isinstance(verdict, Undecided) else verdict


class _Compiled:
    """One alternative. A signature is its last condition, so that its generation is the last one found."""

    def __init__(self, number: int, settings: Alternative, trusted_proxies: Networks) -> None:
        self.number = number
        self.signature = None if settings.hmac is None else Signature(settings.hmac)
        self.conditions: tuple[Condition, ...] = tuple(_conditions(settings, trusted_proxies))
        if self.signature is not None:
            self.conditions = (*self.conditions, self.signature)
        if not self.conditions:  # nothing to hold would hold for everyone
            raise ValueError("an alternative of auth needs at least one condition")
        self.kinds = tuple(condition.kind for condition in self.conditions)


def _conditions(settings: Alternative, trusted_proxies: Networks) -> list[Condition]:
    found: list[Condition] = []
    if settings.bearer is not None:
        found.append(Header("bearer", "Authorization", settings.bearer, "bearer "))
    found.extend(Header("header", each.name, each.value) for each in settings.headers)
    if settings.basic is not None:
        found.append(Basic(settings.basic))
    if settings.query is not None:
        found.append(Query(settings.query))
    if settings.path_secret is not None:
        found.append(PathSecret(settings.path_secret))
    if settings.client_ip is not None:
        found.append(ClientIp(settings.client_ip, trusted_proxies))
    return found


def _secret_headers(settings: Alternative) -> list[str]:
    names = ["authorization", *(header.name for header in settings.headers)]
    if settings.hmac is not None:
        names.append(settings.hmac.header)
    return names
