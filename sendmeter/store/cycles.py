"""Billing cycles in the store: written when they are first needed, never moved."""

from datetime import datetime

from sendmeter.domain.cycles import Anchor, Cycle
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.store.database import Store

_BEFORE = """
SELECT starts_at, ends_at FROM cycles
WHERE organization_id = ? AND starts_at <= ? ORDER BY starts_at DESC LIMIT 1
"""
_AFTER = """
SELECT starts_at, ends_at FROM cycles
WHERE organization_id = ? AND starts_at > ? ORDER BY starts_at LIMIT 1
"""
_LAST = "SELECT starts_at, ends_at FROM cycles WHERE organization_id = ? ORDER BY starts_at DESC LIMIT 1"
_BETWEEN = """
SELECT starts_at, ends_at FROM cycles
WHERE organization_id = ? AND starts_at > ? AND starts_at <= ? ORDER BY starts_at
"""
_INSERT = """
INSERT INTO cycles (organization_id, starts_at, ends_at, anchor_day, time_zone, reason) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""


def before(store: Store, organization_number: int, instant: datetime) -> Cycle | None:
    """Find the last written cycle that starts at or before an instant."""
    return _one(store, _BEFORE, (organization_number, microseconds(instant)))


def after(store: Store, organization_number: int, instant: datetime) -> Cycle | None:
    """Find the first written cycle that starts after an instant."""
    return _one(store, _AFTER, (organization_number, microseconds(instant)))


def last(store: Store, organization_number: int) -> Cycle | None:
    """Find the last cycle that is written."""
    return _one(store, _LAST, (organization_number,))


def around(store: Store, organization_number: int, start: datetime, end: datetime) -> list[Cycle]:
    """List the written cycles that start within a stretch of time, and the one before and the one after them."""
    found = [before(store, organization_number, start)]
    parameters = (organization_number, microseconds(start), microseconds(end))
    found += [_from_row(row) for row in store.execute(_BETWEEN, parameters).fetchall()]
    found.append(after(store, organization_number, end))
    return [cycle for cycle in found if cycle is not None]


def insert(store: Store, organization_number: int, cycle: Cycle, anchor: Anchor, reason: str | None) -> None:
    """Write a cycle down, with the anchor that it was made from."""
    parameters = (organization_number, microseconds(cycle.start), microseconds(cycle.end), anchor.day, anchor.time_zone)
    store.execute(_INSERT, (*parameters, reason))


def _one(store: Store, statement: str, parameters: tuple[int, ...]) -> Cycle | None:
    row = store.execute(statement, parameters).fetchone()
    return None if row is None else _from_row(row)


def _from_row(row: tuple[int, int]) -> Cycle:
    return Cycle(instant_of(row[0]), instant_of(row[1]))
