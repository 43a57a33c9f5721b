"""Events in the store: the ledger's first entries. A row never changes."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from sendmeter.domain.events import Booking, UsageEvent
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.store.database import Store

_COLUMNS = (
    "organization_id, source, event_id, channel, quantity, cost_nano_usd, provider, provider_message_id,"
    " occurred_at, recorded_at, cycle_starts_at, late, metadata"
)
_INSERT_PENDING = """
INSERT INTO pending_costs (organization_id, source, event_id, cycle_starts_at, provider, provider_message_id) VALUES
"""
_BY_KEYS = """
SELECT source, event_id, channel, quantity, cost_nano_usd, provider, provider_message_id, occurred_at, recorded_at,
metadata FROM events WHERE organization_id = ? AND (source, event_id) IN (VALUES {keys})
"""


def insert(store: Store, organization_number: int, bookings: Sequence[Booking], now: datetime) -> set[tuple[str, str]]:
    """Store those events that are not known yet, and give their keys.

    They are sorted by key, so that writers of the same events wait for each other instead of deadlocking.
    """
    if not bookings:
        return set()
    parameters: list[object] = []
    recorded_at = microseconds(now)
    for booking in sorted(bookings, key=lambda booking: booking.event.key):
        event = booking.event
        parameters += (
            organization_number,
            event.source,
            event.event_id,
            event.channel,
            event.quantity,
            event.cost_nano_usd,
            event.provider,
            event.provider_message_id,
            microseconds(booking.occurred_at),
            recorded_at,
            microseconds(booking.cycle.start),
            booking.late,
            json.dumps(dict(event.metadata), ensure_ascii=False, sort_keys=True) if event.metadata else None,
        )
    return set(store.execute(_insert(len(bookings)), parameters).fetchall())


def insert_pending(store: Store, organization_number: int, bookings: Iterable[Booking]) -> None:
    """Note the newly recorded events whose cost is still to come."""
    rows = [
        (
            organization_number,
            *booking.event.key,
            microseconds(booking.cycle.start),
            booking.event.provider,
            booking.event.provider_message_id,
        )
        for booking in bookings
        if booking.event.pending
    ]
    if rows:
        places = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
        store.execute(_INSERT_PENDING + places, [value for row in rows for value in row])


def by_keys(
    store: Store, organization_number: int, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[UsageEvent, datetime]]:
    """Find events by source and id, each with the instant at which it was recorded."""
    if not keys:
        return {}
    statement = _BY_KEYS.format(keys=", ".join(["(?, ?)"] * len(keys)))
    rows = store.execute(statement, [organization_number, *(part for key in keys for part in key)]).fetchall()
    found = {}
    for source, event_id, channel, quantity, cost, provider, message_id, occurred_at, recorded_at, metadata in rows:
        event = UsageEvent(
            source=source,
            event_id=event_id,
            channel=channel,
            quantity=quantity,
            cost_nano_usd=cost,
            provider=provider,
            provider_message_id=message_id,
            occurred_at=instant_of(occurred_at),
            metadata=json.loads(metadata) if metadata else {},
        )
        found[event.key] = event, instant_of(recorded_at)
    return found


@lru_cache(maxsize=16)
def _insert(count: int) -> str:
    row = f"({', '.join('?' * (_COLUMNS.count(',') + 1))})"
    rows = ", ".join([row] * count)
    return f"INSERT INTO events ({_COLUMNS}) VALUES {rows} ON CONFLICT DO NOTHING RETURNING source, event_id"
