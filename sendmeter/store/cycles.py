"""Billing cycles in the store: written when something is first booked into them, never moved."""

from datetime import datetime

from sendmeter.domain.cycles import Anchor, Cycle
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.store.database import Store

_CONTAINING = """
SELECT starts_at, ends_at FROM cycles
WHERE organization_id = ? AND starts_at <= ? ORDER BY starts_at DESC LIMIT 1
"""
_INSERT = """
INSERT INTO cycles (organization_id, starts_at, ends_at, anchor_day, time_zone) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""


def containing(store: Store, organization_number: int, instant: datetime) -> Cycle | None:
    """Find the written cycle that an instant belongs to."""
    row = store.execute(_CONTAINING, (organization_number, microseconds(instant))).fetchone()
    if row is None or instant_of(row[1]) <= instant:
        return None
    return Cycle(instant_of(row[0]), instant_of(row[1]))


def insert(store: Store, organization_number: int, cycle: Cycle, anchor: Anchor) -> None:
    """Write a cycle down, with the anchor that it was made from."""
    parameters = (organization_number, microseconds(cycle.start), microseconds(cycle.end), anchor.day, anchor.time_zone)
    store.execute(_INSERT, parameters)
