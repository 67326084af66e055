"""What differs between two configurations, and what of it a running bridge can take. Pure."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.errors import ConfigError
from bridge.settings.models import Server, Settings, misrouted
from bridge.settings.section import Loc, Section, below, path_text, walk
from bridge.settings.sources import secrets_of

RELOADABLE: frozenset[Loc] = frozenset(
    {
        *(("server", key) for key in Server.model_fields if key not in {"listen", "tls"}),
        ("kafka", "bootstrap_servers"),
        ("kafka", "security"),
        ("sources",),
        ("topics",),
        ("events",),
        ("duplicates",),
        ("privacy",),
        ("log", "level"),
    }
)
"""Sections, and keys of sections, that a running bridge takes, with all below them."""

_ROUNDS = 20_000  # some milliseconds once a load: a weak secret must not be guessed from what /status shows


@dataclass(frozen=True, slots=True)
class Changes:
    """Key paths that differ: those that take effect at once, and those that wait for a restart."""

    reloadable: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.reloadable or self.restart)


def changes(old: Settings, new: Settings) -> Changes:
    """What differs, by effective values: a default that is written out is no difference. Paths only, no values."""
    found = list(_differences(old, new, ()))
    return Changes(
        tuple(path_text(loc) for loc in found if is_reloadable(loc)),
        tuple(path_text(loc) for loc in found if not is_reloadable(loc)),
    )


def is_reloadable(loc: Loc) -> bool:
    """Whether a running bridge takes a change at this key path."""
    return any(loc[:depth] in RELOADABLE for depth in (1, 2))


def merged(running: Settings, new: Settings, event_types: Collection[str]) -> Settings:
    """`new`, except that what needs a restart stays as it runs. `event_types` are the catalogue's names.

    Raises ConfigError when the two don't go together, such as a topic that is only free after the restart.
    """
    values = {}
    for name in Settings.model_fields:
        mine, theirs = getattr(running, name), getattr(new, name)
        if (name,) in RELOADABLE:
            values[name] = theirs
        else:
            taken = [key for key in type(mine).model_fields if (name, key) in RELOADABLE]
            values[name] = mine.model_copy(update={key: getattr(theirs, key) for key in taken})
    together = running.model_copy(update=values)
    found = [  # as if each section had been validated again: `model_copy` doesn't
        problem
        for at, section in walk(together)
        if isinstance(section, Section)
        for problem in below(at, section.contradictions())
    ]
    found += misrouted(together, event_types)
    if found:
        problems = "; ".join(f"{path_text(loc)}: {message}" for loc, message in found)
        raise ConfigError(f"not possible without a restart: {problems}")
    return together


def config_hash(settings: Settings) -> str:
    """16 hex digits over the effective configuration, defaults included.

    Equal settings have equal digests in every process. A changed secret changes it, and only through a slow key
    derivation over all secrets together, salted with the rest of the configuration.
    """
    shown = json.dumps(settings.model_dump(mode="json"), sort_keys=True, default=str).encode()
    salt = hashlib.sha256(shown).digest()
    hidden = json.dumps(sorted([str(at), secret] for at, secret in secrets_of(settings))).encode()
    return hashlib.pbkdf2_hmac("sha256", hidden, salt, _ROUNDS).hex()[:16]


def _differences(old: Any, new: Any, at: Loc) -> Iterator[Loc]:
    if old == new:
        return
    if isinstance(old, Section) and type(old) is type(new):
        for name in type(old).model_fields:
            yield from _differences(getattr(old, name), getattr(new, name), (*at, name))
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            if key in old and key in new:
                yield from _differences(old[key], new[key], (*at, key))
            else:
                yield (*at, key)
    elif type(old) is tuple and type(new) is tuple and len(old) == len(new):  # an address is one value
        for index, (mine, theirs) in enumerate(zip(old, new, strict=True)):
            yield from _differences(mine, theirs, (*at, index))
    else:
        yield at
