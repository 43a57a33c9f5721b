"""Billing cycles: which stretch of time an instant is billed in.

A cycle starts at local midnight, in the organization's time zone, of its anchor day, or of the month's last day where
the month is shorter. The anchor day itself is kept, so that the clamp never drifts: 31 January, 28 February, 31 March.

A cycle that was written down never moves. So another anchor counts from the end of a cycle on, and the cycle that
starts there is as near to a month as the new anchor allows (docs/decisions/0005). The same rule joins cycles where a
time zone's own rules were changed after some had been written.
"""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sendmeter.domain.instants import MICROSECOND

CLOSES_AFTER = timedelta(hours=72)
"""How long after its end a cycle still takes events (design: domain rules, «Late»)."""
SHORTEST = timedelta(days=15)
"""No cycle that an anchor makes is shorter: across a change of anchor one lasts 15 to 46 days."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """When the cycles of an organization start: a day of the month (1 to 31) and an IANA time zone."""

    day: int
    time_zone: str

    def __str__(self) -> str:
        return f"day {self.day}, {self.time_zone}"


@dataclass(frozen=True, slots=True)
class Cycle:
    """A stretch of time `[start, end)`, both UTC."""

    start: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def closed(self, now: datetime) -> bool:
        """Return whether the cycle's counters are frozen."""
        return now >= self.end + CLOSES_AFTER


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which anchor counts when: the first one, and later ones, each from the start of a cycle on."""

    first: Anchor
    changes: tuple[tuple[datetime, Anchor], ...] = ()

    @property
    def last(self) -> Anchor:
        """The anchor that counts at last, now or from a later cycle on."""
        return self.changes[-1][1] if self.changes else self.first

    def anchor_at(self, instant: datetime) -> Anchor:
        """Return the anchor that counts for a cycle that starts at an instant."""
        counting = [anchor for starts_at, anchor in self.changes if starts_at <= instant]
        return counting[-1] if counting else self.first

    def after(self, instant: datetime) -> list[tuple[datetime, Anchor]]:
        """List the changes that are still to come."""
        return [change for change in self.changes if change[0] > instant]

    def changed(self, anchor: Anchor, starts_at: datetime) -> "Schedule":
        """Return the schedule with another anchor from the start of a cycle on; older plans for then are dropped."""
        earlier = Schedule(self.first, tuple(change for change in self.changes if change[0] < starts_at))
        if earlier.anchor_at(starts_at) == anchor:
            return earlier
        return Schedule(self.first, (*earlier.changes, (starts_at, anchor)))

    def cycle_at(self, instant: datetime, written: Sequence[Cycle] = ()) -> Cycle:
        """Find the one cycle that an instant belongs to.

        `written` are cycles that never move, in the order of time: the last that starts at or before the instant, if
        there is one, and the first that starts after it are enough.
        """
        earlier = [cycle for cycle in written if cycle.start <= instant]
        cycle = earlier[-1] if earlier else self._before_all_written(instant, written)
        while cycle.end <= instant:
            cycle = self._following(cycle.end, written)
        return cycle

    def cycles_between(self, start: datetime, end: datetime, written: Sequence[Cycle] = ()) -> Iterator[Cycle]:
        """List the cycles that overlap a stretch of time; `written` as for `cycle_at`, and all within the stretch."""
        starting = {cycle.start: cycle for cycle in written}
        cycle = self.cycle_at(start, written)
        while cycle.start < end:
            yield cycle
            cycle = starting.get(cycle.end) or self._following(cycle.end, written)

    def reason(self, cycle: Cycle) -> str | None:
        """Say why a cycle is not the one that its anchor makes alone; None where it is."""
        anchor = self.anchor_at(cycle.start)
        if cycle == cycle_containing(anchor, cycle.start):
            return None
        if any(starts_at == cycle.start for starts_at, _ in self.changes):
            return f"The anchor changed from {self.anchor_at(cycle.start - MICROSECOND)} to {anchor}."
        return "It joins cycles that were written before the rules of the time zone changed."

    def _before_all_written(self, instant: datetime, written: Sequence[Cycle]) -> Cycle:
        if self.changes:
            instant = min(instant, self.changes[0][0] - MICROSECOND)
        cycle = cycle_containing(self.first, instant)
        fixed = self._fixed_start_after(instant, written)
        if fixed is not None and fixed - cycle.start < SHORTEST:
            cycle = cycle_containing(self.first, cycle.start - MICROSECOND)
        return Cycle(cycle.start, _joined(cycle.end, fixed))

    def _following(self, start: datetime, written: Sequence[Cycle]) -> Cycle:
        """Return the cycle after another: to the first boundary of its anchor that makes it long enough."""
        earliest = start + SHORTEST
        regular = cycle_containing(self.anchor_at(start), earliest)
        end = regular.start if regular.start == earliest else regular.end
        return Cycle(start, _joined(end, self._fixed_start_after(start, written)))

    def _fixed_start_after(self, instant: datetime, written: Sequence[Cycle]) -> datetime | None:
        starts = [cycle.start for cycle in written] + [starts_at for starts_at, _ in self.changes]
        return min((start for start in starts if start > instant), default=None)


def _joined(end: datetime, fixed: datetime | None) -> datetime:
    """End a cycle where the one that is fixed starts, if that is before its own end or soon after."""
    return fixed if fixed is not None and fixed < end + SHORTEST else end


def cycle_containing(anchor: Anchor, instant: datetime) -> Cycle:
    """Find the cycle of an anchor, alone, that an instant belongs to."""
    local = instant.astimezone(ZoneInfo(anchor.time_zone))
    month = local.year * 12 + local.month - 1
    # The month's own boundary lies at most a month off, in either direction, where the zone shifts it.
    while instant < _boundary(anchor, month):
        month -= 1
    while instant >= _boundary(anchor, month + 1):
        month += 1
    return Cycle(_boundary(anchor, month), _boundary(anchor, month + 1))


@lru_cache(maxsize=4096)
def _boundary(anchor: Anchor, month: int) -> datetime:
    """Return the instant at which the cycle of a month starts; months are numbered `year * 12 + month - 1`."""
    year, month_of_year = month // 12, month % 12 + 1
    day = min(anchor.day, monthrange(year, month_of_year)[1])
    return _local_midnight(datetime(year, month_of_year, day), ZoneInfo(anchor.time_zone))  # noqa: DTZ001 - a wall clock


def _local_midnight(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant of a wall clock's midnight: where it comes twice the first, where it is skipped the next."""
    after = wall.replace(tzinfo=zone).astimezone(UTC)
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    # PEP 495: the two readings are one where it comes once, and fold=0 is the earlier where it comes twice. Skipped, it
    # is read with the offset from before the jump by fold=0 and with the one from after it by fold=1, so that the jump
    # lies between the two readings; whole seconds, as in the zone data.
    offset_before = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        if middle.astimezone(zone).utcoffset() == offset_before:
            before = middle
        else:
            after = middle
    return after
