"""Times come out as RFC 3339 in UTC with six decimals, so that they sort as texts."""

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.catalogue.reading import Reading
from bridge.catalogue.shapes import TIME_PATTERN
from bridge.catalogue.times import time_reader, utc_ms, utc_text

read = time_reader("read_at")


def read_in(value: object, zone: str = "UTC") -> tuple[str | None, list[str]]:
    reading = Reading(None if zone == "UTC" else ZoneInfo(zone))
    return read(value, reading), reading.notes


@pytest.mark.parametrize(
    ("sent", "out"),
    [
        ("2021-06-22 15:19:08", "2021-06-22T15:19:08.000000Z"),
        ("2021-06-22 15:19:06.473256", "2021-06-22T15:19:06.473256Z"),
        ("2021-06-22T15:19:08", "2021-06-22T15:19:08.000000Z"),
        ("2024-09-10T12:34:56.789Z", "2024-09-10T12:34:56.789000Z"),
        ("2026-05-04T23:03:09.195065Z", "2026-05-04T23:03:09.195065Z"),
        ("2026-05-04T23:03:09.195065123Z", "2026-05-04T23:03:09.195065Z"),
        ("2026-05-04T23:03:09.1950651234567Z", "2026-05-04T23:03:09.195065Z"),
        ("2026-05-04T23:03:09.1Z", "2026-05-04T23:03:09.100000Z"),
        ("2026-05-04T23:03:09Z", "2026-05-04T23:03:09.000000Z"),
        ("2026-05-04 23:03:09z", "2026-05-04T23:03:09.000000Z"),
        ("2026-05-04 23:03:09 UTC", "2026-05-04T23:03:09.000000Z"),
        ("2026-05-04T18:03:09-05:00", "2026-05-04T23:03:09.000000Z"),
        ("2026-05-04T18:03:09.5-0500", "2026-05-04T23:03:09.500000Z"),
        ("2026-05-05 00:03:09+01", "2026-05-04T23:03:09.000000Z"),
        ("2026-05-04 23:03", "2026-05-04T23:03:00.000000Z"),
        ("2026-05-04 23:03:09,125", "2026-05-04T23:03:09.125000Z"),
        ("  2026-05-04 23:03:09 ", "2026-05-04T23:03:09.000000Z"),
        ("2026-05-04T23:03:09.5+00:00Z", "2026-05-04T23:03:09.500000Z"),
        ("2026-05-04 23:03:09+0000Z", "2026-05-04T23:03:09.000000Z"),
        ("2026-05-04T23:03:09-00:00 UTC", "2026-05-04T23:03:09.000000Z"),
        ("2026-05-04 23:03:09.25 +0000 UTC", "2026-05-04T23:03:09.250000Z"),
        ("2026-05-04 18:03:09 GMT-0500", "2026-05-04T23:03:09.000000Z"),
    ],
)
def test_a_time_as_treble_or_a_gateway_writes_it_is_read_without_a_note(sent: str, out: str) -> None:
    assert read_in(sent) == (out, [])


@pytest.mark.parametrize(
    ("sent", "out"),
    [
        (1_624_375_146, "2021-06-22T15:19:06.000000Z"),
        (1_624_375_146_473, "2021-06-22T15:19:06.473000Z"),
        (1_624_375_146_473_256, "2021-06-22T15:19:06.473256Z"),
        (1_624_375_146.473256, "2021-06-22T15:19:06.473256Z"),
        (1_624_375_146.0, "2021-06-22T15:19:06.000000Z"),
        ("1624375146", "2021-06-22T15:19:06.000000Z"),
        ("1624375146.25", "2021-06-22T15:19:06.250000Z"),
        ("1624375146,5", "2021-06-22T15:19:06.500000Z"),
        ("1624375146.4732569999", "2021-06-22T15:19:06.473256Z"),
        ("1624375146473.2569", "2021-06-22T15:19:06.473256Z"),
        ("1624375146473256.9", "2021-06-22T15:19:06.473256Z"),
        ("1.62437514625E9", "2021-06-22T15:19:06.250000Z"),
        ("1624375146." + "0" * 5000, "2021-06-22T15:19:06.000000Z"),
    ],
)
def test_unix_time_in_seconds_or_finer_is_read_and_noted(sent: object, out: str) -> None:
    assert read_in(sent) == (out, ["read_at_was_epoch"])


