"""Events in the store: the ledger's first entries. A row never changes."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sendmeter.domain.cursors import Position
from sendmeter.domain.cycles import Cycle
from sendmeter.domain.events import Booking, Place, UsageEvent
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.domain.ledger import Entry
from sendmeter.store.database import Store

_COLUMNS = (
    "organization_id, source, event_id, channel, quantity, cost_nano_usd, provider, provider_message_id,"
    " occurred_at, recorded_at, cycle_starts_at, late, metadata, estimated_cost_nano_usd"
)
_TYPES = (
    "bigint", "text", "text", "text", "bigint", "bigint", "text", "text",
    "bigint", "bigint", "bigint", "boolean", "text", "bigint",
)  # fmt: skip
_INSERT_ROW = f"INSERT INTO events ({_COLUMNS}) VALUES ({', '.join('?' * len(_TYPES))}) ON CONFLICT DO NOTHING"
# One parameter a column: PostgreSQL plans the same statement for any number of rows.
_INSERT_COLUMNS = f"""
INSERT INTO events ({_COLUMNS}) SELECT * FROM unnest({", ".join(f"?::{name}[]" for name in _TYPES)})
ON CONFLICT DO NOTHING RETURNING source, event_id
"""
_INSERT_PENDING = """
INSERT INTO pending_costs (organization_id, source, event_id, cycle_starts_at, provider, provider_message_id) VALUES
"""
_DELETE_PENDING = "DELETE FROM pending_costs WHERE organization_id = ? AND source = ? AND event_id = ?"
_ENTRY = (
    "events.source, event_id, channel, quantity, cost_nano_usd, provider, provider_message_id, occurred_at,"
    " recorded_at, late, metadata, estimated_cost_nano_usd, starts_at, ends_at"
)
_FROM = """
FROM events JOIN cycles ON cycles.organization_id = events.organization_id
AND cycles.starts_at = events.cycle_starts_at
"""
# The keys come first: for several of them in an IN, SQLite would read all events of the organization.
_BY_KEYS = f"""
SELECT {_ENTRY} FROM (VALUES {{keys}}) AS keys
JOIN events ON events.organization_id = ? AND source = keys.column1 AND event_id = keys.column2
JOIN cycles ON cycles.organization_id = events.organization_id AND cycles.starts_at = events.cycle_starts_at
"""
_OF_MESSAGE = """
SELECT source, event_id FROM events WHERE organization_id = ? AND provider = ? AND provider_message_id = ?
ORDER BY recorded_at, source, event_id
"""
# One part for each channel, each read off its end of one index; the rows of a page are few, whatever was recorded.
_NEWEST = f"""
SELECT * FROM (
    SELECT {_ENTRY} {_FROM} WHERE events.organization_id = ? AND channel = ? AND {{conditions}}
    ORDER BY occurred_at DESC, source DESC, event_id DESC LIMIT ?
) AS {{channel}}
"""


def insert(store: Store, organization_number: int, bookings: Sequence[Booking], now: datetime) -> set[tuple[str, str]]:
    """Store those events that are not known yet, and give their keys.

    They are sorted by key, so that writers of the same events wait for each other instead of deadlocking.
    """
    recorded_at = microseconds(now)
    rows = [
        (
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
            microseconds(booking.place.cycle.start),
            booking.place.late,
            json.dumps(dict(event.metadata), ensure_ascii=False, sort_keys=True) if event.metadata else None,
            event.estimated_cost_nano_usd,
        )
        for booking in sorted(bookings, key=lambda booking: booking.event.key)
        for event in [booking.event]
    ]
    if store.is_sqlite:
        # SQLite is asked without a way to go. All rows in one statement would cost it half as much again.
        changed = store.execute_rows(_INSERT_ROW, rows)
        return {row[1:3] for row, count in zip(rows, changed, strict=True) if count}
    return set(store.execute(_INSERT_COLUMNS, [*map(list, zip(*rows, strict=True))]).fetchall()) if rows else set()


def insert_pending(store: Store, organization_number: int, bookings: Iterable[Booking]) -> None:
    """Note the newly recorded events whose cost is still to come."""
    rows = [
        (
            organization_number,
            *booking.event.key,
            microseconds(booking.place.cycle.start),
            booking.event.provider,
            booking.event.provider_message_id,
        )
        for booking in bookings
        if booking.event.pending
    ]
    if rows:
        places = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
        store.execute(_INSERT_PENDING + places, [value for row in rows for value in row])


def delete_pending(store: Store, organization_number: int, key: tuple[str, str]) -> None:
    """Forget that the cost of an event is still to come."""
    store.execute(_DELETE_PENDING, (organization_number, *key))


def by_keys(store: Store, organization_number: int, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Entry]:
    """Find events by source and id, without their corrections."""
    if not keys:
        return {}
    statement = _BY_KEYS.format(keys=", ".join(["(?, ?)"] * len(keys)))
    rows = store.execute(statement, [*(part for key in keys for part in key), organization_number]).fetchall()
    return {entry.event.key: entry for entry in map(_from_row, rows)}


def of_message(store: Store, organization_number: int, provider: str, message_id: str) -> list[tuple[str, str]]:
    """List the keys of the events that were reported of a provider's message, the one first that was recorded first."""
    rows = store.execute(_OF_MESSAGE, (organization_number, provider, message_id)).fetchall()
    return [(source, event_id) for source, event_id in rows]


