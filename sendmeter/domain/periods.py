"""Periods of a usage history: days and months of the UTC calendar, and billing cycles."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from sendmeter.domain.cycles import Cycle

GROUPINGS = ("calendar", "billing", "day")
LONGEST_YEARS = 5
FIRST_YEAR, LAST_YEAR = 2000, 2099


def refused_range(first: date, last: date) -> str | None:
    """Say why a history of these days, both included, is not given; None where it is."""
    if last < first:
        return "is before startDate"
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        return f"is not, with startDate, within the years {FIRST_YEAR} to {LAST_YEAR}"
    # 29 February has no anniversary five years on: they end before 1 March.
    is_leap_day = (first.month, first.day) == (2, 29)
    anniversary = (date(first.year, 3, 1) if is_leap_day else first).replace(year=first.year + LONGEST_YEARS)
    if last >= anniversary:
        return f"is more than {LONGEST_YEARS} years after startDate"
    return None


def midnight(day: date) -> datetime:
    """Return the first instant of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days(first: date, last: date) -> Iterator[Cycle]:
    """List the UTC days from the first to the last."""
    for count in range((last - first).days + 1):
        start = midnight(first + timedelta(days=count))
        yield Cycle(start, start + timedelta(days=1))


def months(first: date, last: date) -> Iterator[Cycle]:
    """List the UTC calendar months from the first day's to the last day's, whole."""
    month = first.replace(day=1)
    while month <= last:
        following = (month + timedelta(days=31)).replace(day=1)
        yield Cycle(midnight(month), midnight(following))
        month = following
