"""What commands print: text for people on a terminal, JSON for programs; phone numbers masked unless asked for."""

import asyncio
import datetime as dt
import logging
import sys
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table

from bridge.telemetry.redact import HIDDEN, mask_phone, mask_phones

if TYPE_CHECKING:
    from bridge.kafka.consumer import Incoming

T = TypeVar("T")

PIPE_COLUMNS: Final = 1000
"""A table in a pipe is as wide as it must be: `grep` wants a row in a line."""

_NAMES: Final = frozenset({"bsuid", "parent_bsuid", "business_scope_id", "user_id", "username"})
_PHONES: Final = frozenset({"phone", "phones", "cellphone", "national_number", "phone_variants", "wa_id"})
# Ids look like phone numbers to a pattern, and without them an event can't be found again.
_IDS: Final = frozenset({"id", "event_id", "session_id", "flow_id", "external_id", "entry_id", "journal_id", "poll_id"})
_ID_HEADERS: Final = frozenset({"ce_id", "traceparent"})
_PHONE_DIGITS_MIN: Final = 8


def console() -> Console:
    """A console that colours on a terminal only, and wraps nothing in a pipe."""
    terminal = sys.stdout.isatty()
    width = None if terminal else PIPE_COLUMNS
    return Console(width=width, soft_wrap=not terminal, highlight=False, emoji=False)


def print_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = (), wrap: bool = False
) -> None:
    """Rows in columns; `right` are the titles of numbers. With `wrap` all columns but the first may break lines."""
    table = Table(box=None, pad_edge=False)
    for title in titles:
        keep_whole = not wrap or title == titles[0]
        table.add_column(title, no_wrap=keep_whole, justify="right" if title in right else "left")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def print_json(value: Any) -> None:
    """One line of JSON on stdout."""
    click.echo(orjson.dumps(value, default=str))


def print_result(value: Any, text: str, *, as_json: bool) -> None:
    """What a command found out: `value` for programs, `text` for people."""
    print_json(value) if as_json else click.echo(text)


def print_bytes(body: bytes) -> None:
    """A body as it came, on stdout."""
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def note(text: str) -> None:
    """A remark for people, beside the output: on stderr."""
    click.echo(text, err=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine. Libraries stay silent: what they would log is said by our own errors."""
    logging.getLogger().addHandler(logging.NullHandler())
    return asyncio.run(work)


def masked(value: Any, name: str = "") -> Any:
    """Decoded JSON without phone numbers: known fields wholly, other text where it looks like one; ids are kept."""
    if isinstance(value, Mapping):
        return {mask_phones(str(key)): masked(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, name) for item in value]
    if value is None or isinstance(value, bool) or name in _IDS:
        return value
    if name in _PHONES or name in _NAMES:
        return HIDDEN if name in _NAMES else mask_phone(str(value))
    if isinstance(value, int) and abs(value) >= 10 ** (_PHONE_DIGITS_MIN - 1):
        return mask_phone(str(value))
    return mask_phones(value) if isinstance(value, str) else value


def record_as_json(record: "Incoming", *, unmasked: bool = False, raw: bool = False) -> dict[str, Any]:
    """A record of Kafka as it is shown: decoded, without the body that Treble sent unless `raw`, and masked."""
    value, key = record.decoded, record.key
    if not raw and isinstance(value, Mapping):
        value = {name: item for name, item in value.items() if name != "raw"}
    ids = {value.get("session_id"), value.get("id")} if isinstance(value, Mapping) else set()
    headers = {
        name: text if name in _ID_HEADERS or text in ids else masked(text) for name, text in record.headers.items()
    }
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": key if unmasked or key in ids else masked(key),
        "headers": dict(record.headers) if unmasked else headers,
        "value": value if unmasked else masked(value),
    }


def time_text(at_ms: int) -> str:
    """RFC 3339 in UTC; the bare number when it is out of every calendar."""
    try:
        return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"
