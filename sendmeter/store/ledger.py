"""The ledger added up: what every counter should be, from the events alone."""

from sendmeter.store.database import Store

Sums = dict[tuple[int, str], tuple[int, int, int]]
"""Quantity, cost in nano-USD and pending events, by period (a cycle's start or a day) and channel."""

_LEDGER = """
SELECT {period}, channel, SUM(quantity), SUM(COALESCE(cost_nano_usd, 0)),
SUM(CASE WHEN cost_nano_usd IS NULL AND channel IN ('SMS', 'CALL') THEN 1 ELSE 0 END)
FROM events WHERE organization_id = ? GROUP BY 1, 2
"""
# An event is booked on the day it occurred or, where its cycle was closed, on the day it was recorded.
_DAY = "(CASE WHEN late THEN recorded_at ELSE occurred_at END) / 86400000000"
_COUNTERS = "SELECT {period}, channel, quantity, cost_nano_usd, pending FROM {table} WHERE organization_id = ?"


def cycles_of_ledger(store: Store, organization_number: int) -> Sums:
    """Add up an organization's events by cycle and channel."""
    return _sums(store, _LEDGER.format(period="cycle_starts_at"), organization_number)


def days_of_ledger(store: Store, organization_number: int) -> Sums:
    """Add up an organization's events by UTC day and channel."""
    return _sums(store, _LEDGER.format(period=_DAY), organization_number)


def cycles_counted(store: Store, organization_number: int) -> Sums:
    """Read an organization's cycle counters."""
    return _sums(store, _COUNTERS.format(period="cycle_starts_at", table="cycle_counters"), organization_number)


def days_counted(store: Store, organization_number: int) -> Sums:
    """Read an organization's day counters."""
    return _sums(store, _COUNTERS.format(period="day", table="day_counters"), organization_number)


def misplaced(store: Store, organization_number: int) -> list[tuple[str, str]]:
    """Find events that are booked into a cycle that does not contain them: source and id, the first hundred."""
    rows = store.execute(_MISPLACED, (organization_number, organization_number)).fetchall()
    return [(row[0], row[1]) for row in rows]


_MISPLACED = """
SELECT source, event_id FROM events WHERE organization_id = ? AND NOT EXISTS (
    SELECT 1 FROM cycles WHERE cycles.organization_id = ? AND cycles.starts_at = events.cycle_starts_at
    AND (CASE WHEN late THEN recorded_at ELSE occurred_at END) BETWEEN cycles.starts_at AND cycles.ends_at - 1
)
ORDER BY source, event_id LIMIT 100
"""


def _sums(store: Store, statement: str, organization_number: int) -> Sums:
    rows = store.execute(statement, (organization_number,)).fetchall()
    # PostgreSQL adds up BIGINT to NUMERIC, which arrives as Decimal.
    return {
        (int(period), channel): (int(count), int(cost), int(pending)) for period, channel, count, cost, pending in rows
    }
