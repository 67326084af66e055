"""Secrets: how they are written, where they are in a configuration, and what may be wrong with one.

No message of this module holds a secret, or a part of one.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, SecretStr, Tag, WithJsonSchema

from bridge.settings.section import LIST, TABLE, TEXT, Loc, Section, kind_of
from bridge.settings.units import Kind


def parse_moment(value: Any) -> dt.datetime | dt.date:
    """`2026-12-31` → that date; `2026-12-31T18:00:00Z` → that moment, UTC where it names no zone."""
    if isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\Z|[T ])", value):
        try:
            value = dt.date.fromisoformat(value) if len(value) == 10 else dt.datetime.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, dt.date) and value.year == dt.MAXYEAR:
        value = value.replace(year=dt.MAXYEAR - 1)  # "for ever": a day later must still be a date
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return value
    raise ValueError("expected a date such as 2026-12-31, or a moment such as 2026-12-31T18:00:00Z")


_MOMENT = WithJsonSchema({"type": "string", "examples": ["2026-12-31", "2026-12-31T18:00:00Z"]})
_One = Annotated[SecretStr, Field(min_length=1)]


class SecretValue(Section):
    """One accepted value of a secret, for rotation."""

    value: _One = Field(description="the secret")
    not_after: Annotated[
        dt.datetime | dt.date | None, Kind("date or moment"), BeforeValidator(parse_moment), _MOMENT
    ] = Field(None, validate_default=False, description="valid until this moment, or to the end of this day (UTC)")

    def expires(self) -> dt.datetime | None:
        """The first moment at which the value is no longer accepted."""
        if self.not_after is None or isinstance(self.not_after, dt.datetime):
            return self.not_after
        return dt.datetime.combine(self.not_after + dt.timedelta(days=1), dt.time(), dt.UTC)


_Listed = Annotated[
    Annotated[_One, Tag(TEXT)] | Annotated[SecretValue, Tag(TABLE)],
    Discriminator(kind_of),
]
SecretValues = Annotated[
    Annotated[_One, Tag(TEXT)]
    | Annotated[SecretValue, Tag(TABLE)]
    | Annotated[Annotated[tuple[_Listed, ...], Field(min_length=1)], Tag(LIST)],
    Kind("secret, or list of secrets"),
    Discriminator(kind_of),
]


def each_value(values: SecretStr | SecretValue | tuple[SecretStr | SecretValue, ...]) -> tuple[SecretValue, ...]:
    """One value, or several, in the order of the file: generation 0 first."""
    listed = values if isinstance(values, tuple) else (values,)
    return tuple(item if isinstance(item, SecretValue) else SecretValue(value=item) for item in listed)


def secrets_of(value: Any, at: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """Every secret in a configuration, with its path. What comes out must not be shown."""
    if isinstance(value, SecretStr):
        yield at, value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name), (*at, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_of(item, (*at, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from secrets_of(item, (*at, index))
