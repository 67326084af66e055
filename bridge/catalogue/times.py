"""Times as Treble writes them → RFC 3339 in UTC with `Z`, as precise as they were sent, and no more.

Flow webhooks send `2021-06-22 15:19:06.473256` without a zone, global ones ISO 8601 with `Z`. Also read: an offset,
`T` or a space, no seconds, a comma, up to 9 decimals (more are cut), and UNIX time in seconds, ms or µs, if it is in
this century: other numbers are something else, such as a date without its marks (20210622151908). 24:00 is the next
midnight, and noted.

A time without a zone that its zone has twice (clocks put back) is taken as the first of the two; one that its zone
never had (clocks put forward) as if the clocks had not moved yet. Both are noted.
"""

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from bridge.catalogue.reading import Reading

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s?(?:([Zz]|UTC|GMT)|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)
_DECIMALS_MAX = 9
_YEAR_2000_S, _YEAR_2100_S = 946_684_800, 4_102_444_800
# A UNIX time's unit is known by its size: those of this century in seconds, in ms and in µs lie far apart.
_EPOCH_UNITS = ((1, 10**6, 0), (10**3, 10**3, 3), (10**6, 1, 6))
_MARKS = frozenset(("-- ::", "--T::"))
_ZULU_SIZES = frozenset((20, 24, 27))


def time_reader(label: str) -> Callable[[Any, Reading], str | None]:
    """The function that reads the field `label` names; it returns None when it can't, and notes that."""
    from_iso = dt.datetime.fromisoformat

    def read(value: Any, reading: Reading) -> str | None:
        # The five marks of a date and time, by one slice. Python 3.14 reads hour 24, older ones don't: that is below.
        if type(value) is str and value[4:17:3] in _MARKS and value[11:13] != "24":
            size = len(value)
            try:
                if size == 19 or (size == 26 and value[19] == "."):
                    moment = from_iso(value)
                    if moment.tzinfo is None:
                        if reading.zone is None:
                            return f"{value[:10]}T{value[11:]}Z"
                        utc = _placed(moment, label, reading).astimezone(dt.UTC)
                        return f"{utc.isoformat()[:19]}{value[19:]}Z"
                elif size in _ZULU_SIZES and value[-1] == "Z" and value[19] in ".Z":
                    from_iso(value)
                    return f"{value[:10]}T{value[11:]}"
            except (ValueError, OverflowError):
                pass
        return _read_unusual(value, label, reading)

    return read


def _read_unusual(value: Any, label: str, reading: Reading) -> str | None:
    text: str | None = None
    if isinstance(value, str):
        if not value.strip():
            reading.note(f"empty:{label}")
            return None
        number = value.strip()
        if number.isascii() and number.isdecimal() and len(number) <= 17:
            value = int(number)
        else:
            text = _read_text(number, label, reading)
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = _read_epoch(value)
        if text is not None:
            reading.note(f"{label}_was_epoch")
    if text is None:
        reading.note(f"unreadable:{label}")
    return text


def _read_text(value: str, label: str, reading: Reading) -> str | None:
    form = _FORM.fullmatch(value)
    if form is None:
        return None
    date, minutes, seconds, decimals, zulu, sign, hours, rest = form.groups()
    try:
        if minutes.startswith("24"):
            moment = _next_midnight(date, f"{minutes}:{seconds or '00'}.{decimals or '0'}")
        else:
            moment = dt.datetime.fromisoformat(f"{date}T{minutes}:{seconds or '00'}")
        if zulu:
            moment = moment.replace(tzinfo=dt.UTC)
        elif sign:
            offset = dt.timedelta(hours=int(hours), minutes=int(rest or 0))
            moment = moment.replace(tzinfo=dt.timezone(-offset if sign == "-" else offset))
        else:
            moment = _placed(moment, label, reading)
        utc = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    if minutes.startswith("24"):
        reading.note(f"time_24:{label}")
    fraction = f".{decimals[:_DECIMALS_MAX]}" if decimals else ""
    return f"{utc.isoformat()[:19]}{fraction}Z"


def _next_midnight(date: str, time: str) -> dt.datetime:
    """What 24:00 of a day is. ValueError for another time of that hour, which no day has."""
    if time.strip("0") != "24:00:00.".strip("0"):
        raise ValueError(time)
    return dt.datetime.fromisoformat(date) + dt.timedelta(days=1)


def _placed(naive: dt.datetime, label: str, reading: Reading) -> dt.datetime:
    """A time without a zone, in the reading's zone."""
    if reading.zone is None:
        return naive.replace(tzinfo=dt.UTC)
    first = naive.replace(tzinfo=reading.zone, fold=0)
    if first.utcoffset() != first.replace(fold=1).utcoffset():
        there_and_back = first.astimezone(dt.UTC).astimezone(reading.zone).replace(tzinfo=None)
        reading.note(f"time_twice:{label}" if there_and_back == naive else f"time_skipped:{label}")
    return first


def _read_epoch(value: float) -> str | None:
    for per_second, scale, decimals in _EPOCH_UNITS:
        if _YEAR_2000_S * per_second <= value < _YEAR_2100_S * per_second:
            whole = isinstance(value, int) or value.is_integer()
            moment = _EPOCH + dt.timedelta(microseconds=round(value * scale))
            text = moment.isoformat()
            shown = decimals if whole else max(decimals, 6)
            return f"{text[:19]}.{moment.microsecond:06d}"[: 20 + shown if shown else 19] + "Z"
    return None


@lru_cache(maxsize=256)  # under load, many entries arrive in the same millisecond: its text is made once
def utc_text(moment_ms: int) -> str:
    """Milliseconds since the epoch → RFC 3339 in UTC, with three decimals."""
    moment = _EPOCH + dt.timedelta(milliseconds=moment_ms)
    return f"{moment.isoformat()[:19]}.{moment_ms % 1000:03d}Z"


def utc_ms(text: str) -> int | None:
    """RFC 3339 → milliseconds since the epoch: the way back from `utc_text`. None for what is no such time."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else (moment - _EPOCH) // dt.timedelta(milliseconds=1)
