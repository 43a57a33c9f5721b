"""Cycles tile time whatever is changed: the anchor, again and again, and the rules of time zones under written ones."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.domain.cycles import SHORTEST, Anchor, Cycle, Schedule, cycle_containing
from tests.domain.schedule_histories import ANCHORS, CHANGE, MICROSECOND, NEW_ZONE_DATA, WAIT, WRITE, lives, step

PROVEN = settings(max_examples=700, derandomize=True, deadline=None)
YEAR = timedelta(days=365)
LONGEST = timedelta(days=62)
# 46 days of the clock on the wall; a zone that sets it back meanwhile, by 3 hours at most since 2014, adds to them.
LONGEST_TRANSITION = timedelta(days=46, hours=3)


def lived(life, actions):
    """Go through a life, and see at every step that nothing moves that was written."""
    for action in actions:
        before = list(life.written)
        step(life, action)
        assert set(before) <= set(life.written), "a written cycle moved"
        assert life.now in life.cycle_at(life.now)
    return life.between(life.now - 2 * YEAR, life.now + YEAR)


@PROVEN
@given(lives(WAIT, WRITE, CHANGE, NEW_ZONE_DATA), st.integers(0, 26))
def test_cycles_tile_time_and_every_instant_is_in_the_one_that_a_listing_has(drawn, day):
    life, actions = drawn
    cycles = lived(life, actions)
    assert cycles[0].start <= life.now - 2 * YEAR < life.now + YEAR <= cycles[-1].end
    assert [cycle.end for cycle in cycles[:-1]] == [cycle.start for cycle in cycles[1:]]
    assert all(SHORTEST <= cycle.end - cycle.start <= LONGEST for cycle in cycles)
    assert {each for each in life.written if life.now - 2 * YEAR < each.start < life.now + YEAR} <= set(cycles)
    for cycle in cycles:
        inside = cycle.start + (cycle.end - cycle.start) * day / 26 - MICROSECOND * (day > 0)
        assert [life.cycle_at(instant) for instant in (cycle.start, inside, cycle.end - MICROSECOND)] == [cycle] * 3


@PROVEN
@given(lives(WAIT, WRITE, CHANGE))
def test_only_the_cycle_across_a_change_is_odd_and_says_why_and_the_clamp_never_drifts(drawn):
    life, actions = drawn
    cycles = lived(life, actions)
    changed = dict(life.schedule.changes)
    assert {at for at in changed if cycles[0].start <= at} <= {cycle.start for cycle in cycles} | {cycles[-1].end}
    for cycle in cycles:
        anchor = life.schedule.anchor_at(cycle.start)
        shown = cycle.start.astimezone(ZoneInfo(anchor.time_zone))
        regular = cycle == cycle_containing(anchor, cycle.start)
        assert SHORTEST <= cycle.end - cycle.start <= LONGEST_TRANSITION
        if cycle.start not in changed:
            assert shown.day == min(anchor.day, monthrange(shown.year, shown.month)[1])
            assert regular
        before = life.schedule.anchor_at(cycle.start - MICROSECOND)
        told = None if regular else f"The anchor changed from {before} to {anchor}."
        assert life.schedule.reason(cycle) == told


@PROVEN
@given(lives(WAIT, WRITE, CHANGE, NEW_ZONE_DATA), st.lists(ANCHORS, min_size=1, max_size=3))
def test_changes_that_are_taken_back_before_they_count_are_forgotten(drawn, anchors):
    life, actions = drawn
    lived(life, actions)
    while life.schedule.after(life.now) or (life.written and life.written[-1].end > life.cycle_at(life.now).end):
        life.now = max(
            life.written[-1].start, life.schedule.after(life.now)[0][0] if life.schedule.after(life.now) else life.now
        )
    before = life.schedule
    for anchor in anchors:
        life.change(anchor)
        assert life.schedule.last == anchor
        assert len(life.schedule.after(life.now)) == (anchor != before.last)
    life.change(before.last)
    assert life.schedule == before


UTC_1 = Anchor(1, "UTC")
NOVEMBER = Cycle(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


def cycles_after(schedule, written, count=3):
    found = []
    for _ in range(count):
        found.append(schedule.cycle_at((found or written)[-1].end, written))
    return [each.start for each in found] + [found[-1].end]


@pytest.mark.parametrize(
    ("anchor", "starts"),
    [
        (Anchor(15, "UTC"), [(12, 1), (1, 15), (2, 15), (3, 15)]),  # 14 days would be too short
        (Anchor(16, "UTC"), [(12, 1), (12, 16), (1, 16), (2, 16)]),  # 15 days are just long enough
        (Anchor(31, "UTC"), [(12, 1), (12, 31), (1, 31), (2, 28)]),
        (Anchor(1, "Europe/Berlin"), [(12, 1), (12, 31, 23), (1, 31, 23), (2, 28, 23)]),
        (Anchor(1, "America/New_York"), [(12, 1), (1, 1, 5), (2, 1, 5), (3, 1, 5)]),
    ],
)
def test_the_cycle_across_a_change_ends_at_the_first_boundary_that_makes_it_15_days_long(anchor, starts):
    schedule = Schedule(UTC_1).changed(anchor, NOVEMBER.end)
    expected = [datetime(2026 if start[0] == 12 else 2027, *start, tzinfo=UTC) for start in starts]
    assert cycles_after(schedule, [NOVEMBER]) == expected
    assert schedule.cycle_at(NOVEMBER.end - MICROSECOND, [NOVEMBER]) == NOVEMBER


def test_the_cycles_after_a_change_are_the_same_where_none_is_written():
    schedule = Schedule(UTC_1).changed(Anchor(20, "UTC"), NOVEMBER.end)
    for month, day in ((11, 3), (12, 1), (12, 25), (11, 30)):
        instant = datetime(2026, month, day, tzinfo=UTC)
        assert schedule.cycle_at(instant) == schedule.cycle_at(instant, [NOVEMBER])
    january = Cycle(datetime(2026, 12, 20, tzinfo=UTC), datetime(2027, 1, 20, tzinfo=UTC))
    assert schedule.cycle_at(january.end - MICROSECOND) == january


def test_another_zone_whose_cycles_are_the_same_makes_no_odd_one():
    schedule = Schedule(UTC_1).changed(Anchor(1, "Africa/Abidjan"), NOVEMBER.end)
    assert schedule.reason(schedule.cycle_at(NOVEMBER.end, [NOVEMBER])) is None


def test_a_cycle_beside_one_that_was_written_under_other_rules_joins_it_and_says_so():
    hours = timedelta(hours=2)
    moved = Cycle(NOVEMBER.start + hours, NOVEMBER.end + hours)
    schedule = Schedule(UTC_1)
    before, after = schedule.cycle_at(NOVEMBER.start, [moved]), schedule.cycle_at(moved.end, [moved])
    assert before == Cycle(datetime(2026, 10, 1, tzinfo=UTC), moved.start)
    assert after == Cycle(moved.end, datetime(2027, 1, 1, tzinfo=UTC))
    for odd in (before, after):
        assert schedule.reason(odd) == "It joins cycles that were written before the rules of the time zone changed."
    assert schedule.reason(NOVEMBER) is None


def test_the_same_anchor_again_changes_nothing():
    schedule = Schedule(UTC_1)
    assert schedule.changed(UTC_1, NOVEMBER.end) == schedule
    later = schedule.changed(Anchor(9, "UTC"), NOVEMBER.end)
    assert later.changed(Anchor(9, "UTC"), NOVEMBER.end) == later
    assert later.changed(Anchor(9, "UTC"), NOVEMBER.end + YEAR) == later


def test_an_anchor_counts_from_its_start_to_the_microsecond():
    schedule = Schedule(UTC_1).changed(Anchor(9, "UTC"), NOVEMBER.end)
    assert schedule.anchor_at(NOVEMBER.end - MICROSECOND) == UTC_1
    assert schedule.anchor_at(NOVEMBER.end) == schedule.last == Anchor(9, "UTC")
    assert schedule.after(NOVEMBER.end - MICROSECOND) == [(NOVEMBER.end, Anchor(9, "UTC"))]
    assert schedule.after(NOVEMBER.end) == []


def test_a_listing_begins_with_the_cycle_that_was_written_and_ends_before_what_starts_at_its_end():
    moved = Cycle(NOVEMBER.start + timedelta(hours=2), NOVEMBER.end + timedelta(hours=2))
    schedule = Schedule(UTC_1)
    assert list(schedule.cycles_between(moved.start, moved.end, [moved])) == [moved]
    assert len(list(schedule.cycles_between(moved.start, moved.end + MICROSECOND, [moved]))) == 2
    assert list(schedule.cycles_between(NOVEMBER.start, NOVEMBER.end)) == [NOVEMBER]


@pytest.mark.parametrize(("short", "starts"), [(timedelta(0), (11, 1)), (MICROSECOND, (10, 1))])
def test_what_comes_before_a_written_cycle_is_a_cycle_where_it_is_15_days_long_and_joins_the_one_before_else(
    short, starts
):
    written = Cycle(datetime(2026, 11, 16, tzinfo=UTC) - short, datetime(2026, 12, 16, tzinfo=UTC))
    before = Schedule(UTC_1).cycle_at(written.start - MICROSECOND, [written])
    assert before == Cycle(datetime(2026, *starts, tzinfo=UTC), written.start)


@pytest.mark.parametrize(("more", "ends"), [(timedelta(0), NOVEMBER.end), (-MICROSECOND, None)])
def test_what_is_left_between_two_cycles_is_one_where_it_is_15_days_long_and_joins_the_one_before_else(more, ends):
    written = Cycle(datetime(2026, 12, 16, tzinfo=UTC) + more, datetime(2027, 1, 16, tzinfo=UTC))
    assert Schedule(UTC_1).cycle_at(NOVEMBER.start, [written]).end == (ends or written.start)