@pytest.mark.parametrize(
    "sent",
    [
        "yesterday",
        "2021-06-22",
        "15:19:08",
        "2021-13-22 15:19:08",
        "2021-02-30 15:19:08",
        "2021-06-22 25:19:08",
        "2021-06-22 24:00:01",
        "2021-06-22 24:30",
        "2021-06-22T24:00:00+99:00",
        "9999-12-31 24:00:00",
        "2021-06-22 15:19:61",
        "2021-06-22 15:60:00",
        "9999-12-31 23:59:60",
        "2021-06-22x15:19:08",
        "20210622T151908",
        "2021-W25-2T15:19:08",
        "2021-06-22 151908.1",
        "22/06/2021 15:19:08",
        "2021-06-22 15:19:08+99:00",
        "٢٠٢١-06-22 15:19:08",
        "1" * 30,
        "1" * 5000,
        "9" * 5000 + ".5",
        "1.5E99",
        "²",
        7,
        0.5,
        1e300,
        10**18,
        True,
        float("inf"),
        float("nan"),
        {"at": "2021-06-22 15:19:08"},
        ["2021-06-22 15:19:08"],
    ],
)
def test_what_is_no_time_is_unreadable(sent: object) -> None:
    assert read_in(sent) == (None, ["unreadable:read_at"])


@pytest.mark.parametrize(
    ("sent", "out"),
    [
        ("2021-06-30 24:00:00", "2021-07-01T00:00:00.000000Z"),
        ("2021-06-30T24:00Z", "2021-07-01T00:00:00.000000Z"),
        ("2021-06-30 24:00:00.000", "2021-07-01T00:00:00.000000Z"),
        ("2021-12-31T24:00:00-05:00", "2022-01-01T05:00:00.000000Z"),
    ],
)
def test_24_00_is_the_next_midnight_and_noted(sent: str, out: str) -> None:
    assert read_in(sent) == (out, ["time_24:read_at"])


