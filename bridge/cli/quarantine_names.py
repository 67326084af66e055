"""Which records of the quarantine are meant by what somebody typed: a place, or the beginning of an id."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from bridge.forward.redrive import DeadLetter

PREFIX_CHARS_MIN: Final = 8
_NAME: Final = re.compile(rf"[0-9]{{1,10}}@[0-9]{{1,19}}|[0-9a-f]{{{PREFIX_CHARS_MIN},}}")


class RecordName(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """`PARTITION@OFFSET`, or at least 8 characters of an id: fewer could mean a record that nobody thought of."""

    name = "record"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The place, without leading zeros; or what the id begins with, in small letters."""
        text = str(value).strip().lower()
        if not _NAME.fullmatch(text):
            self.fail(
                f"{value!r} names no record: it takes PARTITION@OFFSET, or at least the first {PREFIX_CHARS_MIN} "
                "characters of an id (0-9, a-f)",
                param,
                ctx,
            )
        return "@".join(str(int(part)) for part in text.split("@")) if "@" in text else text


def place_text(held: "DeadLetter") -> str:
    """`PARTITION@OFFSET`."""
    return f"{held.place[0]}@{held.place[1]}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What names mean: places and whole ids. `absent` are those that mean nothing that is there."""

    places: frozenset[str]
    ids: frozenset[str]
    absent: tuple[str, ...]

    def means(self, held: "DeadLetter") -> bool:
        """Whether a record is meant."""
        return held.returned.id in self.ids or place_text(held) in self.places


async def choose(names: Sequence[str], records: "AsyncIterator[DeadLetter]") -> Chosen:
    """Look the names up. Raises click.UsageError when one is the beginning of several ids."""
    prefixes = [name for name in names if "@" not in name]
    found: dict[str, set[str]] = {name: set() for name in names}
    async for held in records:
        if (place := place_text(held)) in found:
            found[place].add(place)
        for prefix in prefixes:
            if held.returned.id.lower().startswith(prefix):
                found[prefix].add(held.returned.id)
    for prefix in prefixes:
        if len(found[prefix]) > 1:
            raise click.UsageError(
                f"{prefix} is the beginning of {len(found[prefix])} ids: name more of it, or a place"
            )
    return Chosen(
        frozenset(name for name in names if "@" in name),
        frozenset(whole for prefix in prefixes for whole in found[prefix]),
        tuple(name for name in dict.fromkeys(names) if not found[name]),
    )
