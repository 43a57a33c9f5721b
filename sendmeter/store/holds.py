"""Holds in the store. Whether one that is `held` still counts is asked of its expiry alone: nothing sweeps."""

from datetime import datetime
from typing import Any

from sendmeter.domain.holds import Asked, Hold
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.domain.usage import Counter
from sendmeter.store.database import Store

_COLUMNS = (
    "hold_id, channel, quantity, estimated_cost_nano_usd, ttl_seconds, placed_at, state, ended_at, source, event_id"
)
_BY_ID = f"SELECT {_COLUMNS} FROM holds WHERE organization_id = ? AND hold_id = ?"
_STANDING = """
SELECT channel, SUM(quantity), SUM(COALESCE(estimated_cost_nano_usd, 0)) FROM holds
WHERE organization_id = ? AND state = 'held' AND expires_at > ? GROUP BY channel
"""
_INSERT = f"""
INSERT INTO holds (organization_id, {_COLUMNS}, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_END = """
UPDATE holds SET state = ?, ended_at = ?, source = ?, event_id = ?
WHERE organization_id = ? AND hold_id = ? AND state = 'held'
"""


def by_id(store: Store, organization_number: int, hold_id: str) -> Hold | None:
    """Find a hold by the caller's id."""
    row = store.execute(_BY_ID, (organization_number, hold_id)).fetchone()
    return None if row is None else _from_row(row)


def standing(store: Store, organization_number: int, now: datetime) -> list[Counter]:
    """Add up by channel what is held: neither settled nor released nor expired."""
    rows = store.execute(_STANDING, (organization_number, microseconds(now))).fetchall()
    return [Counter(channel, int(quantity), int(cost), 0) for channel, quantity, cost in rows]


def insert(store: Store, organization_number: int, hold: Hold) -> None:
    """Store a hold that was admitted."""
    asked = hold.asked
    parameters = (
        organization_number,
        asked.hold_id,
        asked.channel,
        asked.quantity,
        asked.estimated_cost_nano_usd,
        asked.ttl_seconds,
        microseconds(hold.placed_at),
        hold.state,
        None,
        None,
        None,
        microseconds(hold.expires_at),
    )
    store.execute(_INSERT, parameters)


def end(store: Store, organization_number: int, hold: Hold) -> None:
    """Store what became of a hold: settled or released."""
    source, event_id = hold.event or (None, None)
    ended_at = None if hold.ended_at is None else microseconds(hold.ended_at)
    store.execute(_END, (hold.state, ended_at, source, event_id, organization_number, hold.asked.hold_id))


def _from_row(row: tuple[Any, ...]) -> Hold:
    hold_id, channel, quantity, estimated, ttl_seconds, placed_at, state, ended_at, source, event_id = row
    return Hold(
        asked=Asked(hold_id, channel, quantity, estimated, ttl_seconds),
        placed_at=instant_of(placed_at),
        state=state,
        ended_at=None if ended_at is None else instant_of(ended_at),
        event=None if event_id is None else (source, event_id),
    )
