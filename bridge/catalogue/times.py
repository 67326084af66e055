"""Times as Treble writes them → RFC 3339 in UTC with six decimals and `Z`, so that they sort as texts.

Flow webhooks send `2021-06-22 15:19:06.473256` without a zone, global ones ISO 8601 with `Z`. Also read: an offset,
with or without a Z behind it, `T` or a space, no seconds, a comma, any decimals (more than six are cut), and UNIX time
in seconds, ms or µs, if it is in this century: other numbers are something else, such as a date without its marks
(20210622151908). 24:00 is the next midnight and second 60 the next second, both noted.

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
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s?(Z|UTC|GMT)?(?:\s?([+-])(\d\d):?(\d\d)?)?\s?(Z|UTC|GMT)?",
    re.ASCII | re.IGNORECASE,
)
_YEAR_2000_S, _YEAR_2100_S = 946_684_800, 4_102_444_800
# A UNIX time's unit is known by its size: those of this century in seconds, in ms and in µs lie far apart.
_EPOCH_PER_SECOND = (1, 10**3, 10**6)
_EPOCH_FORM = re.compile(r"(\d{1,17})(?:[.,](\d+))?", re.ASCII)
_EXPONENT_FORM = re.compile(r"\d\.\d{1,17}[eE]\+?\d\d?", re.ASCII)
_MARKS = frozenset(("-- ::", "--T::"))
# How languages and databases write that there is no time: nothing but zeros, a number below zero, a date before 2000
# (year 1, 1900, 1970), a word.
_NOTHING = re.compile(
    r"[-+0.:/ TZ]*|-\d+(?:\.\d+)?|-?[01]\d{3}-\d\d-\d\d(?:[T ].*)?|\d\d?/\d\d?/[01]\d{3}(?: .*)?"
    r"|<?nil>?|\(?null\)?|none|undefined|na[nt]|n/a|false|invalid date|-?infinity",
    re.ASCII | re.IGNORECASE,
)


def proves_nothing(value: Any) -> bool:
    """Whether a value says that there is no time, or no value at all."""
    if isinstance(value, str):
        return _NOTHING.fullmatch(value.strip()) is not None
    return not value or (isinstance(value, int | float) and value <= 0)


def time_reader(label: str) -> Callable[[Any, Reading], str | None]:
    """The function that reads the field `label` names; it returns None when it can't, and notes that."""
    from_iso = dt.datetime.fromisoformat

    def read(value: Any, reading: Reading) -> str | None:
        # The five marks of a date and time, by one slice. Python 3.14 reads hour 24, older ones don't: that is below.
        if type(value) is str and value[4:17:3] in _MARKS and value[0] == "2" and value[11:13] != "24":
            bare = value.removesuffix("Z")
            size = len(bare)
            if size == 19 or (size in (23, 26) and bare[19] == "."):
                try:
                    moment = from_iso(bare)
                    if moment.tzinfo is None:
                        if reading.zone is not None and size == len(value):
                            moment = _placed(moment, label, reading).astimezone(dt.UTC).replace(tzinfo=None)
                        return moment.isoformat("T", "microseconds") + "Z"
                except (ValueError, OverflowError):
                    pass
        return _read_unusual(value, label, reading)

    return read


def _read_unusual(value: Any, label: str, reading: Reading) -> str | None:
    if proves_nothing(value):
        reading.note(f"empty:{label}")
        return None
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, int | float) and value < _YEAR_2100_S * 10**6:
        text = str(value)
    moment = _read_epoch(text)
    if moment is not None:
        reading.note(f"{label}_was_epoch")
    elif (moment := _read_text(text, label, reading)) is None:
        reading.note(f"unreadable:{label}")
        return None
    return _written(moment)


def _read_text(value: str, label: str, reading: Reading) -> dt.datetime | None:
    form = _FORM.fullmatch(value)
    if form is None:
        return None
    date, hour, minute, second, decimals, before, sign, hours, rest, behind = form.groups()
    is_midnight, is_leap = hour == "24", second == "60"
    if is_midnight and f"{minute}{second or ''}{decimals or ''}".strip("0"):
        return None  # no day has another time of that hour
    clock = f"{'00' if is_midnight else hour}:{minute}:{'59' if is_leap else second or '00'}.{(decimals or '')[:6]:0<6}"
    try:
        moment = dt.datetime.fromisoformat(f"{date}T{clock}") + dt.timedelta(days=is_midnight, seconds=is_leap)
        if sign:
            offset = dt.timedelta(hours=int(hours), minutes=int(rest or 0))
            moment = moment.replace(tzinfo=dt.timezone(-offset if sign == "-" else offset))
            if behind and offset:
                reading.note(f"time_offset_and_z:{label}")
        elif before or behind:
            moment = moment.replace(tzinfo=dt.UTC)
        else:
            moment = _placed(moment, label, reading)
        utc = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    if is_midnight or is_leap:
        reading.note(f"time_24:{label}" if is_midnight else f"time_60:{label}")
    return utc


def _placed(naive: dt.datetime, label: str, reading: Reading) -> dt.datetime:
    """A time without a zone, in the reading's zone."""
    if reading.zone is None:
        return naive.replace(tzinfo=dt.UTC)
    first = naive.replace(tzinfo=reading.zone, fold=0)
    if first.utcoffset() != first.replace(fold=1).utcoffset():
        there_and_back = first.astimezone(dt.UTC).astimezone(reading.zone).replace(tzinfo=None)
        reading.note(f"time_twice:{label}" if there_and_back == naive else f"time_skipped:{label}")
    return first


def _read_epoch(text: str) -> dt.datetime | None:
    """UNIX time, as it is written: a fraction is cut, not rounded."""
    if _EXPONENT_FORM.fullmatch(text):
        text = repr(float(text))
    form = _EPOCH_FORM.fullmatch(text)
    if form is None:
        return None
    number, decimals = int(form[1]), int(f"{(form[2] or '')[:6]:0<6}")
    for per_second in _EPOCH_PER_SECOND:
        if _YEAR_2000_S * per_second <= number < _YEAR_2100_S * per_second:
            return _EPOCH + dt.timedelta(microseconds=(number * 10**6 + decimals) // per_second)
    return None


def _written(utc: dt.datetime) -> str:
    return utc.isoformat("T", "microseconds")[:26] + "Z"


@lru_cache(maxsize=256)  # under load, many entries arrive in the same millisecond: its text is made once
def utc_text(moment_ms: int) -> str:
    """Milliseconds since the epoch → RFC 3339 in UTC, as all times are written."""
    return _written(_EPOCH + dt.timedelta(milliseconds=moment_ms))


def utc_ms(text: str) -> int | None:
    """RFC 3339 → milliseconds since the epoch: the way back from `utc_text`. None for what is no such time."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else (moment - _EPOCH) // dt.timedelta(milliseconds=1)
