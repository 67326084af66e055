"""What a request must show so that a source takes it: the other side of `bridge.auth`."""

import base64
import datetime as dt
import hmac
from dataclasses import dataclass, field
from urllib.parse import quote

from bridge.errors import ConfigError
from bridge.settings.models import Settings
from bridge.settings.sources import Alternative, Hmac, SecretValues, each_value
from bridge.settings.units import Address

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what is listened on, not where


@dataclass(frozen=True, slots=True)
class Proof:
    """Credentials of one request. None of it may be shown."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)
    segment: str = field(default="", repr=False)

    def spoilt(self) -> "Proof":
        """The same in shape, and wrong in every part."""
        headers = {name: f"{value}-wrong" for name, value in self.headers.items()}
        return Proof(headers, self.query and f"{self.query}-wrong", self.segment and f"{self.segment}-wrong")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a source is reached: `base` is its URL without credentials and hint."""

    base: str
    alternative: Alternative | None = field(default=None, repr=False)

    @property
    def asks_for_proof(self) -> bool:
        """Whether there is something to show that could be missing or wrong."""
        way = self.alternative
        return way is not None and any(
            getattr(way, kind) is not None for kind in type(way).model_fields if kind != "client_ip"
        )

    def prove(self, body: bytes, now: dt.datetime) -> Proof:
        """What shows that a request with this body is allowed."""
        return Proof() if self.alternative is None else _proof(self.alternative, body, now)


def recipient(settings: Settings, source: str | None, address: Address | None = None) -> Recipient:
    """The source called `source` (or the only one) of a bridge on this machine, with its first way of authentication.

    `address` is where it listens, if that is not what the configuration says. Raises ConfigError.
    """
    if source is None and len(settings.sources) > 1:
        raise ConfigError(f"several sources: choose one of {', '.join(settings.sources)} with --source")
    name = next(iter(settings.sources)) if source is None else source
    if name not in settings.sources:
        raise ConfigError(f"no source {name}: expected one of {', '.join(settings.sources)}")
    found = settings.sources[name]
    host, port = address or settings.server.listen
    where = Address(_ANYWHERE.get(host, host), port)
    scheme = "https" if settings.server.tls else "http"
    first = None if found.auth == "none" else found.auth[0]
    return Recipient(f"{scheme}://{where}{found.path_of(name)}", first)


def _proof(alternative: Alternative, body: bytes, now: dt.datetime) -> Proof:
    headers: dict[str, str] = {}
    if alternative.bearer is not None:
        headers["Authorization"] = f"Bearer {_current(alternative.bearer, now)}"
    if alternative.basic is not None:
        user = f"{alternative.basic.username}:{_current(alternative.basic.password, now)}"
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    for header in alternative.headers:
        headers[header.name] = _current(header.value, now)
    if alternative.hmac is not None:
        headers |= _signed(alternative.hmac, body, now)
    query = ""
    if alternative.query is not None:
        query = f"{quote(alternative.query.name)}={quote(_current(alternative.query.value, now), safe='')}"
    segment = _current(alternative.path_secret, now) if alternative.path_secret is not None else ""
    return Proof(headers, query, segment)


def _signed(settings: Hmac, body: bytes, now: dt.datetime) -> dict[str, str]:
    headers: dict[str, str] = {}
    if settings.timestamp_header is not None:
        stamp = str(int(now.timestamp()))
        headers[settings.timestamp_header] = stamp
        body = stamp.encode() + b"." + body
    digest = hmac.digest(_current(settings.secret, now).encode(), body, settings.algorithm)
    text = digest.hex() if settings.encoding == "hex" else base64.b64encode(digest).decode()
    return {**headers, settings.header: settings.prefix + text}


def _current(values: SecretValues, now: dt.datetime) -> str:
    """The first value that still holds."""
    for value in each_value(values):
        expires = value.expires()
        if expires is None or now < expires:
            return value.value.get_secret_value()
    raise ConfigError("every value of the source's first credential is past its not_after")
