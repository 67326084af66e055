"""The section about Treble accounts: their URL paths, their credentials and secrets, what they are answered.

No message of this module holds a secret, or a part of one.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, SecretStr, Tag, WithJsonSchema

from bridge.settings.document import typed
from bridge.settings.section import (
    LIST,
    TABLE,
    TEXT,
    Contradictions,
    Loc,
    Networks,
    Secret,
    Section,
    Text,
    by_kind,
    matching,
    walk,
)
from bridge.settings.units import Duration, Kind, Rate, parse_moment

_MOMENT = WithJsonSchema({"type": "string", "examples": ["2026-12-31", "2026-12-31T18:00:00Z"]})


class SecretValue(Section):
    """One accepted value of a secret, for rotation."""

    value: Secret = Field(description="the secret")
    not_after: Annotated[
        dt.datetime | dt.date | None, Kind("date or moment"), BeforeValidator(parse_moment), _MOMENT
    ] = Field(None, validate_default=False, description="valid until this moment, or to the end of this day (UTC)")

    def expires(self) -> dt.datetime | None:
        """The first moment at which the value is no longer accepted."""
        if self.not_after is None or isinstance(self.not_after, dt.datetime):
            return self.not_after
        return dt.datetime.combine(self.not_after + dt.timedelta(days=1), dt.time(), dt.UTC)


_Text = Annotated[Secret, Tag(TEXT)]
_Table = Annotated[SecretValue, Tag(TABLE)]
_List = tuple[Annotated[_Text | _Table, by_kind({})], ...]
SecretValues = Annotated[
    _Text | _Table | Annotated[_List, Field(min_length=1), Tag(LIST)], Kind("secret, or list of secrets"), by_kind({})
]


def each_value(values: SecretStr | SecretValue | tuple[SecretStr | SecretValue, ...]) -> tuple[SecretValue, ...]:
    """One value, or several, in the order of the file: generation 0 first."""
    listed = values if isinstance(values, tuple) else (values,)
    return tuple(item if isinstance(item, SecretValue) else SecretValue(value=item) for item in listed)


def secrets_of(value: Any, at: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """Every secret in a configuration, with its path. What comes out must not be shown."""
    for loc, item in walk(value, at):
        if isinstance(item, SecretStr):
            yield loc, item.get_secret_value()


def names_of(value: Any) -> Iterator[str]:
    """The texts of a configuration that are no secrets: names, addresses, paths. What comes out is the operator's."""
    for loc, item in walk(value):
        yield from (step for step in loc[-1:] if isinstance(step, str))
        if isinstance(item, str):
            yield from (item, *re.split(r":\d+\Z|\{\w+\}", item))


