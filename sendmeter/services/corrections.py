"""Corrections: taking an event back, and telling its cost later or anew. The ledger only grows."""

import secrets
from datetime import datetime

from sendmeter.domain.channels import COSTED_CHANNELS
from sendmeter.domain.events import EventKey, Place, place_of
from sendmeter.domain.ids import new_id
from sendmeter.domain.instants import instant_text
from sendmeter.domain.ledger import MOST_CORRECTIONS, SETTLE, VOID, Correction, Entry, settlement_of, void_of
from sendmeter.domain.organizations import Organization
from sendmeter.errors import Conflict, Fault
from sendmeter.services import messages
from sendmeter.services.cycles import written_at
from sendmeter.services.ledger import correct, entry_of
from sendmeter.store import Store, organizations
from sendmeter.store import messages as stored_messages


def void(store: Store, organization_number: int, key: EventKey, reason: str, now: datetime, *, by: str) -> Entry:
    """Take an event's count and cost back; its id stays used.

    Raises NotFound, Conflict if it was voided before, and InvalidRequest where a counter cannot hold the sum.
    """
    # Made before the transaction, so that one that is run again, after a commit in doubt, knows its own entry.
    correction_id = new_id("cor", now, secrets.token_bytes(10))

    def work() -> Entry:
        organization, entry, place = _locked(store, organization_number, key, now)
        if _has(entry, correction_id):
            return entry
        _check_not_voided(entry)
        # Before counters, as where events are recorded.
        message = stored_messages.lock(store, organization_number, entry.event)
        number, amounts = len(entry.corrections) + 1, void_of(entry, place)
        correction = Correction(number, correction_id, VOID, amounts, reason, place, now, by)
        voided = correct(store, organization_number, entry, correction)
        if message is not None:
            messages.hand_over(store, organization, message, key, now)
        return voided

    return store.write(work)


def settle(
    store: Store,
    organization_number: int,
    key: EventKey,
    cost_nano_usd: int,
    reason: str | None,
    now: datetime,
    *,
    by: str,
) -> Entry:
    """Set an event's cost, which was unknown or wrong, by adding the difference. The cost that it has changes nothing.

    Raises NotFound, Conflict if the channel has no cost, the event was voided, or it has too many corrections, and
    InvalidRequest where a counter cannot hold the sum.
    """
    correction_id = new_id("cor", now, secrets.token_bytes(10))

    def work() -> Entry:
        _, entry, place = _locked(store, organization_number, key, now)
        if _has(entry, correction_id):
            return entry
        if entry.event.channel not in COSTED_CHANNELS:
            fault = Fault("/cost", f"does not apply: {entry.event.channel} has no cost")
            raise Conflict("The event has no cost to set.", fix="Name an event of SMS or CALL.", faults=[fault])
        _check_not_voided(entry)
        amounts = settlement_of(entry, place, cost_nano_usd)
        if amounts is None:
            return entry
        number = len(entry.corrections) + 1
        if number > MOST_CORRECTIONS:
            raise Conflict(f"The event has {MOST_CORRECTIONS:,} corrections, as many as there may be.", fix="Void it.")
        correction = Correction(number, correction_id, SETTLE, amounts, reason, place, now, by)
        return correct(store, organization_number, entry, correction)

    return store.write(work)


def _locked(store: Store, organization_number: int, key: EventKey, now: datetime) -> tuple[Organization, Entry, Place]:
    """Find an event, and where a correction of it is booked; nobody else corrects meanwhile."""
    organization = organizations.lock(store, organization_number)
    entry = entry_of(store, organization_number, key)
    running = written_at(store, organization, now)
    return organization, entry, place_of(entry.place.booked_at, entry.place.cycle, running, now)


def _has(entry: Entry, correction_id: str) -> bool:
    """Return whether the correction was made already, by a run of the same transaction whose commit was in doubt."""
    return any(each.correction_id == correction_id for each in entry.corrections)


def _check_not_voided(entry: Entry) -> None:
    if entry.void is not None:
        voided_at = instant_text(entry.void.recorded_at)
        raise Conflict(
            f"Event {entry.event.event_id} of source {entry.event.source} was voided at {voided_at}.",
            fix="If this is a retry, nothing more is to be done. What was sent after all is a new event with a new id.",
        )
