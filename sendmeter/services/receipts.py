"""Receipts: what a provider tells of a message, counted once in whatever order it comes, and however often."""

import logging
from dataclasses import replace
from datetime import datetime

from sendmeter.domain.channels import COSTED_CHANNELS
from sendmeter.domain.events import UsageEvent, refused_time
from sendmeter.domain.organizations import Organization
from sendmeter.domain.receipts import Receipt
from sendmeter.errors import Conflict
from sendmeter.services import events
from sendmeter.services.messages import settle_told
from sendmeter.store import Store, messages, organizations
from sendmeter.store import events as stored_events

SETTLED, RECORDED, KEPT, KNOWN, IGNORED = "settled", "recorded", "kept", "known", "ignored"
logger = logging.getLogger(__name__)


def take(
    store: Store, organization_number: int, provider: str, receipt: Receipt, now: datetime, *, records: bool
) -> str:
    """Take a receipt, in one transaction; tell what became of it, in the contract's words.

    It settles the event of its message. Where there is none yet, it is kept until there is; or, with `records`, makes
    it. An event whose cost its sender told, or somebody set by hand, keeps that. Raises InvalidRequest if a counter
    cannot hold the sum.
    """
    makes_event = records and receipt.was_sent
    if receipt.cost_nano_usd is None and not makes_event:
        return IGNORED

    # A provider's clock that is ahead must not make this the last word for long.
    receipt = replace(receipt, told_at=min(receipt.told_at, now))

    def work() -> str:
        # Locked first, as by all that decides from what is stored; then the message, then counters.
        organization = organizations.lock(store, organization_number)
        if receipt.channel not in COSTED_CHANNELS:
            return _record(store, organization, provider, receipt, now)
        told = messages.tell(store, organization_number, provider, receipt)
        message = told or messages.by_id(store, organization_number, (provider, receipt.message_id))
        if message is not None and message.event is not None:
            return SETTLED if told and settle_told(store, organization, message, now) else KNOWN
        if stored_events.of_message(store, organization_number, provider, receipt.message_id):
            return KNOWN  # its sender told the cost
        return _record(store, organization, provider, receipt, now) if makes_event else KEPT if told else KNOWN

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
    try:
        events.add(store, organization, [("", event)], now)
    except Conflict:
        # Somebody else recorded another event under that id at the same moment.
        return _adopt(store, organization, provider, receipt, now)
    return RECORDED


def _adopt(store: Store, organization: Organization, provider: str, receipt: Receipt, now: datetime) -> str:
    """Assign a message to an event that was recorded meanwhile under the id that it would have."""
    key = (provider, receipt.message_id)
    message = messages.by_id(store, organization.number, key)
    if message is None:
        return KNOWN
    messages.take_over(store, organization.number, message, key, now)
    return SETTLED if settle_told(store, organization, replace(message, event=key), now) else KNOWN
