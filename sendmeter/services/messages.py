"""Where recorded events meet what their providers told before: the cost that waited for its event."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sendmeter.domain.events import Booking, EventKey, Place
from sendmeter.domain.ids import new_id
from sendmeter.domain.ledger import SETTLE, Correction, Entry, settlement_of
from sendmeter.domain.providers import FIRST_QUESTION
from sendmeter.services.ledger import correct
from sendmeter.store import Store, corrections, messages
from sendmeter.store.messages import Message

TOLD = "told by the provider"


@dataclass(frozen=True, slots=True)
class Known:
    """An event that was recorded now and whose cost is known already, and why."""

    booking: Booking
    cost_nano_usd: int
    reason: str


def told_by(provider: str) -> str:
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
        by = told_by(booking.event.provider or "")
        correction = Correction(1, correction_id, SETTLE, amounts, each.reason, place, now, by)
        correct(store, organization_number, entry, correction)


def _is_voided(store: Store, organization_number: int, key: EventKey | None) -> bool:
    found = [] if key is None else corrections.by_keys(store, organization_number, [key]).get(key, [])
    return any(each.kind == "void" for each in found)


def _counted_with(message: Message) -> str:
    source, event_id = message.event or ("", "")
    return f"the cost of the message is that of event {event_id} of source {source}"
