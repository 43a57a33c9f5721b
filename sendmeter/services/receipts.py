"""Receipts: what a provider tells of a message, counted once in whatever order it comes, and however often."""

import logging
import secrets
from datetime import datetime

from sendmeter.domain.channels import COSTED_CHANNELS
from sendmeter.domain.events import UsageEvent, place_of, refused_time
from sendmeter.domain.ids import new_id
from sendmeter.domain.ledger import SETTLE, Correction, Entry, settlement_of
from sendmeter.domain.organizations import Organization
from sendmeter.domain.receipts import Receipt
from sendmeter.services import events
from sendmeter.services.corrections import MOST_CORRECTIONS
from sendmeter.services.cycles import written_at
from sendmeter.services.ledger import correct
from sendmeter.services.messages import TOLD, told_by
from sendmeter.store import Store, messages, organizations, providers
from sendmeter.store import events as stored_events
from sendmeter.store.messages import Message

SETTLED, RECORDED, KEPT, KNOWN, IGNORED = "settled", "recorded", "kept", "known", "ignored"
logger = logging.getLogger(__name__)


def take(
    store: Store, organization_number: int, provider: str, receipt: Receipt, now: datetime, *, records: bool
) -> str:
    """Take a receipt, in one transaction; tell what became of it, in the contract's words.

    It settles the event of its message. Where there is none yet, it is kept until there is; or, with `records`, makes
    it. An event whose cost its sender told, or somebody set by hand, keeps that. Raises InvalidRequest where a counter
    cannot hold the sum.
    """
    makes_event = records and receipt.was_sent
    if receipt.cost_nano_usd is None and not makes_event:
        return IGNORED

    def work() -> str:
        # Locked first, as by all that decides from what is stored; then the message, then counters.
        organization = organizations.lock(store, organization_number)
        providers.received(store, organization_number, provider, now)
        if receipt.channel not in COSTED_CHANNELS:
            return _record(store, organization, provider, receipt, now)
        told = messages.tell(store, organization_number, provider, receipt)
        message = told or messages.by_id(store, organization_number, (provider, receipt.message_id))
        if message is None or message.event is None:
            return _record(store, organization, provider, receipt, now) if makes_event else KEPT if told else KNOWN
        return _settle(store, organization, message, now) if told else KNOWN

    return store.write(work)


def _record(store: Store, organization: Organization, provider: str, receipt: Receipt, now: datetime) -> str:
    """Record the event that a receipt tells of; the cost that it told settles it."""
    # The provider's clock may be a little ahead of ours.
    occurred_at = min(receipt.sent_at or receipt.told_at, now)
    message_id, channel = receipt.message_id, receipt.channel
    event = UsageEvent(
        provider, message_id, channel, receipt.quantity, None, provider, message_id, occurred_at, metadata={}
    )
    if stored_events.by_keys(store, organization.number, [event.key]):
        return _adopt(store, organization, provider, receipt, now)
    if refused := refused_time(occurred_at, starts_at=organization.starts_at, now=now):
        logger.info("%s tells of a message that %s: it is not counted", provider, refused)
        return IGNORED
    events.add(store, organization, [("", event)], now)
    return RECORDED


def _adopt(store: Store, organization: Organization, provider: str, receipt: Receipt, now: datetime) -> str:
    """Let a message be that of an event which somebody else recorded under the id that it would have."""
    message = messages.by_id(store, organization.number, (provider, receipt.message_id))
    if message is None:
        return KNOWN
    key = (provider, receipt.message_id)
    messages.take_over(store, organization.number, message, key, now)
    adopted = messages.by_id(store, organization.number, message.key)
    return _settle(store, organization, adopted, now) if adopted else KNOWN


def _settle(store: Store, organization: Organization, message: Message, now: datetime) -> str:
    """Give an event the cost that its provider told last."""
    if message.event is None or message.cost_nano_usd is None:
        return KNOWN
    entry = events.entry_of(store, organization.number, message.event)
    running = written_at(store, organization, now)
    place = place_of(entry.place.booked_at, entry.place.cycle, running, now)
    amounts = settlement_of(entry, place, message.cost_nano_usd)
    by, number = told_by(message.provider), len(entry.corrections) + 1
    if amounts is None or not _is_the_providers(entry, by):
        return KNOWN
    if number > MOST_CORRECTIONS:
        logger.warning("event %s has been corrected %d times: what %s tells is left", message.event, number - 1, by)
        return KNOWN
    correction_id = new_id("cor", now, secrets.token_bytes(10))
    correction = Correction(number, correction_id, SETTLE, amounts, TOLD, place, now, by)
    correct(store, organization.number, entry, correction)
    return SETTLED


def _is_the_providers(entry: Entry, by: str) -> bool:
    """Tell whether a provider's word counts for an event: nobody told its cost yet, or only the provider did."""
    return entry.pending or (
        bool(entry.corrections) and entry.event.pending and all(each.made_by == by for each in entry.corrections)
    )