def _timezone(value: Any) -> Any:
    if not isinstance(value, str) or value == "UTC":
        return value
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):
        known = available_timezones()
        if not known:
            raise ValueError("this machine has no time zone database: install the package tzdata") from None
        near = get_close_matches(value, known, 1, 0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown time zone: expected an IANA name such as America/Bogota{hint}") from None
    return value


def _answers(value: Any) -> Any:
    return {key: typed(body) for key, body in value.items()} if isinstance(value, Mapping) else value


_NONE = matching("none", "a list of credentials, or none where everyone may post")
_HEADER = matching(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "a header's name, such as X-API-Key")
_PATH = matching(
    r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+",
    "a URL path such as /hooks/treble: starts with /, no / at its end, no query",
)
HeaderName = Annotated[str, Kind("header's name"), Field(min_length=1), _HEADER]


class HeaderCredential(Section):
    """A request header with a fixed value."""

    name: HeaderName = Field(description="header's name, in any case")
    value: SecretValues = Field(description="accepted value, or several")


class QueryCredential(Section):
    """A query parameter with a fixed value."""

    name: Text = Field(description="parameter's name")
    value: SecretValues = Field(description="accepted value, or several")


class BasicUser(Section):
    """HTTP basic authentication."""

    username: Text = Field(description="user")
    password: SecretValues = Field(description="accepted password, or several")

    def contradictions(self) -> Contradictions:
        """The wire format ends the user's name at the first colon (RFC 7617)."""
        if ":" in self.username:
            yield ("username",), "expected a name without a colon"


class Hmac(Section):
    """A signature over the raw body, by a gateway in front."""

    header: HeaderName = Field(description="header that carries the signature")
    secret: SecretValues = Field(description="shared secret, or several")
    algorithm: Literal["sha256", "sha512", "sha1"] = Field("sha256", description="hash function")
    encoding: Literal["hex", "base64"] = Field("hex", description="how the signature is written")
    prefix: str = Field("", description="text before the signature, such as sha256=")
    timestamp_header: HeaderName | None = Field(
        None, description="header with UNIX seconds; signed as `<timestamp>.<body>`"
    )
    tolerance: Duration = Field(300.0, gt=0, description="how far that time may be from now, both ways")

    def contradictions(self) -> Contradictions:
        """A tolerance without a signed time would promise a protection against replays that isn't there."""
        if "tolerance" in self.model_fields_set and self.timestamp_header is None:
            yield ("tolerance",), "has no effect without timestamp_header, the header with the signed time"
        if self.timestamp_header and self.timestamp_header.lower() == self.header.lower():
            yield ("timestamp_header",), "expected another header than that of the signature"
        if self.prefix != self.prefix.lstrip() or not (self.prefix.isascii() and self.prefix.isprintable()):
            yield ("prefix",), "expected printable ASCII that begins with no space: no header brings anything else"


_SECRETS = (("bearer", ""), ("basic", "password"), ("query", "value"), ("path_secret", ""), ("hmac", "secret"))
"""Keys of an alternative below which a secret stands, and the key below those. `header` may be a list."""


class Alternative(Section):
    """One way to prove who calls: every condition in it must hold."""

    bearer: SecretValues | None = Field(None, description="Authorization: Bearer <value>")
    header: (
        Annotated[
            Annotated[HeaderCredential, Tag(TABLE)]
            | Annotated[tuple[HeaderCredential, ...], Field(min_length=1), Tag(LIST)],
            by_kind({TEXT: TABLE}),
        ]
        | None
    ) = Field(None, description="a header with a fixed value, or several")
    basic: BasicUser | None = Field(None, description="HTTP basic authentication")
    query: QueryCredential | None = Field(None, description="a secret in the query: it is redacted from every log line")
    path_secret: SecretValues | None = Field(None, description="a secret as the URL's segment after the source's path")
    hmac: Hmac | None = Field(None, description="a signature over the body")
    client_ip: Annotated[Networks, Field(min_length=1)] | None = Field(
        None, description="networks the call may come from; a list, or one text with commas"
    )

    def contradictions(self) -> Contradictions:
        """An alternative that everyone fulfils, or that nobody can."""
        if all(getattr(self, key) is None for key in type(self).model_fields):
            yield (), f"no condition: expected at least one of {', '.join(type(self).model_fields)}"
        names = [header.name.lower() for _, header in self._headers()]
        if len(set(names)) < len(names):
            yield ("header",), "the same header twice: both can't hold; for rotation, list its values under `value`"
        claims = [key for key in ("bearer", "basic") if getattr(self, key) is not None]
        if len(claims) + names.count("authorization") > 1:
            yield (), "bearer, basic and the header Authorization are one header: expected one of them"
        taken = {*names, "authorization"} if claims else set(names)
        for key in ("header", "timestamp_header"):
            carried = None if self.hmac is None else getattr(self.hmac, key)
            if carried is not None and carried.lower() in taken:
                yield ("hmac", key), f"{carried} carries another credential already: both can't hold"
        yield from self._unsendable()

    def secrets(self) -> Iterator[tuple[Loc, SecretValues]]:
        """Each secret, with its path."""
        for key, inner in _SECRETS:
            if (part := getattr(self, key)) is not None:
                yield ((key, inner), getattr(part, inner)) if inner else ((key,), part)
        for at, header in self._headers():
            yield (*at, "value"), header.value

    @property
    def headers(self) -> tuple[HeaderCredential, ...]:
        """The headers that must hold together, none when it asks for none."""
        return tuple(header for _, header in self._headers())

    def _headers(self) -> Iterator[tuple[Loc, HeaderCredential]]:
        if isinstance(self.header, tuple):
            yield from ((("header", index), header) for index, header in enumerate(self.header))
        elif self.header is not None:
            yield ("header",), self.header

    def _unsendable(self) -> Contradictions:
        for at, secret in secrets_of(self):
            if at[0] in {"bearer", "header", "basic"} and re.search(r"[\x00-\x1f\x7f]", secret):
                yield at, "holds a line break or control character, which no header can carry"
            elif at[0] in {"bearer", "header"} and secret != secret.strip(" "):
                yield at, "begins or ends with a space, which is lost on the way in a header"
            if at[0] == "path_secret" and not re.fullmatch(r"[A-Za-z0-9._~-]+", secret):
                yield at, "expected only A-Z a-z 0-9 . _ ~ -, which a URL carries as they are"


class RateLimit(Section):
    """A token bucket for one source; above it 429."""

    rate: Rate = Field(description="requests per time")
    burst: int = Field(100, ge=1, description="requests at once")


class Source(Section):
    """One Treble account."""

    path: Annotated[str, Kind("URL path"), _PATH] | None = Field(None, description="URL path; default /webhooks/{name}")
    timezone: Annotated[str, Kind("time zone"), BeforeValidator(_timezone)] = Field(
        "UTC", description="zone of times without one (IANA name)"
    )
    auth: Annotated[
        Annotated[Literal["none"], _NONE, Tag(TEXT)]
        | Annotated[tuple[Alternative, ...], Field(min_length=1), Tag(LIST)],
        by_kind({TABLE: LIST}),
    ] = Field(description="alternatives; or `none`, for everyone may post")
    rate_limit: RateLimit | None = Field(None, description="optional limit; above it 429")
    responses: Annotated[Mapping[str, dict[str, Any]], BeforeValidator(_answers)] = Field(
        {}, description="event type → body of the 200; default {}"
    )

    def contradictions(self) -> Contradictions:
        """Treble reads `user_session_keys` of the answer as a list of pairs."""
        for event_type, body in self.responses.items():
            keys = body.get("user_session_keys", [])
            pairs = keys if isinstance(keys, list) else [None]
            if not all(isinstance(pair, dict) and {"key", "value"} <= set(pair) for pair in pairs):
                expected = "expected a list of {key: …, value: …}, which is what Treble merges into the conversation"
                yield ("responses", event_type, "user_session_keys"), expected

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        """The ways to prove who calls; none where everyone may post."""
        return () if self.auth == "none" else self.auth

    def path_of(self, name: str) -> str:
        """The URL path of the source that the configuration calls `name`."""
        return self.path or f"/webhooks/{name}"


def overlapping(sources: Mapping[str, Source]) -> Contradictions:
    """Pairs of sources that one request could mean both: by a path, a hint below it, or a secret in between."""
    segments = {name: source.path_of(name).split("/")[1:] for name, source in sources.items()}
    for index, second in enumerate(sources):
        for first in list(sources)[:index]:
            short, long = sorted((first, second), key=lambda name: len(segments[name]))
            if segments[long][: len(segments[short])] != segments[short]:
                continue
            extra = len(segments[long]) - len(segments[short])
            room = 2 if any(way.path_secret is not None for way in sources[short].alternatives) else 1
            if extra <= room:
                follows = "a hint" if room == 1 else "a secret and a hint"
                below = f"below {sources[short].path_of(short)} {follows} may follow"
                yield (second, "path"), f"overlaps with source {first}: {below}; expected a path of its own"


def credential_ends(sources: Mapping[str, Source]) -> dict[tuple[str, int, int], float]:
    """(Source, number of the alternative, number of the value) → when it is over (UNIX time, seconds).

    Only of values with a `not_after`; of several secrets in one alternative, the first that is over.
    """
    ends: dict[tuple[str, int, int], float] = {}
    for name, source in sources.items():
        for number, alternative in enumerate(source.alternatives):
            for _, values in alternative.secrets():
                for generation, value in enumerate(each_value(values)):
                    if (moment := value.expires()) is not None:
                        key = (name, number, generation)
                        ends[key] = min(moment.timestamp(), ends.get(key, float("inf")))
    return ends
