"""Providers' messages in the store: where an event and what its provider tells of it meet.

Both write the same row: whoever comes second waits until the first has committed, and then sees it. So neither is lost,
in whatever order they come, and without a lock that recording would have to take.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sendmeter.domain.events import EventKey, UsageEvent
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.domain.receipts import Receipt
from sendmeter.store.database import Store

_COLUMNS = "provider, message_id, channel, source, event_id, cost_nano_usd, told_at, asked"
# Who was first stays; what comes back is how the row is now.
_REGISTER = f"""
INSERT INTO provider_messages (organization_id, provider, message_id, channel, source, event_id, ask_at, asked)
VALUES {{rows}}
ON CONFLICT (organization_id, provider, message_id) DO UPDATE SET
source = COALESCE(provider_messages.source, excluded.source),
event_id = COALESCE(provider_messages.event_id, excluded.event_id),
ask_at = CASE WHEN provider_messages.source IS NULL AND provider_messages.cost_nano_usd IS NULL
    THEN excluded.ask_at ELSE provider_messages.ask_at END
RETURNING {_COLUMNS}
"""
_TAKE_OVER = """
UPDATE provider_messages SET source = ?, event_id = ?,
ask_at = CASE WHEN cost_nano_usd IS NULL THEN ? ELSE NULL END
WHERE organization_id = ? AND provider = ? AND message_id = ?
"""
# The cost that was told last counts; of two told at one instant the larger, so that their order does not matter.
_TELL = f"""
INSERT INTO provider_messages
(organization_id, provider, message_id, channel, cost_nano_usd, told_at, asked)
VALUES (?, ?, ?, ?, ?, ?, 0)
ON CONFLICT (organization_id, provider, message_id) DO UPDATE SET
cost_nano_usd = excluded.cost_nano_usd, told_at = excluded.told_at, ask_at = NULL
WHERE excluded.cost_nano_usd IS NOT NULL AND (
    provider_messages.told_at IS NULL OR excluded.told_at > provider_messages.told_at
    OR (excluded.told_at = provider_messages.told_at AND excluded.cost_nano_usd > provider_messages.cost_nano_usd)
)
RETURNING {_COLUMNS}
"""
_BY_ID = f"SELECT {_COLUMNS} FROM provider_messages WHERE organization_id = ? AND provider = ? AND message_id = ?"
# Changes nothing, and keeps the row locked.
_LOCK = f"""
UPDATE provider_messages SET asked = asked WHERE organization_id = ? AND provider = ? AND message_id = ?
RETURNING {_COLUMNS}
"""
_DUE = f"""
SELECT {_COLUMNS} FROM provider_messages WHERE organization_id = ? AND provider = ? AND ask_at <= ?
ORDER BY ask_at, message_id LIMIT ?
"""
_NEXT = "SELECT MIN(ask_at) FROM provider_messages WHERE organization_id = ? AND provider = ? AND ask_at IS NOT NULL"
_ASKED = """
UPDATE provider_messages SET asked = asked + 1, ask_at = ?
WHERE organization_id = ? AND provider = ? AND message_id = ? AND ask_at IS NOT NULL
"""
_ASK_ANEW = """
UPDATE provider_messages AS messages SET ask_at = ?, asked = 0
WHERE organization_id = ? AND provider = ? AND cost_nano_usd IS NULL AND EXISTS (
    SELECT 1 FROM pending_costs AS pending WHERE pending.organization_id = messages.organization_id
    AND pending.source = messages.source AND pending.event_id = messages.event_id
)
"""
_POSTPONE = """
UPDATE provider_messages SET ask_at = ?
WHERE organization_id = ? AND provider = ? AND message_id = ? AND ask_at IS NOT NULL
"""
_BRING_FORWARD = """
UPDATE provider_messages SET ask_at = ? WHERE organization_id = ? AND provider = ? AND ask_at > ?
"""
_SETTLED = """
UPDATE provider_messages SET ask_at = NULL
WHERE organization_id = ? AND provider = ? AND message_id = ? AND source = ? AND event_id = ?
"""
MessageKey = tuple[str, str]
"""What a message is known by: its provider and the provider's id of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is known of a provider's message: its event and its cost, each None until it comes."""

    provider: str
    message_id: str
    channel: str
    event: EventKey | None
    cost_nano_usd: int | None
    told_at: datetime | None
    asked: int

    @property
    def key(self) -> MessageKey:
        """What the message is known by."""
        return self.provider, self.message_id


def key_of(event: UsageEvent) -> MessageKey | None:
    """Return which message an event is of; None where its sender did not say."""
    if event.provider is None or event.provider_message_id is None:
        return None
    return event.provider, event.provider_message_id


def register(
    store: Store, organization_number: int, found: Mapping[MessageKey, UsageEvent], ask_at: datetime
) -> list[Message]:
    """Note which messages some events are of, and give what is known of those messages then.

    A message that has an event already keeps it. Sorted by key, as `events.insert` does.
    """
    if not found:
        return []
    row = "(?, ?, ?, ?, ?, ?, ?, 0)"
    parameters: list[object] = []
    for (provider, message_id), event in sorted(found.items(), key=lambda item: item[0]):
        parameters += (organization_number, provider, message_id, event.channel, *event.key, microseconds(ask_at))
    statement = _REGISTER.format(rows=", ".join([row] * len(found)))
    return _from_rows(store.execute(statement, parameters).fetchall())


def take_over(store: Store, organization_number: int, message: Message, event: EventKey, ask_at: datetime) -> None:
    """Assign a message to another event."""
    parameters = (*event, microseconds(ask_at), organization_number, *message.key)
    store.execute(_TAKE_OVER, parameters)


def tell(store: Store, organization_number: int, provider: str, receipt: Receipt) -> Message | None:
    """Note what a receipt tells; give the message as it is known then, or None where the receipt says nothing new."""
    parameters = (
        organization_number,
        provider,
        receipt.message_id,
        receipt.channel,
        receipt.cost_nano_usd,
        None if receipt.cost_nano_usd is None else microseconds(receipt.told_at),
    )
    rows = store.execute(_TELL, parameters).fetchall()
    return _from_row(rows[0]) if rows else None


def lock(store: Store, organization_number: int, event: UsageEvent) -> Message | None:
    """Find the message of an event; nobody else changes it before this transaction ends. None where there is none."""
    key = key_of(event)
    rows = [] if key is None else store.execute(_LOCK, (organization_number, *key)).fetchall()
    return _from_row(rows[0]) if rows else None


def by_id(store: Store, organization_number: int, key: MessageKey) -> Message | None:
    """Find a message."""
    row = store.execute(_BY_ID, (organization_number, *key)).fetchone()
    return None if row is None else _from_row(row)


def due(store: Store, organization_number: int, provider: str, now: datetime, limit: int) -> list[Message]:
    """List messages whose price is to be asked for now, the one first that waits longest."""
    return _from_rows(store.execute(_DUE, (organization_number, provider, microseconds(now), limit)).fetchall())


def next_due(store: Store, organization_number: int, provider: str) -> datetime | None:
    """Return when a price is to be asked for next, or None if none is awaited."""
    (found,) = store.execute(_NEXT, (organization_number, provider)).fetchone()
    return None if found is None else instant_of(found)


def asked(store: Store, organization_number: int, key: MessageKey, again_at: datetime | None) -> None:
    """Note that a price was asked for in vain, and when it is asked for again; None for not at all."""
    parameters = (None if again_at is None else microseconds(again_at), organization_number, *key)
    store.execute(_ASKED, parameters)


def ask_anew(store: Store, organization_number: int, provider: str, now: datetime) -> None:
    """Schedule all prices that a provider owes for now, including those that were given up."""
    store.execute(_ASK_ANEW, (microseconds(now), organization_number, provider))


def postpone(store: Store, organization_number: int, key: MessageKey, ask_at: datetime) -> None:
    """Schedule a price for later, without counting an attempt."""
    store.execute(_POSTPONE, (microseconds(ask_at), organization_number, *key))


def bring_forward(store: Store, organization_number: int, provider: str, latest: datetime, now: datetime) -> None:
    """Schedule prices for now that are put off until after an instant."""
    store.execute(_BRING_FORWARD, (microseconds(now), organization_number, provider, microseconds(latest)))


def settled(store: Store, organization_number: int, event: UsageEvent) -> None:
    """Ask no more for the price of an event's message: the event waits for it no more."""
    key = key_of(event)
    if key is not None:
        store.execute(_SETTLED, (organization_number, *key, *event.key))


def _from_rows(rows: Iterable[tuple[Any, ...]]) -> list[Message]:
    return [_from_row(row) for row in rows]


def _from_row(row: tuple[Any, ...]) -> Message:
    provider, message_id, channel, source, event_id, cost, told_at, asked_count = row
    event = None if event_id is None else (source, event_id)
    return Message(
        provider, message_id, channel, event, cost, None if told_at is None else instant_of(told_at), asked_count
    )
