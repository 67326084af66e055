"""What all sections of the configuration share: strictness, contradictions that name their key, types of values."""

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from bridge.settings.units import Kind

Loc = tuple[str | int, ...]
Contradictions = Iterator[tuple[Loc, str]]

# Tags of union members stand in pydantic's error locations. YAML can't hold NUL: that tells them from keys.
TEXT, TABLE, LIST = "\0text", "\0table", "\0list"

CONTRADICTION = "contradiction"  # pydantic's type of the errors that `Section.contradictions` finds

TOPIC = r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,249}"
TOPIC_EXPECTED = "a legal topic name: 1 to 249 of the characters A-Z a-z 0-9 . _ -"


class Section(BaseModel):
    """The base of every section: unknown keys are errors, values don't change, secrets don't show.

    A key without a value (`key:` or `key: null`) is a key that isn't there: the default holds.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_there(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = [
            InitErrorDetails(type=PydanticCustomError(CONTRADICTION, "{text}", {"text": text}), loc=loc, input=None)
            for loc, text in self.contradictions()
        ]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found, hide_input=True)
        return self

    def contradictions(self) -> Contradictions:
        """What can't be true together in this section: the key's path below it, and what was expected."""
        yield from ()

    def unused(self, keys: Iterable[str], reason: str) -> Contradictions:
        """Those of `keys` that differ from their default, though they have no effect."""
        for key in keys:
            if getattr(self, key) != type(self).model_fields[key].default:
                yield (key,), f"has no effect {reason}"


def walk(value: Any, at: Loc = ()) -> Iterator[tuple[Loc, Any]]:
    """Everything in a configuration, the value itself first, each with its key path."""
    yield at, value
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, Section):
        inner = ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    for step, item in inner:
        yield from walk(item, (*at, step))


def path_text(loc: Loc) -> str:
    """`("sources", "treble", "auth", 0)` → `sources.treble.auth[0]`."""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def by_kind(instead: Mapping[str, str]) -> Discriminator:
    """Tells the members of a union apart by the value's shape alone, so that errors speak of one member only.

    A shape that no member has is taken for another: `instead`.
    """

    def tag(value: Any) -> str:
        kind = LIST if isinstance(value, list | tuple) else TABLE if isinstance(value, Mapping | Section) else TEXT
        return instead.get(kind, kind)

    return Discriminator(tag)


def matching(pattern: str, expected: str) -> BeforeValidator:
    """Text that the pattern matches as a whole. What is no text is left to the type."""

    def validated(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return BeforeValidator(validated)


def below(at: Loc, found: Contradictions) -> Contradictions:
    """The same, with paths that begin further up."""
    for loc, message in found:
        yield (*at, *loc), message


def _list_or_text(value: Any) -> Any:
    """`a, b` → [a, b]: so that one environment variable can hold a list."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _network(value: Any) -> IPv4Network | IPv6Network:
    """A network of IPv4 inside IPv6 (`::ffff:192.0.2.0/120`) as the IPv4 network: callers' addresses are so, too."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        network = ip_network(str(value))
    except ValueError as error:
        hint = " (host bits are set)" if "host bits" in str(error) else ""
        raise ValueError(f"expected a network such as 10.0.0.0/8, or an address{hint}") from None
    inside = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if inside is not None and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((inside, network.prefixlen - _MAPPED_BITS))
    return network


def _server(value: Any) -> str:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", str(value))
    if found and 1 <= int(found[2]) <= 65535:
        return found[0]
    raise ValueError("expected host:port, such as kafka-0.example.com:9092")


_MAPPED_BITS = 96  # of an IPv6 address, before the IPv4 address in it
Network = IPv4Network | IPv6Network
Text = Annotated[str, Field(min_length=1)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Topic = Annotated[str, Kind("topic"), matching(TOPIC, TOPIC_EXPECTED)]
OneNetwork = Annotated[
    Network, BeforeValidator(_network), WithJsonSchema({"type": "string", "examples": ["10.0.0.0/8"]})
]
_NAMES = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
Networks = Annotated[tuple[OneNetwork, ...], Kind("networks"), BeforeValidator(_list_or_text), WithJsonSchema(_NAMES)]
Servers = Annotated[
    tuple[Annotated[str, BeforeValidator(_server)], ...],
    Kind("list of host:port"),
    Field(min_length=1),
    BeforeValidator(_list_or_text),
    WithJsonSchema(_NAMES),
]
