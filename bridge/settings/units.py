"""Durations, sizes, rates, addresses and moments as people write them: `250ms`, `30d`, `1MiB`, `100/s`, `:8080`.

Pure: text in, numbers out. Each parser raises ValueError with what was expected; each formatter writes text that its
parser reads back to the same number.
"""

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_BYTES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_BYTES |= {"kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SECONDS_MAX = 3650 * 86400  # ten years: above it a typing error, and a trap for every timer
_BYTES_MAX = 1 << 50

# [0-9], not \d: \d also takes the digits of other scripts.
_DURATION_PATTERN = r"^([0-9]{1,12}(?:\.[0-9]{1,40})?)\s*(ms|s|m|h|d)$|^0$"
_SIZE_PATTERN = r"^([0-9]{1,16}(?:\.[0-9]{1,40})?)\s*(B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)?$"
_RATE_PATTERN = r"^([0-9]{1,12}(?:\.[0-9]{1,40})?)/(s|m|h)$"
_ADDRESS_PATTERN = r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/]*):[0-9]{1,5}$"


def parse_duration(value: Any) -> float:
    """`250ms`, `3s`, `5m`, `24h`, `30d` or `0` → seconds. A float is taken as seconds: a default, or a copy."""
    if isinstance(value, float):
        return value
    if value == 0 and not isinstance(value, bool):
        return 0.0
    if isinstance(value, str) and (found := re.match(_DURATION_PATTERN, value.strip())):
        if (seconds := Decimal(found[1] or 0) * _SECONDS[found[2] or "s"]) <= _SECONDS_MAX:
            return float(seconds)
        raise ValueError("expected a duration of ten years (3650d) at the most")
    raise ValueError("expected a duration with its unit, such as 250ms, 3s, 5m, 24h or 30d")


def format_duration(seconds: float) -> str:
    """Seconds → the shortest text that `parse_duration` reads back."""
    if seconds == 0:
        return "0"
    exact = Decimal(repr(float(seconds)))
    for unit in ("d", "h", "m", "s"):
        if exact >= _SECONDS[unit] and exact % _SECONDS[unit] == 0:
            return f"{_plain(exact / _SECONDS[unit])}{unit}"
    return f"{_plain(exact * 1000)}ms"


def parse_size(value: Any) -> int:
    """`1MiB`, `500kB`, `1048576` → bytes. Fractions of a byte are cut off."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _BYTES_MAX:
        return value
    if isinstance(value, str) and (found := re.match(_SIZE_PATTERN, value.strip())):
        if (size_bytes := Decimal(found[1]) * _BYTES[found[2] or ""]) <= _BYTES_MAX:
            return int(size_bytes)
        raise ValueError("expected a size of 1024TiB at the most")
    raise ValueError("expected a size, such as 64KiB, 1MiB, 2GiB or a number of bytes")


def format_size(size_bytes: int) -> str:
    """Bytes → the shortest text that `parse_size` reads back."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _BYTES[unit] == 0:
            return f"{size_bytes // _BYTES[unit]}{unit}"
    return str(size_bytes)


def parse_rate(value: Any) -> float:
    """`100/s`, `600/m`, `1000/h` → requests per second. A float is taken as it is: a default, or a copy."""
    if isinstance(value, float):
        return value
    if isinstance(value, str) and (found := re.match(_RATE_PATTERN, value.strip())):
        rate = float(Decimal(found[1]) / _SECONDS[found[2]])
        if rate > 0:
            return rate
    raise ValueError("expected a rate above zero, such as 100/s, 600/m or 1000/h")


class Address(NamedTuple):
    """Where a server listens. `host` "" is every interface; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(value: Any) -> Address:
    """`0.0.0.0:8080`, `:8080`, `[::1]:8080` → host and port."""
    if isinstance(value, Address):
        return value
    if isinstance(value, str) and re.match(_ADDRESS_PATTERN, value.strip()):
        host, port = value.strip().rsplit(":", 1)
        if int(port) <= 65535:
            return Address(host.strip("[]"), int(port))
    raise ValueError("expected host:port, such as 0.0.0.0:8080, or :8080 for IPv4 and IPv6")


def parse_moment(value: Any) -> dt.datetime | dt.date:
    """`2026-12-31` → that date; `2026-12-31T18:00:00Z` → that moment, UTC where it names no zone.

    There is no hour 24: Python 3.14 would take 24:00 for the next midnight, older ones refuse it.
    """
    if isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\Z|[T ](?!24))", value):
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


def _plain(number: Decimal) -> str:
    """A decimal without exponent and without zeros at the end of its fraction."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is, in a word for people: a mark on types that documentation and errors read."""

    name: str


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "integer"], "pattern": pattern, "examples": [example]})


Duration = Annotated[
    float,
    Kind("duration"),
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    _text(_DURATION_PATTERN, "30s"),
]
Size = Annotated[
    int, Kind("size"), BeforeValidator(parse_size), PlainSerializer(format_size), _text(_SIZE_PATTERN, "1MiB")
]
Rate = Annotated[float, Kind("rate"), BeforeValidator(parse_rate), _text(_RATE_PATTERN, "100/s")]
ListenAddress = Annotated[
    Address,
    Kind("host:port"),
    BeforeValidator(parse_address),
    PlainSerializer(str),
    _text(_ADDRESS_PATTERN, "0.0.0.0:8080"),
]
