"""The ledger's entries: found with their corrections, and corrected."""

from dataclasses import replace

from sendmeter.domain.events import EventKey
from sendmeter.domain.ledger import Correction, Entry
from sendmeter.domain.usage import Counter
from sendmeter.errors import NotFound
from sendmeter.store import Store, corrections, events, messages, usage


def entry_of(store: Store, organization_number: int, key: EventKey) -> Entry:
    """Find an event within a unit of work that is under way.

    Raises NotFound if there is none.
    """
    found = events.by_keys(store, organization_number, [key])
    if key not in found:
        source, event_id = key
        raise NotFound(
            f"There is no event {event_id!r} of source {source!r}.",
            fix="Name an event that was recorded with a key of this organization, and its source if that is not 'api'.",
        )
    return corrected(store, organization_number, [found[key]])[0]


def corrected(store: Store, organization_number: int, entries: list[Entry]) -> list[Entry]:
    """Return entries with their corrections."""
    found = corrections.by_keys(store, organization_number, [entry.event.key for entry in entries])
    return [replace(entry, corrections=tuple(found.get(entry.event.key, ()))) for entry in entries]


def correct(store: Store, organization_number: int, entry: Entry, correction: Correction) -> Entry:
    """Add an entry to the ledger, and to the counters of its place, within a transaction that is under way."""
    corrections.insert(store, organization_number, entry.event.key, correction)
    if entry.pending:
        events.delete_pending(store, organization_number, entry.event.key)
        messages.settled(store, organization_number, entry.event)
    # Counters come last, here as where events are recorded: who locks in one order never deadlocks.
    after = replace(entry, corrections=(*entry.corrections, correction))
    usage.add(store, organization_number, [(correction.place, _counted(entry, after, correction))])
    return after


def _counted(before: Entry, after: Entry, correction: Correction) -> Counter:
    """Return what a correction adds to the counters: its amounts, and how they change what its cycle gives back."""
    if not correction.place.late:
        return correction.amounts
    cycle = correction.place.cycle
    had, has = before.returned_in(cycle), after.returned_in(cycle)
    return replace(correction.amounts, returned_quantity=has[0] - had[0], returned_nano_usd=has[1] - had[1])
