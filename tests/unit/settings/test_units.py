"""Durations, sizes, rates and addresses read and write the same numbers."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.settings import units

NUMBER = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,6})?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("3s", 3.0),
        ("1.5s", 1.5),
        ("5m", 300.0),
        ("24h", 86400.0),
        ("30d", 2592000.0),
        ("0", 0.0),
        ("0.3ms", 0.0003),
        (" 3 s ", 3.0),
        (0, 0.0),
        (2.5, 2.5),
    ],
)
def test_a_duration_is_a_number_with_its_unit(text: object, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["3", "3 sec", "-3s", "s", "", "1e3s", "٣s", "3s\n4s", True, None, 5, [1], "99999999d"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        units.parse_duration(text)


@settings(deadline=None)  # the machine may be busy
@given(NUMBER, st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_every_duration_is_written_so_that_it_reads_back(number: str, unit: str) -> None:
    if unit == "d":
        number = number[:3]
    seconds = units.parse_duration(number.rstrip(".") + unit)
    assert units.parse_duration(units.format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("1MiB", 1 << 20), ("1.5KiB", 1536), ("500kB", 500_000), ("17", 17), (17, 17), ("1 GiB", 1 << 30), ("1.9B", 1)],
)
def test_a_size_is_a_number_of_bytes_with_or_without_a_unit(text: object, size_bytes: int) -> None:
    assert units.parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["1Mi", "1 mb", "-1", "", "1MiB/s", True, 1.5, -1, None, "99999999TiB", "1,5MiB"])
def test_what_is_no_size_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        units.parse_size(text)


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 1 << 50))
def test_every_size_is_written_so_that_it_reads_back(size_bytes: int) -> None:
    assert units.parse_size(units.format_size(size_bytes)) == size_bytes


@pytest.mark.parametrize(("text", "per_second"), [("100/s", 100.0), ("600/m", 10.0), ("900/h", 0.25), (2.5, 2.5)])
def test_a_rate_is_a_number_in_a_time(text: object, per_second: float) -> None:
    assert units.parse_rate(text) == per_second


@pytest.mark.parametrize("text", ["0/s", "5", "5/d", "-5/s", "", None])
def test_what_is_no_rate_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        units.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:8080", "0.0.0.0", 8080),
        (":80", "", 80),
        ("[::1]:0", "::1", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_an_address_reads_and_writes_itself(text: str, host: str, port: int) -> None:
    address = units.parse_address(text)
    assert address == units.Address(host, port)
    assert str(address) == text


@pytest.mark.parametrize("text", ["8080", "host", "a:b", "::1:80", "host:70000", "http://a:1", None, 8080])
def test_what_is_no_address_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="expected host:port"):
        units.parse_address(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-31", dt.date(2026, 12, 31)),
        ("2026-12-31T18:00:00Z", dt.datetime(2026, 12, 31, 18, tzinfo=dt.UTC)),
        ("2026-12-31 18:00", dt.datetime(2026, 12, 31, 18, tzinfo=dt.UTC)),
        ("9999-12-31", dt.date(9998, 12, 31)),
    ],
)
def test_a_moment_is_a_date_or_a_time_in_utc(text: str, moment: dt.date) -> None:
    assert units.parse_moment(text) == moment


@pytest.mark.parametrize("text", ["2026-12-31T24:00:00Z", "2026-12-31 24:00", "20261231", "2026-12-32", "soon", 5])
def test_what_is_no_moment_is_refused_by_every_python(text: object) -> None:
    with pytest.raises(ValueError, match="expected a date"):
        units.parse_moment(text)
