"""Whether one schema only adds to another: what old consumers read in new events, and new ones in old events."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

WORDS = {"title", "description"}
"""For people: they may be said better."""


def breaks(old: Schema, new: Schema, at: str = "") -> Iterator[str]:
    """Where `new` does more than add a property, or a value to those that were seen."""
    for keyword in sorted({*old, *new} - WORDS):
        there, here = old.get(keyword), new.get(keyword)
        if keyword == "properties":
            yield from _properties(there or {}, here or {}, at)
        elif keyword == "examples":
            gone = [value for value in there or () if value not in (here or ())]
            yield from (f"{at or 'event'}: the value {value} is gone" for value in gone)
        elif keyword == "required":
            yield from (f"{at or 'event'}: {name} is required now" for name in here or () if name not in (there or ()))
            yield from (
                f"{at or 'event'}: {name} may be absent now" for name in there or () if name not in (here or ())
            )
        elif isinstance(there, dict) and isinstance(here, dict):
            yield from breaks(there, here, f"{at}[]")
        elif _are_schemas(there, here):
            for number, (before, after) in enumerate(zip(there or (), here or (), strict=True)):
                yield from breaks(before, after, f"{at}({number})")
        elif there != here:
            yield f"{at or 'event'}: {keyword} was {there} and is {here}"


def _properties(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for name, schema in old.items():
        path = f"{at}.{name}".lstrip(".")
        if name in new:
            yield from breaks(schema, new[name], path)
        else:
            yield f"{path} is gone"


def _are_schemas(there: Any, here: Any) -> bool:
    """Whether both are lists of as many schemas."""
    if not (isinstance(there, list) and isinstance(here, list) and len(there) == len(here)):
        return False
    return all(isinstance(item, dict) for item in [*there, *here])
