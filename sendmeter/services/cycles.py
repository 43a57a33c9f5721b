"""Which cycle an instant is booked into: the written one, else the one that the schedule gives."""

from collections.abc import Iterator
from datetime import datetime

from sendmeter.domain.cycles import Anchor, Cycle, Schedule
from sendmeter.domain.organizations import Organization
from sendmeter.store import Store, cycles, organizations


def cycle_at(store: Store, organization: Organization, instant: datetime) -> Cycle:
    """Find an organization's cycle at an instant, without writing anything."""
    before = cycles.before(store, organization.number, instant)
    if before is not None and instant in before:
        return before
    after = cycles.after(store, organization.number, instant)
    return organization.schedule.cycle_at(instant, [cycle for cycle in (before, after) if cycle is not None])


def cycles_between(store: Store, organization: Organization, start: datetime, end: datetime) -> Iterator[Cycle]:
    """List an organization's cycles that overlap a stretch of time, without writing anything."""
    written = cycles.around(store, organization.number, start, end)
    return organization.schedule.cycles_between(start, end, written)


def written_at(store: Store, organization: Organization, instant: datetime) -> Cycle:
    """Find an organization's cycle at an instant, and write it down where it is not yet: from then on it never moves.

    To be called within a transaction. The organization is locked only where there is something to write, once a cycle:
    so a change of its anchor comes wholly before or wholly after.
    """
    before = cycles.before(store, organization.number, instant)
    if before is not None and instant in before:
        return before
    organization = organizations.lock(store, organization.number)
    cycle = cycle_at(store, organization, instant)
    schedule = organization.schedule
    cycles.insert(store, organization.number, cycle, schedule.anchor_at(cycle.start), schedule.reason(cycle))
    return cycle


def reanchored(store: Store, organization: Organization, anchor: Anchor, now: datetime) -> Schedule:
    """Return the schedule with another anchor from the end of the running cycle, or of a later one already written.

    To be called with the organization locked.
    """
    running = written_at(store, organization, now)
    last = cycles.last(store, organization.number) or running
    return organization.schedule.changed(anchor, max(running.end, last.end))
