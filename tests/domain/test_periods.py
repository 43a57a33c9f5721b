"""A history is of five years to the day at most, and its days and months tile them whole."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.domain.periods import days, midnight, months, refused_range

PROVEN = settings(max_examples=200, derandomize=True, deadline=None)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2021, 11, 20), date(2026, 11, 19)),
        (date(2021, 1, 1), date(2025, 12, 31)),
        (date(2024, 2, 29), date(2029, 2, 28)),
        (date(2024, 2, 28), date(2029, 2, 27)),
        (date(2024, 3, 1), date(2029, 2, 28)),
        (date(2023, 3, 1), date(2028, 2, 29)),
        (date(2023, 2, 28), date(2028, 2, 27)),
        (date(2095, 2, 28), date(2099, 12, 31)),
    ],
)
def test_five_years_to_the_day_are_given_and_not_one_more(first, last):
    assert refused_range(first, last) is None
    if last < date(2099, 12, 31):
        assert refused_range(first, last + DAY) == "is more than 5 years after startDate"


@PROVEN
@given(DAYS)
def test_a_range_of_one_day_is_given_and_one_that_ends_before_it_starts_is_not(day):
    assert refused_range(day, day) is None
    assert refused_range(day, day - DAY) == "is before startDate"


@pytest.mark.parametrize(
    ("first", "last"), [(date(1999, 12, 31), date(2000, 1, 1)), (date(2099, 12, 31), date(2100, 1, 1))]
)
def test_a_history_is_of_the_years_2000_to_2099(first, last):
    assert refused_range(first, last) == "is not, with startDate, within the years 2000 to 2099"
    inside = [day for day in (first, last) if 2000 <= day.year <= 2099]
    assert [refused_range(day, day) for day in inside] == [None]


@PROVEN
@given(st.dates(date(2000, 1, 1), date(2094, 12, 31)))
def test_the_longest_range_is_five_years_of_days_wherever_it_starts(first):
    longest = max(length for length in range(1820, 1832) if refused_range(first, first + length * DAY) is None) + 1
    leap_days = sum((first + each * DAY).month == 2 and (first + each * DAY).day == 29 for each in range(longest))
    assert longest == 5 * 365 + leap_days


@PROVEN
@given(DAYS, st.integers(0, 1826))
def test_days_and_months_tile_the_range_whole(first, length):
    last = first + length * DAY
    for periods in (list(days(first, last)), list(months(first, last))):
        assert [each.end for each in periods[:-1]] == [each.start for each in periods[1:]]
        assert periods[0].start <= midnight(first) < periods[0].end
        assert periods[-1].start < midnight(last + DAY) <= periods[-1].end
    assert (len(list(days(first, last))), periods[0].start.day, periods[-1].end.day) == (length + 1, 1, 1)
    assert len(periods) == (last.year - first.year) * 12 + last.month - first.month + 1


def test_days_and_months_are_of_utc():
    assert next(days(date(2026, 11, 20), date(2026, 11, 20))).start == datetime(2026, 11, 20, tzinfo=UTC)
    (month,) = months(date(2024, 2, 29), date(2024, 2, 29))
    assert (month.start, month.end) == (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
