"""Recording events: exactly once, together with their counters."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sendmeter.domain.events import Booking, UsageEvent, as_sent, refused_time
from sendmeter.domain.organizations import Organization
from sendmeter.errors import Conflict, Fault, InvalidRequest, NotFound
from sendmeter.services.cycles import cycle_at
from sendmeter.store import Store, cycles, events, organizations, usage

Key = tuple[str, str]
Batch = Sequence[tuple[str, UsageEvent]]
"""Events, each with a pointer to where it stands in what the sender sent."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: id and outcome (`accepted`, `late` or `duplicate`) of each event, in its order."""

    outcomes: tuple[tuple[str, str], ...]

    @property
    def accepted(self) -> int:
        """Events that were recorded now, late ones included."""
        return len(self.outcomes) - self.duplicates

    @property
    def duplicates(self) -> int:
        """Events that were recorded before."""
        return sum(outcome == "duplicate" for _, outcome in self.outcomes)

    @property
    def late(self) -> int:
        """Events that were recorded now and booked into the running cycle because their own is closed."""
        return sum(outcome == "late" for _, outcome in self.outcomes)


def record(store: Store, organization_number: int, batch: Batch, now: datetime) -> Recorded:
    """Record a batch of events with their counters in one transaction: all of them or none.

    Raises InvalidRequest where an event's time is refused or a counter cannot hold it, and Conflict where an id is
    known with other content; both point at each such event.
    """
    return store.write(lambda: _record(store, organization_number, batch, now))


def _record(store: Store, organization_number: int, batch: Batch, now: datetime) -> Recorded:
    organization = organizations.by_number(store, organization_number)
    if organization is None:
        raise NotFound("There is no such organization (any more).")
    first = {event.key: event for _, event in reversed(batch)}
    refused = _refused(organization, first.values(), now)
    bookings = _book(store, organization, [first[key] for key in first.keys() - refused.keys()], now)
    added = events.insert(store, organization_number, bookings, now)
    _check(store, organization_number, batch, first, added, refused)
    _count(store, organization, [booking for booking in bookings if booking.event.key in added])
    return Recorded(_outcomes(batch, {booking.event.key: booking for booking in bookings}, added))


def _refused(organization: Organization, found: Collection[UsageEvent], now: datetime) -> dict[Key, str]:
    """Say which events are of a time that is not recorded; they may still have been recorded when it was."""
    said = {}
    for event in found:
        reason = refused_time(event.occurred_at or now, starts_at=organization.starts_at, now=now)
        if reason:
            said[event.key] = reason
    return said


def _book(store: Store, organization: Organization, found: Collection[UsageEvent], now: datetime) -> list[Booking]:
    """Find each event's place in the books."""
    running = cycle_at(store, organization, now)
    known = [running]
    bookings = []
    for event in found:
        occurred_at = event.occurred_at or now
        cycle = next((cycle for cycle in known if occurred_at in cycle), None)
        if cycle is None:
            cycle = cycle_at(store, organization, occurred_at)
            known.append(cycle)
        if cycle.closed(now):
            bookings.append(Booking(event, occurred_at, booked_at=now, cycle=running, late=True))
        else:
            bookings.append(Booking(event, occurred_at, booked_at=occurred_at, cycle=cycle, late=False))
    return bookings


def _check(
    store: Store,
    organization_number: int,
    batch: Batch,
    first: dict[Key, UsageEvent],
    added: set[Key],
    refused: dict[Key, str],
) -> None:
    """Refuse the batch where an event is of a refused time, or is known already with other content."""
    known = events.by_keys(store, organization_number, sorted(first.keys() - added))
    times: list[Fault] = []
    contents: list[Fault] = []
    for pointer, event in batch:
        if event.key in added and event is first[event.key]:
            continue
        if event.key in known:
            stored, recorded_at = known[event.key]
            differences = as_sent(stored, event, recorded_at).differences(event)
        elif event.key in refused:
            times.append(Fault(pointer, f"occurredAt {refused[event.key]}"))
            continue
        else:
            differences = first[event.key].differences(event)
        if differences:
            where = "was recorded" if event.key in known else "stands in the batch too"
            said = f"{event.event_id} of source {event.source} {where} with another {', '.join(differences)}"
            contents.append(Fault(pointer, said))
    if times:
        raise InvalidRequest.of(times)
    if contents:
        count = "1 event has an id that is" if len(contents) == 1 else f"{len(contents)} events have ids that are"
        raise Conflict(
            f"{count} known already with other content.",
            fix="Give a new event a new id; send a known event again unchanged. Nothing was stored.",
            faults=contents,
        )


def _count(store: Store, organization: Organization, bookings: Sequence[Booking]) -> None:
    """Add newly recorded events to the books: cycles, counters, and costs that are still to come."""
    if not bookings:
        return
    for cycle in sorted({booking.cycle for booking in bookings}, key=lambda cycle: cycle.start):
        cycles.insert(store, organization.number, cycle, organization.anchor)
    events.insert_pending(store, organization.number, bookings)
    usage.add(store, organization.number, bookings)


def _outcomes(batch: Batch, bookings: dict[Key, Booking], added: set[Key]) -> tuple[tuple[str, str], ...]:
    """Tell what became of each event; of several with one key the first was recorded, if any was."""
    outcomes = []
    waiting = set(added)
    for _, event in batch:
        if event.key in waiting:
            waiting.remove(event.key)
            outcomes.append((event.event_id, "late" if bookings[event.key].late else "accepted"))
        else:
            outcomes.append((event.event_id, "duplicate"))
    return tuple(outcomes)
