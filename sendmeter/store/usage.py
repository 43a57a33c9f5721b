"""Counters in the store: read for a cycle, added to with every recorded event."""

from collections.abc import Iterable

from peewee import DatabaseError

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.events import Place
from sendmeter.domain.instants import microseconds, utc_day
from sendmeter.domain.usage import Counter
from sendmeter.errors import InvalidRequest
from sendmeter.store.database import Store
from sendmeter.store.failures import violates_bounds

_OF_CYCLE = """
SELECT channel, quantity, cost_nano_usd, pending, estimated_nano_usd FROM cycle_counters
WHERE organization_id = ? AND cycle_starts_at = ?
"""
_OF_CYCLES = """
SELECT cycle_starts_at, channel, quantity, cost_nano_usd, pending, estimated_nano_usd FROM cycle_counters
WHERE organization_id = ? AND cycle_starts_at BETWEEN ? AND ?
"""
_OF_DAYS = """
SELECT day, channel, quantity, cost_nano_usd, pending, estimated_nano_usd FROM day_counters
WHERE organization_id = ? AND day BETWEEN ? AND ?
"""
_ADD = """
INSERT INTO {table} (organization_id, {period}, channel, quantity, cost_nano_usd, pending, estimated_nano_usd)
VALUES {rows}
ON CONFLICT (organization_id, {period}, channel) DO UPDATE SET
quantity = {table}.quantity + excluded.quantity,
cost_nano_usd = {table}.cost_nano_usd + excluded.cost_nano_usd,
pending = {table}.pending + excluded.pending,
estimated_nano_usd = {table}.estimated_nano_usd + excluded.estimated_nano_usd
"""

Sums = dict[tuple[int, str], Counter]
"""Counters by period (a cycle's start, or the number of a day) and channel."""


def of_cycle(store: Store, organization_number: int, cycle: Cycle) -> list[Counter]:
    """Read a cycle's counters: at most seven rows, whatever was recorded."""
    rows = store.execute(_OF_CYCLE, (organization_number, microseconds(cycle.start))).fetchall()
    return [Counter(*row) for row in rows]


def of_cycles(store: Store, organization_number: int, first: Cycle, last: Cycle) -> list[tuple[int, Counter]]:
    """Read the counters of all cycles from one to another, each with its cycle's start in microseconds."""
    parameters = (organization_number, microseconds(first.start), microseconds(last.start))
    return [(row[0], Counter(*row[1:])) for row in store.execute(_OF_CYCLES, parameters).fetchall()]


def of_days(store: Store, organization_number: int, first: int, last: int) -> list[tuple[int, Counter]]:
    """Read the counters of all UTC days from one to another, each with its day's number."""
    rows = store.execute(_OF_DAYS, (organization_number, first, last)).fetchall()
    return [(row[0], Counter(*row[1:])) for row in rows]


def add(store: Store, organization_number: int, placed: Iterable[tuple[Place, Counter]]) -> None:
    """Add to the counters of cycles and days, each at its place."""
    # What is of one cycle, day and channel first: those are few, and what is placed may be a thousand.
    found: dict[tuple[int, int, str], list[Counter]] = {}
    for place, amounts in placed:
        key = (microseconds(place.cycle.start), utc_day(place.booked_at), amounts.channel)
        found.setdefault(key, []).append(amounts)
    cycles: Sums = {}
    days: Sums = {}
    for (start, day, _), parts in found.items():
        amounts = Counter.total(parts)
        _sum(cycles, start, amounts)
        _sum(days, day, amounts)
    _upsert(store, "cycle_counters", "cycle_starts_at", organization_number, cycles)
    _upsert(store, "day_counters", "day", organization_number, days)


def _sum(sums: Sums, period: int, amounts: Counter) -> None:
    key = (period, amounts.channel)
    known = sums.get(key)
    sums[key] = known + amounts if known else amounts


def _upsert(store: Store, table: str, period: str, organization_number: int, sums: Sums) -> None:
    """Add sums to counters, in the order of their keys: writers that lock rows in one order never deadlock."""
    rows = [
        (organization_number, *key, each.quantity, each.cost_nano_usd, each.pending, each.estimated_nano_usd)
        for key, each in sorted(sums.items(), key=lambda item: item[0])
    ]
    statement = _ADD.format(table=table, period=period, rows=", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows)))
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
