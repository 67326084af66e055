"""URL → source, hint, secret segment.

A configured path never answers 404 for something that a person may have misspelt in Treble's panel: `{path}` and
`{path}/{anything}` are both taken, the latter with the segment as its hint: the known one that was meant, if it differs
in case or by what came along when it was pasted, else cut to `HINT_CHARS_MAX` and to harmless characters. Empty
segments say nothing, nor do blanks and dots around one that is no secret. The body decides its event type; a hint that
contradicts it is counted. More segments are another path: 404.

A source with a `path_secret` is called as `{path}/{secret}` or `{path}/{secret}/{hint}`. With its other alternatives
`{path}/{hint}` works too, for the known hints only: an unknown segment is a misspelt secret, and must not be kept.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from bridge.auth import Credentials
from bridge.auth.conditions import Networks
from bridge.catalogue import HINTS
from bridge.ingress import responses
from bridge.ingress.headers import HeaderKeeper
from bridge.ingress.limits import TokenBucket
from bridge.ingress.responses import Response
from bridge.settings.models import Settings
from bridge.settings.sources import Source

HINT_CHARS_MAX = 64
_SHOWN_SEGMENTS_MAX = 16
HIDDEN = "***"
_NOT_IN_HINTS = re.compile(r"[^A-Za-z0-9._~-]")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_PASTED = " .\t\r\n\v\f\xa0\u200b\u200e\u200f\u2060\ufeff"
"""What comes along, around a segment, when a person copies a URL."""


class Route:
    """What a source needs at a request, made when the configuration is loaded."""

    def __init__(self, name: str, source: Source, trusted_proxies: Networks, now_s: float) -> None:
        self.source = name
        self.path = source.path_of(name)
        self.credentials = Credentials(source.auth, trusted_proxies)
        self.unauthorized = responses.unauthorized(self.credentials.challenge)
        self.keeper = HeaderKeeper(self.credentials.header_names, source.timezone)
        self.accepted = responses.accepted()
        self.responses: Mapping[str, Response] = {
            event_type: responses.accepted(body) for event_type, body in source.responses.items()
        }
        self.rate_limit = source.rate_limit
        self.bucket = None if source.rate_limit is None else TokenBucket(source.rate_limit, now_s)


class Target(NamedTuple):
    """Where a URL leads. `path_secret` is the decoded segment that may be the secret, None when there is none."""

    route: Route
    hint: str
    path_secret: str | None

    @property
    def known_hint(self) -> str:
        """The hint, if it is one of the catalogue's."""
        return self.hint if self.hint in HINTS else ""

    def path(self, *, segment: str, hint: str) -> str:
        """The path with these words in place of what a sender chose."""
        path = self.route.path
        if self.path_secret is not None and self.path_secret != self.hint:
            path += f"/{segment}"
        return f"{path}/{hint}" if self.hint else path


class Routes:
    def __init__(self, settings: Settings, now_s: float, former: "Routes | None" = None) -> None:
        trusted = settings.server.trusted_proxies
        routes = [Route(name, source, trusted, now_s) for name, source in settings.sources.items()]
        self._by_segments = {_segments(route.path): route for route in routes}
        self._words = frozenset(word for segments in self._by_segments for word in segments) | {""}
        self._longest = max(map(len, self._by_segments))
        self._exact = _exact(routes)
        formerly = {route.source: route for route in former.routes()} if former else {}
        for route in routes:
            if (before := formerly.get(route.source)) and before.rate_limit == route.rate_limit:
                route.bucket = before.bucket  # a reload must not hand out a fresh burst

    def routes(self) -> tuple[Route, ...]:
        return tuple(self._by_segments.values())

    def find(self, path: str) -> Target | None:
        """The target of a raw path (percent-encoded, without query), None when no source has it."""
        return self._exact.get(path) or self._search(path)

    def shown(self, raw_path: str, target: Target | None) -> str:
        """The path for a log line: only what the configuration or the catalogue has as well, `***` for the rest.

        A secret may stand anywhere, percent-encoded or misspelt, on a path that leads nowhere too.
        """
        path, question_mark, _ = raw_path.partition("?")
        if target is not None:
            shown = target.path(segment=HIDDEN, hint=target.known_hint or HIDDEN)
        else:
            parts = path.split("/", _SHOWN_SEGMENTS_MAX)
            shown = "/".join([part if part in self._words else HIDDEN for part in parts])
        return shown + f"?{HIDDEN}" * bool(question_mark)

    def _search(self, path: str) -> Target | None:
        segments = _segments(path)
        meant = tuple([part.strip(_PASTED) for part in segments])
        for count in range(min(len(segments), self._longest), max(len(segments) - 3, -1), -1):
            route = self._by_segments.get(segments[:count]) or self._by_segments.get(meant[:count])
            if route is not None:
                return _target(route, segments[count:])
        return None


def _exact(routes: list[Route]) -> dict[str, Target]:
    """The paths that well-configured senders use, for a single look-up. A secret is never in it: comparing the keys of
    a dictionary is not constant-time."""
    found: dict[str, Target] = {}
    for route in routes:
        if not route.credentials.has_path_secret:
            found[route.path] = found[f"{route.path}/"] = Target(route, "", None)
            found |= {f"{route.path}/{hint}": Target(route, hint, None) for hint in HINTS}
    return found


def _target(route: Route, rest: tuple[str, ...]) -> Target | None:
    if not route.credentials.has_path_secret:
        return Target(route, _hint(rest), None) if len(rest) <= 1 else None
    if len(rest) == 1:
        hint = _hint(rest)
        is_hint = hint in HINTS and not route.credentials.is_path_secret(rest[0])
        return Target(route, hint, hint) if is_hint else Target(route, "", rest[0])
    return Target(route, _hint(rest[1:]), rest[0] if rest else None)


def _hint(rest: tuple[str, ...]) -> str:
    if not rest:
        return ""
    text = rest[0][:HINT_CHARS_MAX]
    meant = _BETWEEN_WORDS.sub("-", text).strip("-").lower()
    return meant if meant in HINTS else _NOT_IN_HINTS.sub("_", text)


def _segments(path: str) -> tuple[str, ...]:
    """Decoded segments, without the empty ones."""
    if not path.startswith("/"):
        return (path,)
    parts = [
        unquote_to_bytes(part).decode("utf-8", "surrogateescape") if "%" in part else part for part in path.split("/")
    ]
    return tuple([part for part in parts if part.strip(_PASTED)])
