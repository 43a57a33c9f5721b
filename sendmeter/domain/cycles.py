"""Billing cycles: which stretch of time an instant is billed in.

A cycle starts at local midnight, in the organization's time zone, of its anchor day, or of the month's last day where
the month is shorter. The anchor day itself is kept, so that the clamp never drifts: 31 January, 28 February, 31 March.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

CLOSES_AFTER = timedelta(hours=72)
"""How long after its end a cycle still takes events (design: domain rules, «Late»)."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """When the cycles of an organization start: a day of the month (1 to 31) and an IANA time zone."""

    day: int
    time_zone: str


@dataclass(frozen=True, slots=True)
class Cycle:
    """A stretch of time `[start, end)`, both UTC."""

    start: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def closed(self, now: datetime) -> bool:
        """Tell whether the cycle's counters are frozen."""
        return now >= self.end + CLOSES_AFTER


def cycle_containing(anchor: Anchor, instant: datetime) -> Cycle:
    """Find the one cycle that an instant belongs to."""
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
    """Give the instant at which the cycle of a month starts; months are numbered `year * 12 + month - 1`."""
    year, month_of_year = month // 12, month % 12 + 1
    day = min(anchor.day, monthrange(year, month_of_year)[1])
    return _local_midnight(datetime(year, month_of_year, day), ZoneInfo(anchor.time_zone))  # noqa: DTZ001 - a wall clock


def _local_midnight(wall: datetime, zone: ZoneInfo) -> datetime:
    """Give the instant of a wall clock's midnight: where it comes twice the first, where it is skipped the next."""
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    # Skipped: the clock jumped over it. PEP 495 reads fold=0 with the offset from before the jump and fold=1 with the
    # one from after it, so that the jump lies between the two readings; whole seconds, as in the zone data.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    offset_before = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        if middle.astimezone(zone).utcoffset() == offset_before:
            before = middle
        else:
            after = middle
    return after
