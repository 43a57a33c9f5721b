"""Where recorded events meet what their providers tell: which event has a message's cost, and when it gets it."""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sendmeter.domain.events import Booking, EventKey, Place, place_of
from sendmeter.domain.ids import new_id
from sendmeter.domain.ledger import MOST_CORRECTIONS, SETTLE, Correction, Entry, settlement_of
from sendmeter.domain.organizations import Organization
from sendmeter.domain.providers import FIRST_QUESTION
from sendmeter.services.cycles import written_at
from sendmeter.services.ledger import correct, corrected, entry_of
from sendmeter.store import Store, corrections, events, messages
from sendmeter.store.messages import Message

TOLD = "told by the provider"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """An event that was recorded now and whose cost is known already, and why."""

    booking: Booking
    cost_nano_usd: int
    reason: str


def corrected_by(provider: str) -> str:
    """Name who made a correction that a provider's word made."""
    return f"provider:{provider}"


def register(store: Store, organization_number: int, new: Sequence[Booking], now: datetime) -> list[Known]:
    """Note which providers' messages new events are of; give those whose cost is known already.

    Within the transaction that records them, before their counters.
    """
    keyed = [(messages.key_of(booking.event), booking) for booking in new if booking.event.pending]
    waiting = [(key, booking) for key, booking in keyed if key is not None]
    first = {key: booking.event for key, booking in reversed(waiting)}
    ask_at = now + FIRST_QUESTION
    found = {each.key: each for each in messages.register(store, organization_number, first, ask_at)}
    known = []
    for key, booking in waiting:
        message = found[key]
        if message.event != booking.event.key:
            if not _is_voided(store, organization_number, message.event):
                known.append(Known(booking, 0, _counted_with(message)))
                continue
            messages.take_over(store, organization_number, message, booking.event.key, ask_at)
            found[key] = message = replace(message, event=booking.event.key)
        if message.cost_nano_usd is not None:
            known.append(Known(booking, message.cost_nano_usd, TOLD))
    return known


def settle(store: Store, organization_number: int, known: Sequence[Known], now: datetime) -> None:
    """Settle events that were recorded in this transaction. Nobody else sees them yet, so nothing is locked."""
    for each in known:
        booking = each.booking
        entry = Entry(booking.event, booking.occurred_at, booking.place, now)
        place = Place(booking.place.booked_at, booking.place.cycle, late=False)
        amounts = settlement_of(entry, place, each.cost_nano_usd)
        assert amounts is not None  # noqa: S101 - a pending event has no cost that could be the same
        correction_id = new_id("cor", now, secrets.token_bytes(10))
        by = corrected_by(booking.event.provider or "")
        correction = Correction(1, correction_id, SETTLE, amounts, each.reason, place, now, by)
        correct(store, organization_number, entry, correction)


def settle_told(store: Store, organization: Organization, message: Message, now: datetime) -> bool:
    """Set the cost that the provider reported last on a message's event; return whether the cost changed.

    With the organization locked. Whatever other event of the message waits for a cost has none of its own.
    """
    if message.event is None or message.cost_nano_usd is None:
        return False
    others = [each for each in _of_message(store, organization, message) if each.event.key != message.event]
    for entry in others:
        if entry.pending:
            _settle(store, organization, entry, message, 0, _counted_with(message), now)
    entry = entry_of(store, organization.number, message.event)
    is_told = _is_the_providers(entry, message.provider)
    return is_told and _settle(store, organization, entry, message, message.cost_nano_usd, TOLD, now)


def hand_over(store: Store, organization: Organization, message: Message, voided: EventKey, now: datetime) -> None:
    """Assign a message whose event was voided to another event reported for it, which then gets its cost.

    With the organization and the message locked.
    """
    if message.event != voided:
        return
    heirs = [each for each in _of_message(store, organization, message) if _is_the_providers(each, message.provider)]
    if heirs:
        heir = heirs[0].event.key
        messages.take_over(store, organization.number, message, heir, now)
        settle_told(store, organization, replace(message, event=heir), now)


def _of_message(store: Store, organization: Organization, message: Message) -> list[Entry]:
    keys = events.of_message(store, organization.number, *message.key)
    found = events.by_keys(store, organization.number, keys)
    return corrected(store, organization.number, [found[key] for key in keys])


def _settle(
    store: Store,
    organization: Organization,
    entry: Entry,
    message: Message,
    cost_nano_usd: int,
    reason: str,
    now: datetime,
) -> bool:
    running = written_at(store, organization, now)
    place = place_of(entry.place.booked_at, entry.place.cycle, running, now)
    amounts = settlement_of(entry, place, cost_nano_usd)
    number, by = len(entry.corrections) + 1, corrected_by(message.provider)
    if amounts is None:
        return False
    if number > MOST_CORRECTIONS:
        logger.warning("event %s was corrected %d times: what %s tells is left", entry.event.key, number - 1, by)
        return False
    correction_id = new_id("cor", now, secrets.token_bytes(10))
    correction = Correction(number, correction_id, SETTLE, amounts, reason, place, now, by)
    correct(store, organization.number, entry, correction)
    return True


def _is_the_providers(entry: Entry, provider: str) -> bool:
    """Return whether a provider's word counts for an event: nobody told its cost yet, or only the provider did."""
    by = corrected_by(provider)
    return entry.event.pending and all(each.made_by == by for each in entry.corrections)


def _is_voided(store: Store, organization_number: int, key: EventKey | None) -> bool:
    found = [] if key is None else corrections.by_keys(store, organization_number, [key]).get(key, [])
    return any(each.kind == "void" for each in found)


def _counted_with(message: Message) -> str:
    source, event_id = message.event or ("", "")
    return f"the cost of the message is that of event {event_id} of source {source}"
