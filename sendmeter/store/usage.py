"""Counters in the store: read for a cycle, added to with every recorded event."""

from collections.abc import Iterable, Mapping

from peewee import DatabaseError

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.events import Booking
from sendmeter.domain.instants import microseconds, utc_day
from sendmeter.domain.usage import Counter
from sendmeter.errors import InvalidRequest
from sendmeter.store.database import Store, violates_bounds

_OF_CYCLE = """
SELECT channel, quantity, cost_nano_usd, pending FROM cycle_counters
WHERE organization_id = ? AND cycle_starts_at = ?
"""
_ADD = """
INSERT INTO {table} (organization_id, {period}, channel, quantity, cost_nano_usd, pending) VALUES {rows}
ON CONFLICT (organization_id, {period}, channel) DO UPDATE SET
quantity = {table}.quantity + excluded.quantity,
cost_nano_usd = {table}.cost_nano_usd + excluded.cost_nano_usd,
pending = {table}.pending + excluded.pending
"""

Sums = dict[tuple[int, str], tuple[int, int, int]]
"""Quantity, cost and pending by period and channel."""


def of_cycle(store: Store, organization_number: int, cycle: Cycle) -> list[Counter]:
    """Read a cycle's counters: at most seven rows, whatever was recorded."""
    rows = store.execute(_OF_CYCLE, (organization_number, microseconds(cycle.start))).fetchall()
    return [Counter(*row) for row in rows]


def add(store: Store, organization_number: int, bookings: Iterable[Booking]) -> None:
    """Add newly recorded events to their cycles' and days' counters."""
    cycles: Sums = {}
    days: Sums = {}
    for booking in bookings:
        event = booking.event
        amounts = (event.quantity, event.cost_nano_usd or 0, int(event.pending))
        _sum(cycles, (microseconds(booking.cycle.start), event.channel), amounts)
        _sum(days, (utc_day(booking.booked_at), event.channel), amounts)
    _upsert(store, "cycle_counters", "cycle_starts_at", organization_number, cycles)
    _upsert(store, "day_counters", "day", organization_number, days)


def _sum(sums: Sums, key: tuple[int, str], amounts: tuple[int, int, int]) -> None:
    quantity, cost, pending = sums.get(key, (0, 0, 0))
    sums[key] = (quantity + amounts[0], cost + amounts[1], pending + amounts[2])


def _upsert(
    store: Store,
    table: str,
    period: str,
    organization_number: int,
    sums: Mapping[tuple[int, str], tuple[int, int, int]],
) -> None:
    """Add sums to counters, in the order of their keys: writers that lock rows in one order never deadlock."""
    rows = [(organization_number, *key, *sums[key]) for key in sorted(sums)]
    statement = _ADD.format(table=table, period=period, rows=", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows)))
    try:
        store.execute(statement, [value for row in rows for value in row])
    except DatabaseError as error:
        if violates_bounds(error):
            raise InvalidRequest(
                "With these events the organization's usage would pass what a counter holds: 9,007,199,254,740,991 "
                "messages, or 9,000,000,000 USD, in one cycle and channel.",
                fix="Look at quantity and cost of the events. Nothing was stored.",
            ) from error
        raise
