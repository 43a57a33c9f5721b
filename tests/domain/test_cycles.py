"""Billing cycles tile time, in every zone, for every anchor day, and start where the design says.

The oracle knows neither folds nor gaps: it watches a clock on the wall, minute by minute, until it shows the day.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.domain.cycles import Anchor, Cycle, cycle_containing

PROVEN = settings(max_examples=250, derandomize=True, deadline=None)
SECOND, MINUTE, MICROSECOND = timedelta(seconds=1), timedelta(minutes=1), timedelta(microseconds=1)
ZONES = [
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/Asuncion",
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Toronto",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
]
FIXED = ("UTC", "Asia/Ka", "Asia/Kol", "Africa/Mon", "Pacific/Kir")  # no change since 1996
WITH_CHANGES = [zone for zone in ZONES if not zone.startswith(FIXED)]
QUARTER = timedelta(minutes=15)  # since 1996 every midnight there is comes on one
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware


def first_instant_of(day, zone, step=MINUTE):
    """Wait in front of a clock on the wall of the zone until it shows the day, or a later one."""
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    assert instant.astimezone(zone).date() < day
    while instant.astimezone(zone).date() < day:
        instant += step
    return instant


def anchor_date(anchor, year, month):
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))


def start_on(day, zone_name):
    """Ask for the start of the cycle that starts on a day."""
    noon_after = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone_name)) + timedelta(days=2)
    return cycle_containing(Anchor(day.day, zone_name), noon_after.astimezone(UTC)).start


def days_of_change(zone, first_year, last_year):
    """List the days on whose morning the clocks are not where they were the morning before, and the days around."""
    day, found = date(first_year, 1, 1), set()
    while day.year <= last_year:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        if noon.astimezone(zone).utcoffset() != (noon - timedelta(days=1)).astimezone(zone).utcoffset():
            found |= {day - timedelta(days=1), day, day + timedelta(days=1)}
        day += timedelta(days=1)
    return sorted(found)


@pytest.mark.parametrize("name", ZONES)
def test_cycles_tile_time_for_every_anchor_day(name):
    zone = ZoneInfo(name)
    for day in range(1, 32):
        anchor = Anchor(day, name)
        cycle = cycle_containing(anchor, datetime(1996, 1, 15, tzinfo=UTC))
        while cycle.start.year < 2037:
            assert cycle_containing(anchor, cycle.start) == cycle
            assert cycle_containing(anchor, cycle.end - MICROSECOND) == cycle
            following = cycle_containing(anchor, cycle.end)
            assert following.start == cycle.end
            assert timedelta(days=27) <= following.end - following.start <= timedelta(days=32)
            local = following.start.astimezone(zone)
            skipped = name == "Pacific/Apia" and local.date() == date(2011, 12, 31) and day == 30
            assert skipped or local.date() == anchor_date(anchor, local.year, local.month), "the clamp drifted"
            cycle = following


@PROVEN
@given(st.sampled_from(sorted(available_timezones())), st.integers(1, 31), INSTANTS)
@example("Pacific/Apia", 30, datetime(2011, 12, 30, 10, tzinfo=UTC))
@example("Pacific/Apia", 30, datetime(2011, 12, 30, 9, 59, 59, 999999, tzinfo=UTC))
@example("Pacific/Kwajalein", 21, datetime(1993, 8, 21, 12, tzinfo=UTC))
@example("America/Toronto", 31, datetime(1919, 3, 31, 4, 30, tzinfo=UTC))
@example("Africa/Monrovia", 7, datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC))
@example("America/St_Johns", 7, datetime(2010, 11, 7, 2, 30, tzinfo=UTC))
@example("America/St_Johns", 1, datetime(2009, 11, 1, 3, tzinfo=UTC))  # 31 October again, after 1 November began
def test_every_instant_is_in_exactly_one_cycle(name, day, instant):
    anchor = Anchor(day, name)
    cycle = cycle_containing(anchor, instant)
    before, after = cycle_containing(anchor, cycle.start - MICROSECOND), cycle_containing(anchor, cycle.end)
    assert [instant in one for one in (before, cycle, after)] == [False, True, False]
    assert before.end == cycle.start
    assert after.start == cycle.end
    assert timedelta(0) < cycle.end - cycle.start <= timedelta(days=62)


@PROVEN
@given(st.sampled_from(sorted(available_timezones())), st.integers(1, 31), INSTANTS)
def test_a_cycle_starts_when_the_clock_on_the_wall_first_shows_its_day(name, day, instant):
    zone = ZoneInfo(name)
    start = cycle_containing(Anchor(day, name), instant).start
    shown = start.astimezone(zone).date()
    assert (start - SECOND).astimezone(zone).date() < shown
    assert start - first_instant_of(shown, zone) in (timedelta(0), -timedelta(seconds=(60 - start.second) % 60))


@pytest.mark.parametrize("name", ZONES)
def test_every_month_end_of_forty_years_starts_as_the_wall_clock_says(name):
    zone, anchor = ZoneInfo(name), Anchor(31, name)
    for year in range(1996, 2037):
        for month in range(1, 13):
            day = anchor_date(anchor, year, month)
            start = first_instant_of(day, zone, QUARTER)
            assert cycle_containing(anchor, start).start == start, day
            assert cycle_containing(anchor, start - MICROSECOND).end == start, day


@pytest.mark.parametrize("name", WITH_CHANGES)
def test_every_day_around_a_clock_change_starts_as_the_wall_clock_says(name):
    zone = ZoneInfo(name)
    days = days_of_change(zone, 1996, 2036)
    assert len(days) >= 2, "the zone has no change"
    for day in days:
        anchor, start = Anchor(day.day, name), first_instant_of(day, zone, QUARTER)
        assert cycle_containing(anchor, start).start == start, day
        assert cycle_containing(anchor, start - MICROSECOND).end == start, day


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("America/Toronto", date(1919, 3, 31)),  # from 23:30 to 00:30
        ("Africa/Monrovia", date(1972, 1, 7)),  # from -00:44:30 to 00:00, at midnight
        ("Africa/Monrovia", date(1972, 1, 6)),
        ("Asia/Kathmandu", date(1986, 1, 1)),  # from +05:30 to +05:45, at midnight
        ("Asia/Kolkata", date(1945, 10, 15)),
        ("Europe/Amsterdam", date(1937, 7, 1)),  # from +01:19:32 to +01:20 in older zone data
        ("Pacific/Apia", date(1892, 7, 4)),  # the day came twice
        ("Pacific/Apia", date(2011, 12, 30)),  # the day did not come
        ("Pacific/Kiritimati", date(1995, 1, 1)),
    ],
)
def test_odd_days_of_history_start_as_the_wall_clock_says_to_the_second(name, day):
    zone = ZoneInfo(name)
    start = first_instant_of(day, zone, SECOND)
    assert cycle_containing(Anchor(day.day, name), start).start == start
    assert cycle_containing(Anchor(day.day, name), start - MICROSECOND).end == start


@pytest.mark.parametrize(
    ("name", "day", "start"),
    [
        ("America/New_York", date(2026, 11, 15), datetime(2026, 11, 15, 5, tzinfo=UTC)),
        ("Asia/Kolkata", date(2026, 11, 1), datetime(2026, 10, 31, 18, 30, tzinfo=UTC)),
        ("Asia/Kathmandu", date(2026, 11, 1), datetime(2026, 10, 31, 18, 15, tzinfo=UTC)),
        ("Pacific/Kiritimati", date(2026, 11, 1), datetime(2026, 10, 31, 10, tzinfo=UTC)),
        ("Asia/Beirut", date(2022, 3, 27), datetime(2022, 3, 26, 22, tzinfo=UTC)),  # 00:00 became 01:00
        ("America/Havana", date(2025, 3, 9), datetime(2025, 3, 9, 5, tzinfo=UTC)),  # 00:00 became 01:00
        ("America/Havana", date(2025, 11, 2), datetime(2025, 11, 2, 4, tzinfo=UTC)),  # 00:00 came twice
        ("America/St_Johns", date(2010, 11, 7), datetime(2010, 11, 7, 2, 30, tzinfo=UTC)),  # 00:01 became 23:01
        ("America/Sao_Paulo", date(2018, 2, 18), datetime(2018, 2, 18, 3, tzinfo=UTC)),  # 24:00 became 23:00
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC)),  # 00:00 became 01:00
        ("America/Toronto", date(1919, 3, 31), datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),  # 23:30 became 00:30
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC)),  # the 30th became the 31st
    ],
)
def test_a_midnight_that_is_skipped_or_doubled_starts_the_cycle_once(name, day, start):
    assert start_on(day, name) == start


@pytest.mark.parametrize(
    ("day", "starts"),
    [
        (31, [(2023, 12, 31), (2024, 1, 31), (2024, 2, 29), (2024, 3, 31), (2024, 4, 30), (2024, 5, 31)]),
        (30, [(2024, 12, 30), (2025, 1, 30), (2025, 2, 28), (2025, 3, 30), (2025, 4, 30), (2025, 5, 30)]),
        (29, [(1899, 12, 29), (1900, 1, 29), (1900, 2, 28), (1900, 3, 29), (1900, 4, 29), (1900, 5, 29)]),
        (28, [(1999, 12, 28), (2000, 1, 28), (2000, 2, 28), (2000, 3, 28), (2000, 4, 28), (2000, 5, 28)]),
    ],
)
def test_the_anchor_day_comes_back_after_a_shorter_month(day, starts):
    cycle = cycle_containing(Anchor(day, "UTC"), datetime(*starts[0], tzinfo=UTC))
    for start in starts:
        assert cycle.start == datetime(*start, tzinfo=UTC)
        cycle = cycle_containing(Anchor(day, "UTC"), cycle.end)


def test_two_organizations_with_different_zones_do_not_share_a_start():
    instant = datetime(2026, 11, 20, tzinfo=UTC)
    starts = {cycle_containing(Anchor(15, name), instant).start for name in ("UTC", "Asia/Kolkata", "America/New_York")}
    assert len(starts) == 3


def test_a_cycle_has_its_start_and_not_its_end():
    cycle = Cycle(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert cycle.start in cycle
    assert cycle.start - MICROSECOND not in cycle
    assert cycle.end - MICROSECOND in cycle
    assert cycle.end not in cycle


def test_a_cycle_closes_72_hours_after_its_end_to_the_microsecond():
    cycle = Cycle(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    closing = datetime(2026, 12, 4, tzinfo=UTC)
    assert not cycle.closed(closing - MICROSECOND)
    assert cycle.closed(closing)


def test_a_cycle_is_told_in_utc_also_where_its_midnight_is_skipped():
    cycle = cycle_containing(Anchor(31, "America/Toronto"), datetime(1919, 4, 15, tzinfo=UTC))
    assert cycle.start == datetime(1919, 3, 31, 4, 30, tzinfo=UTC)
    assert (cycle.start.tzinfo, cycle.end.tzinfo) == (UTC, UTC)
