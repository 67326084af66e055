"""Options that several commands share, and the configuration that they name."""

import datetime as dt
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from bridge.settings.models import Kafka, Settings

F = TypeVar("F", bound=Callable[..., Any])

_URL: Final = re.compile(r"[A-Za-z]+://[A-Za-z0-9.:_\[\]-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
CONFIG_VARIABLE = "TREBLE_BRIDGE_CONFIG"

ID_MAX: Final = (1 << 63) - 1
"""The largest id that an entry can have, and the largest number that the journal can look for."""

ENTRY_ID: Final = click.IntRange(1, ID_MAX)
COUNT: Final = click.IntRange(1, 1_000_000_000)
LIMIT: Final = click.IntRange(0, 1_000_000_000)
"""As COUNT; 0 is without limit."""


def config_option(*, required: bool = True, loaded: bool = True) -> Callable[[F], F]:
    """`--config FILE`, or TREBLE_BRIDGE_CONFIG: handed over as `settings`, or not `loaded`, as the path `config`."""
    return click.option(
        "-c",
        "--config",
        "settings" if loaded else "config",
        type=Parsed("file", lambda text: (load_configuration if loaded else Path)(Path(text).expanduser())),
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        required=required,
        help="The configuration.",
    )


json_option: Callable[[F], F] = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """What a parser makes of the text; its ValueError says what was expected."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


TEXT: Final = Parsed("text", lambda text: os.fsencode(text).decode())
"""UTF-8 whatever the locale is. What is not UTF-8 is refused."""


def _as_configured(name: str) -> Parsed:
    """As in the configuration, whose parsers load pydantic: not for --help, and not for `health`."""

    def parse(text: str) -> Any:
        from bridge.settings import units  # noqa: PLC0415 - see above

        return getattr(units, f"parse_{name}")(text)

    return Parsed(name, parse)


def _web_url(text: str) -> str:
    """A URL without what would be doubled, lost or misread once a path is put behind it."""
    url = urlsplit(text := text.strip())
    if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0 or not _URL.fullmatch(text):
        raise ValueError("expected a URL such as https://hooks.example.com, without user, query and fragment")
    return f"{url.scheme}://{url.netloc.lower()}{url.path.rstrip('/')}"


URL: Final = Parsed("url", _web_url)
"""`HTTPS://Host:port/path/` → `https://host:port/path`."""
DURATION: Final = _as_configured("duration")
"""`30s` → 30.0 (seconds)."""
RATE: Final = _as_configured("rate")
"""`100/s` → 100.0 (a second)."""
SIZE: Final = _as_configured("size")
"""`2GiB` → 2147483648 (bytes)."""
ADDRESS: Final = _as_configured("address")
"""`host:port` → Address."""


def _moment(text: str) -> int:
    from bridge.settings.units import parse_duration, parse_moment  # noqa: PLC0415 - as above

    try:
        return now_ms() - int(parse_duration(text) * 1000)
    except ValueError:
        pass
    try:
        moment = parse_moment(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time (2026-06-22T15:00:00Z) and no duration (2h)") from None
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.combine(moment, dt.time(), dt.UTC)
    return int(moment.timestamp() * 1000)


MOMENT: Final = Parsed("time", _moment)
"""A time (RFC 3339, UTC without an offset), or a duration back from now → ms since the epoch."""


def _bound(text: str) -> dict[str, int]:
    if not (text.isdecimal() and text.isascii()):
        return {"time": _moment(text)}
    if len(text) > len(str(ID_MAX)) or int(text) > ID_MAX:
        raise ValueError(f"{text[:20]!r} is no id: the largest is {ID_MAX}")
    return {"id": int(text)}


BOUND: Final = Parsed("id or time", _bound)
"""An entry's id, or a time as MOMENT → `{"id": 17}` or `{"time": ms}`."""


class JournalPath(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A journal's folder; the database inside it names the same. With `empty` there may be no journal in it.

    Raises JournalUnusableError when this user may not look into the folder: there may be a journal.
    """

    name = "path"

    def __init__(self, *, empty: bool = False) -> None:
        self._empty = empty

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        from bridge.journal.lock import find_journal  # noqa: PLC0415 - not for --help
        from bridge.journal.schema import DATABASE  # noqa: PLC0415

        path = Path(value).expanduser()
        folder = path.parent if path.name == DATABASE else path
        if not find_journal(folder) and not (self._empty and folder.is_dir()):
            missing = f"folder {folder}" if self._empty else f"journal in {folder}: it has no file {DATABASE}"
            self.fail(f"there is no {missing}", param, ctx)
        return folder


journal_argument = click.argument("path", type=JournalPath())
source_option = click.option("--source", metavar="NAME", help="Only what this source took.")


def _known_hint(text: str) -> str:
    from bridge.catalogue import HINTS  # noqa: PLC0415 - not for --help

    hint = text.strip().lower()
    if hint not in HINTS:
        raise ValueError(f"{text!r} is no hint: expected one of {', '.join(HINTS)}")
    return hint


HINT: Final = Parsed("hint", _known_hint)
"""A hint of the catalogue, which stands in place of that of an entry's URL."""


def told_by(event_type: str | None, hint: str) -> str:
    """The type of an event that was read under `hint`, and what told it where that is not the hint."""
    from bridge.catalogue import HINTS  # noqa: PLC0415 - as above

    return HINTS[hint] if event_type == HINTS[hint] else f"{event_type}: its body tells that, whatever the hint"


hint_option = click.option("--hint", metavar="HINT", help="Only entries whose URL ended so; '' is the bare path.")
since_option = click.option(
    "--since", type=MOMENT, help="Only what was received since then (2026-06-22T15:00:00Z, or 2h ago: 2h)."
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def parse_header(text: str) -> tuple[str, str]:
    """`Name: value`. Raises click.UsageError."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(ord(character) < 32 for character in text):
        raise click.UsageError("--header: expected 'Name: value'")
    return name.strip(), value.strip()


def kafka_at(address: str) -> "Kafka":
    """The settings of a broker without security, given by --kafka."""
    from pydantic import ValidationError  # noqa: PLC0415 - not for --help

    from bridge.settings.models import Kafka  # noqa: PLC0415

    try:
        return Kafka.model_validate({"bootstrap_servers": address})
    except ValidationError:
        raise click.UsageError(f"--kafka {address}: expected host:port") from None


def load_configuration(path: Path) -> "Settings":
    """The configuration at `path`; its warnings go to stderr. Raises ConfigError."""
    from bridge.catalogue import TABLE  # noqa: PLC0415 - as above
    from bridge.settings.load import load  # noqa: PLC0415

    loaded = load(path, TABLE.keys())
    for warning in loaded.warnings:
        click.echo(f"treble-bridge: {warning}", err=True)
    return loaded.settings
