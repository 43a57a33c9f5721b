"""Instants are read strictly, kept to the microsecond, and written in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.domain.instants import instant_of, instant_text, microseconds, read_instant, utc_day

PROVEN = settings(max_examples=300, derandomize=True, deadline=None)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
INSTANTS = st.datetimes(timezones=st.just(UTC))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@PROVEN
@given(INSTANTS)
@example(FIRST)
@example(LAST)
@example(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
@example(datetime(2255, 6, 5, 23, 47, 34, 740993, tzinfo=UTC))
def test_no_microsecond_is_lost_between_code_and_store(instant):
    assert instant_of(microseconds(instant)) == instant


@pytest.mark.parametrize(
    ("instant", "count"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), 1),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), -1),
        (datetime(2026, 11, 20, 12, 0, 0, 7, tzinfo=UTC), 1_795_176_000_000_007),
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), 0),
    ],
)
def test_instants_are_counted_from_1970_in_utc(instant, count):
    assert microseconds(instant) == count


@PROVEN
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-1439, 1439))  # noqa: DTZ001 - a wall clock
def test_an_offset_is_taken_into_account(wall, minutes):
    aware = wall.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_instant(aware.isoformat()) == aware
    assert read_instant(aware.isoformat()).utcoffset() == timedelta(0)


@PROVEN
@given(INSTANTS)
@example(FIRST)
@example(LAST)
def test_what_is_written_reads_back(instant):
    text = instant_text(instant)
    assert read_instant(text) == instant
    assert text.endswith("Z")
    assert ("." in text) == (instant.microsecond != 0)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-20T12:00:00Z", NOON),
        ("2026-11-20t12:00:00z", NOON),
        ("2026-11-20T12:00:00+00:00", NOON),
        ("2026-11-20T12:00:00-00:00", NOON),
        ("2026-11-20T17:30:00+05:30", NOON),
        ("2026-11-19T12:01:00-23:59", NOON),
        ("2026-11-20T12:00:00.5Z", NOON + timedelta(milliseconds=500)),
        ("2026-11-20T12:00:00.000001Z", NOON + timedelta(microseconds=1)),
        ("2026-11-20T12:00:00.0000019Z", NOON + timedelta(microseconds=1)),
        ("2026-11-20T11:59:59.999999999Z", NOON - timedelta(microseconds=1)),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", FIRST),
        ("9999-12-31T23:59:59.999999Z", LAST),
        ("0001-01-01T23:59:00+23:59", FIRST),
        ("9999-12-31T00:00:59.999999-23:59", LAST),
    ],
)
def test_rfc_3339_is_read(text, instant):
    assert read_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-20",
        "2026-11-20T12:00:00",
        "2026-11-20T12:00Z",
        "2026-11-20 12:00:00Z",
        "2026-11-20T12:00:00 Z",
        "2026-11-20T12:00:00Z\n",
        " 2026-11-20T12:00:00Z",
        "2026-11-20T12:00:00.Z",
        "2026-11-20T12:00:00,5Z",
        "2026-11-20T12:00:00.1234567890Z",
        "2026-11-20T12:00:60Z",
        "2026-12-31T23:59:60Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T12:60:00Z",
        "2026-11-20T12:00:00+24:00",
        "2026-11-20T12:00:00+05:60",
        "2026-11-20T12:00:00+0530",
        "2026-11-20T12:00:00+05",
        "2026-11-20T12:00:00+05:30:15",
        "2026-11-20T12:00:00Europe/Berlin",
        "2026-W47-5T12:00:00Z",
        "2026-324T12:00:00Z",
        "20261120T120000Z",
        "26-11-20T12:00:00Z",
        "+2026-11-20T12:00:00Z",
        "2026-1-20T12:00:00Z",
        "\u0662026-11-20T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-11-31T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-11-00T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "0001-01-01T23:58:59+23:59",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_what_is_no_rfc_3339_instant_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"RFC 3339|calendar"):
        read_instant(text)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (NOON, "2026-11-20T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5))), "2026-11-20T12:00:00Z"),
        (NOON + timedelta(microseconds=1), "2026-11-20T12:00:00.000001Z"),
        (FIRST, "0001-01-01T00:00:00Z"),
    ],
)
def test_instants_are_written_in_utc_with_z(instant, text):
    assert instant_text(instant) == text


@PROVEN
@given(INSTANTS)
@example(datetime(1970, 1, 1, tzinfo=UTC))
@example(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
def test_a_day_runs_from_midnight_to_midnight_in_utc(instant):
    assert utc_day(instant) == (instant.date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days