@pytest.mark.parametrize(
    ("sent", "out"),
    [
        ("2016-12-31 23:59:60", "2017-01-01T00:00:00.000000Z"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250000Z"),
        ("2016-12-31T18:59:60-05:00", "2017-01-01T00:00:00.000000Z"),
        ("2021-06-22 15:19:60", "2021-06-22T15:20:00.000000Z"),
    ],
)
def test_second_60_is_the_next_second_and_noted(sent: str, out: str) -> None:
    assert read_in(sent) == (out, ["time_60:read_at"])


def test_an_offset_counts_more_than_a_z_behind_it_and_the_contradiction_is_noted() -> None:
    expected = "2026-05-04T23:03:09.000000Z", ["time_offset_and_z:read_at"]
    assert read_in("2026-05-04T18:03:09-05:00Z", "Asia/Tokyo") == expected


@pytest.mark.parametrize(
    "sent",
    [
        0,
        0.0,
        -1,
        -1_624_375_146,
        -62_135_596_800,
        -(10**400),
        False,
        {},
        [],
        "",
        "  ",
        "0",
        "0.0",
        "-1",
        "-",
        "null",
        "NULL",
        "(null)",
        "<nil>",
        "None",
        "undefined",
        "NaN",
        "NaT",
        "false",
        "Invalid Date",
        "-infinity",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "0000-00-00T00:00:00.000Z",
        "00/00/0000",
        "0001-01-01",
        "0001-01-01 00:00:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01 00:00:00+05:00",
        "01/01/0001 00:00:00",
        "1/1/0001 12:00:00 AM",
        "-0001-11-30T00:00:00+00:00",
        "1899-12-30 00:00:00",
        "1969-12-31 19:00:00",
        "1970-01-01T00:00:00.000Z",
    ],
)
def test_what_languages_print_for_no_time_is_as_if_absent(sent: object) -> None:
    for zone in ("UTC", "Asia/Tokyo"):
        assert read_in(sent, zone) == (None, ["empty:read_at"])


def test_texts_sort_as_the_times_do() -> None:
    sent = ["2026-06-22 15:19:08", "2026-06-22T15:19:08.4Z", "2026-06-22 15:19:08.473256", "2026-06-22T15:19:08.5Z"]
    read_out = [read_in(one)[0] or "" for one in sent]
    assert read_out == sorted(read_out)
    assert len({len(one) for one in read_out}) == 1


@pytest.mark.parametrize("form", ["%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d", "%Y%m%d%H%M%S000", "%Y%m%d%H%M%S000000"])
@pytest.mark.parametrize("as_sent", [int, str])
def test_a_date_without_its_marks_is_no_unix_time(form: str, as_sent: type) -> None:
    sent = dt.datetime(2021, 6, 22, 15, 19, 8).strftime(form)  # noqa: DTZ001 - only its digits count
    assert read_in(as_sent(sent)) == (None, ["unreadable:read_at"])


@pytest.mark.parametrize("per_second", [1, 1000, 1_000_000])
def test_unix_time_is_that_of_this_century(per_second: int) -> None:
    first, end = 946_684_800 * per_second, 4_102_444_800 * per_second
    assert [(read_in(sent)[0] or "")[:10] for sent in (first - 1, first, end - 1, end)] == [
        "",
        "2000-01-01",
        "2099-12-31",
        "",
    ]


def test_an_empty_time_is_absent() -> None:
    assert read_in("") == read_in("  ") == (None, ["empty:read_at"])


def test_a_time_without_a_zone_is_in_the_zone_of_its_source() -> None:
    assert read_in("2021-06-22 15:19:06.473256", "America/Bogota") == ("2021-06-22T20:19:06.473256Z", [])
    assert read_in("2021-06-22 15:19:06.4732561", "America/Bogota") == ("2021-06-22T20:19:06.473256Z", [])
    assert read_in("2021-06-22T15:19:08Z", "America/Bogota") == ("2021-06-22T15:19:08.000000Z", [])


def test_a_time_that_was_there_twice_is_the_first_of_the_two_and_noted() -> None:
    assert read_in("2026-10-25 02:30:00", "Europe/Madrid") == ("2026-10-25T00:30:00.000000Z", ["time_twice:read_at"])


def test_a_time_that_never_was_is_taken_with_the_old_offset_and_noted() -> None:
    assert read_in("2026-03-29 02:30:00", "Europe/Madrid") == ("2026-03-29T01:30:00.000000Z", ["time_skipped:read_at"])


@pytest.mark.parametrize("edge", ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "9999-12-31 24:00"])
def test_the_ends_of_the_calendar_raise_nothing(edge: str) -> None:
    for zone in ("UTC", "America/Bogota", "Asia/Tokyo", "Europe/Madrid"):
        out, notes = read_in(edge, zone)
        assert out is not None or notes[-1] in {"unreadable:read_at", "empty:read_at"}


@given(st.datetimes(dt.datetime(2000, 1, 1)), st.sampled_from(" T"))  # noqa: DTZ001 - as Treble sends it
def test_any_moment_reads_back_as_itself(moment: dt.datetime, separator: str) -> None:
    out, notes = read_in(moment.isoformat(separator))
    assert out is not None
    assert notes == []
    assert dt.datetime.fromisoformat(out) == moment.replace(tzinfo=dt.UTC)


@given(st.text(alphabet="0123456789-: .TZ+,", max_size=30) | st.integers() | st.floats() | st.text(max_size=20))
def test_anything_is_a_time_of_the_promised_form_or_unreadable(sent: object) -> None:
    for zone in ("UTC", "America/Bogota"):
        out, notes = read_in(sent, zone)
        assert out is None or re.fullmatch(TIME_PATTERN, out)
        assert out is not None or notes


def test_arrival_is_written_as_all_times_are() -> None:
    assert utc_text(1_782_141_549_104) == "2026-06-22T15:19:09.104000Z"
    assert utc_text(0) == "1970-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("moment_ms", [0, 1, 999, 1_782_141_549_104, 253_402_300_799_999, -1, -62_135_596_800_000])
def test_a_moment_comes_back_from_its_text(moment_ms: int) -> None:
    assert utc_ms(utc_text(moment_ms)) == moment_ms


@pytest.mark.parametrize("text", ["", "once", "2026-06-22T15:19:09", "2026-06-22", "1782141549104"])
def test_what_is_no_moment_gives_none(text: str) -> None:
    assert utc_ms(text) is None
