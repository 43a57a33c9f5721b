"""Events: recorded exactly once, together with their counters; found again with their corrections."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from sendmeter.domain.channels import CHANNELS
from sendmeter.domain.cursors import Page, page_of
from sendmeter.domain.events import (
    Batch,
    Booking,
    EventKey,
    Place,
    UsageEvent,
    as_sent,
    place_of,
    refused_time,
)
from sendmeter.domain.instants import instant_text
from sendmeter.domain.ledger import Entry
from sendmeter.domain.organizations import Organization
from sendmeter.errors import Conflict, Fault, InvalidRequest
from sendmeter.services import audit, messages
from sendmeter.services.cycles import cycle_at, written_at
from sendmeter.services.ledger import corrected, entry_of
from sendmeter.services.paging import start_of
from sendmeter.store import Store, events, organizations, usage


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch: key and outcome (`accepted`, `late` or `duplicate`) of each event, in its order."""

    outcomes: tuple[tuple[EventKey, str], ...]

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

    def to_json(self) -> dict[str, Any]:
        """Write the contract's answer to a batch."""
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "late": self.late,
            "events": [
                {"id": event_id, "source": source, "outcome": outcome} for (source, event_id), outcome in self.outcomes
            ],
        }


@dataclass(frozen=True, slots=True)
class Search:
    """Which events are looked for: of one channel or all, that occurred within `[start, end)`; None means no bound."""

    channel: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def record(
    store: Store, organization_number: int, batch: Batch, now: datetime, *, backfilled_by: str | None = None
) -> Recorded:
    """Record a batch of events with their counters in one transaction: all of them or none.

    With `backfilled_by`, the name of an operator, each event is booked where it belongs, into closed cycles too,
    however old it is; the audit log tells. Raises InvalidRequest if an event's time is refused or a counter cannot
    hold it, and Conflict where an id is known with other content; both point at each such event.
    """

    def work() -> Recorded:
        organization = organizations.by_number(store, organization_number)
        return add(store, organization, batch, now, backfilled_by=backfilled_by)

    return store.write(work)


def record_together(store: Store, sent: Sequence[tuple[int, Batch]], now: datetime) -> list[Recorded]:
    """Record batches of several senders, each with its organization's number, in one transaction: all or none.

    Gives what became of each, in their order, as if one had been recorded after the other. Raises where `record` would
    refuse one of them, or where only one after the other can tell. For no more events than one batch may have.
    """

    def work() -> list[Recorded]:
        recorded: dict[int, Recorded] = {}
        for number in sorted({number for number, _ in sent}):
            batches = {index: batch for index, (each, batch) in enumerate(sent) if each == number}
            together = [each for batch in batches.values() for each in batch]
            outcomes = iter(add(store, organizations.by_number(store, number), together, now).outcomes)
            recorded |= {index: Recorded(tuple(islice(outcomes, len(batch)))) for index, batch in batches.items()}
        return [recorded[index] for index in range(len(sent))]

    return store.write(work)


def add(
    store: Store, organization: Organization, batch: Batch, now: datetime, *, backfilled_by: str | None = None
) -> Recorded:
    """Record a batch within a transaction that is under way."""
    backfill = backfilled_by is not None
    first = {event.key: event for _, event in reversed(batch)}
    refused = _refused(organization, first.values(), now, backfill=backfill)
    # In the batch's order: of several events of one provider's message the first has its cost.
    possible = [first[key] for key in dict.fromkeys(event.key for _, event in batch) if key not in refused]
    bookings = _book(store, organization, possible, now, backfill=backfill)
    added = events.insert(store, organization.number, bookings, now)
    _check(store, organization.number, batch, first, added, refused)
    new = [booking for booking in bookings if booking.event.key in added]
    events.insert_pending(store, organization.number, new)
    known = messages.register(store, organization.number, new, now)
    if new:
        usage.add(store, organization.number, [(booking.place, booking.event.counter) for booking in new])
    messages.settle(store, organization.number, known, now)
    if new and backfilled_by is not None:
        audit.add(store, organization.number, "events.backfilled", _audit_details(new), by=backfilled_by, now=now)
    return Recorded(_outcomes(batch, {booking.event.key: booking for booking in bookings}, added))