def newest(
    store: Store,
    organization_number: int,
    channels: Sequence[str],
    *,
    start: datetime | None,
    end: datetime | None,
    before: Position | None,
    limit: int,
) -> list[Entry]:
    """List events of some channels that occurred within `[start, end)`, newest first, without their corrections.

    `before` is where an earlier page ended: `position` of its last event.
    """
    conditions = ["1 = 1"]
    bounds: Position = []
    # A later page lies before `end` as it is: with both bounds SQLite would begin at `end` each time.
    last = ("(occurred_at, source, event_id) < (?, ?, ?)", before) if before else ("occurred_at < ?", _bound(end))
    for condition, bound in (("occurred_at >= ?", _bound(start)), last):
        if bound:
            conditions.append(condition)
            bounds += bound
    parts = [_NEWEST.format(conditions=" AND ".join(conditions), channel=channel.lower()) for channel in channels]
    parameters = [value for channel in channels for value in (organization_number, channel, *bounds, limit)]
    statement = " UNION ALL ".join(parts) + " ORDER BY occurred_at DESC, source DESC, event_id DESC LIMIT ?"
    return [_from_row(row) for row in store.execute(statement, [*parameters, limit]).fetchall()]


def _bound(instant: datetime | None) -> Position:
    return [] if instant is None else [microseconds(instant)]


def position(entry: Entry) -> Position:
    """Return where an event stands in the order of `newest`."""
    return [microseconds(entry.occurred_at), *entry.event.key]


def _from_row(row: tuple[Any, ...]) -> Entry:
    (source, event_id, channel, quantity, cost, provider, message_id, occurred_at,
     recorded_at, late, metadata, estimated, cycle_start, cycle_end) = row  # fmt: skip
    occurred, recorded = instant_of(occurred_at), instant_of(recorded_at)
    event = UsageEvent(
        source=source,
        event_id=event_id,
        channel=channel,
        quantity=quantity,
        cost_nano_usd=cost,
        provider=provider,
        provider_message_id=message_id,
        occurred_at=occurred,
        metadata=json.loads(metadata) if metadata else {},
        estimated_cost_nano_usd=estimated,
    )
    cycle = Cycle(instant_of(cycle_start), instant_of(cycle_end))
    place = Place(recorded if late else occurred, cycle, late=bool(late))
    return Entry(event, occurred, place, recorded)
