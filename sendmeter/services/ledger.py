"""Adding a correction to the ledger: the entry itself, the counters of its place, and what then waits no more."""

from dataclasses import replace

from sendmeter.domain.ledger import Correction, Entry
from sendmeter.store import Store, corrections, events, messages, usage


def correct(store: Store, organization_number: int, entry: Entry, correction: Correction) -> Entry:
    """Add an entry to the ledger, and to the counters of its place, within a transaction that is under way."""
    corrections.insert(store, organization_number, entry.event.key, correction)
    if entry.pending:
        events.delete_pending(store, organization_number, entry.event.key)
        messages.settled(store, organization_number, entry.event)
    # Counters come last, here as where events are recorded: who locks in one order never deadlocks.
    usage.add(store, organization_number, [(correction.place, correction.amounts)])
    return replace(entry, corrections=(*entry.corrections, correction))