def search(store: Store, organization_number: int, wanted: Search, cursor: str | None, limit: int) -> Page[Entry]:
    """List recorded events page by page, newest first by when they occurred. What is recorded meanwhile moves nothing.

    Raises InvalidRequest if the cursor is none of this listing's.
    """
    listing = ("events.search", wanted.channel, wanted.start, wanted.end)

    def work() -> Page[Entry]:
        organization = organizations.by_number(store, organization_number)
        position = start_of(organization, listing, cursor)
        found = events.newest(
            store,
            organization_number,
            CHANNELS if wanted.channel is None else (wanted.channel,),
            start=wanted.start,
            end=wanted.end,
            before=position,
            limit=limit + 1,
        )
        page = page_of(organization.cursor_key, listing, found, limit, events.position)
        return replace(page, items=corrected(store, organization_number, page.items))

    return store.snapshot(work)


def get(store: Store, organization_number: int, key: EventKey) -> Entry:
    """Find an event by source and id, with its corrections.

    Raises NotFound if there is none.
    """
    return store.snapshot(lambda: entry_of(store, organization_number, key))


def _refused(
    organization: Organization, found: Collection[UsageEvent], now: datetime, *, backfill: bool
) -> dict[EventKey, str]:
    """Say why events are of a refused time; they may still have been recorded when it was."""
    said = {}
    for event in found:
        occurred_at = event.occurred_at or now
        reason = refused_time(occurred_at, starts_at=organization.starts_at, now=now, backfill=backfill)
        if reason:
            said[event.key] = reason
    return said


def _book(
    store: Store, organization: Organization, found: Collection[UsageEvent], now: datetime, *, backfill: bool
) -> list[Booking]:
    """Find each event's place in the books, and write down the cycles that count them."""
    running = written_at(store, organization, now)
    known = [running]
    bookings = []
    for event in found:
        occurred_at = event.occurred_at or now
        own = next((cycle for cycle in known if occurred_at in cycle), None)
        if own is None:
            own = cycle_at(store, organization, occurred_at)
            if backfill or not own.closed(now):
                own = written_at(store, organization, occurred_at)
            known.append(own)
        place = Place(occurred_at, own, late=False) if backfill else place_of(occurred_at, own, running, now)
        bookings.append(Booking(event, occurred_at, place))
    return bookings


def _check(
    store: Store,
    organization_number: int,
    batch: Batch,
    first: dict[EventKey, UsageEvent],
    added: set[EventKey],
    refused: dict[EventKey, str],
) -> None:
    """Refuse the batch where an event is of a refused time, or is known already with other content."""
    known = events.by_keys(store, organization_number, sorted(first.keys() - added))
    times: list[Fault] = []
    contents: list[Fault] = []
    fix = "Give a new event a new id; send a known event again unchanged. Nothing was stored."
    for pointer, event in batch:
        if event.key in added and event is first[event.key]:
            continue
        if event.key in known:
            entry = known[event.key]
            differences = as_sent(entry.event, event, entry.recorded_at).differences(event)
        elif event.key in refused:
            times.append(Fault(pointer, f"occurredAt {refused[event.key]}"))
            continue
        else:
            differences = first[event.key].differences(event)
        if differences:
            where = "was recorded" if event.key in known else "stands in the batch too"
            said = f"{event.event_id} of source {event.source} {where} with another {', '.join(differences)}"
            contents.append(Fault(pointer, said))
            if differences == ["cost"] and event.key in known:
                fix = "Set a cost that is known later, or was wrong, with events.settle. Nothing was stored."
    if times:
        raise InvalidRequest.of(times)
    if contents:
        count = "1 event has an id that is" if len(contents) == 1 else f"{len(contents)} events have ids that are"
        raise Conflict(
            f"{count} known already with other content.",
            fix=fix,
            faults=contents,
        )


def _audit_details(bookings: Sequence[Booking]) -> dict[str, Any]:
    """Return how much a backfill recorded, and into which cycles."""
    starts = sorted({booking.place.cycle.start for booking in bookings})
    return {"events": len(bookings), "billingCycles": [instant_text(start) for start in starts]}


def _outcomes(
    batch: Batch, bookings: dict[EventKey, Booking], added: set[EventKey]
) -> tuple[tuple[EventKey, str], ...]:
    """Return the outcome of each event; of several with one key the first was recorded, if any was."""
    outcomes = []
    waiting = set(added)
    for _, event in batch:
        if event.key in waiting:
            waiting.remove(event.key)
            outcomes.append((event.key, "late" if bookings[event.key].place.late else "accepted"))
        else:
            outcomes.append((event.key, "duplicate"))
    return tuple(outcomes)
