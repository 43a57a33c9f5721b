"""Counters in the store: read for a cycle, added to with every recorded event."""

from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter

from peewee import DatabaseError

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.events import Place
from sendmeter.domain.instants import microseconds, utc_day
from sendmeter.domain.usage import Counter
from sendmeter.errors import InvalidRequest
from sendmeter.store.database import Store
from sendmeter.store.failures import violates_bounds

_OF_CYCLE = """
SELECT channel, quantity, cost_nano_usd, pending, estimated_nano_usd, returned_quantity, returned_nano_usd
FROM cycle_counters WHERE organization_id = ? AND cycle_starts_at = ?
"""
_FROM_CYCLE_ON = """
SELECT cycle_starts_at, channel, quantity, cost_nano_usd, pending, estimated_nano_usd, returned_quantity,
returned_nano_usd FROM cycle_counters WHERE organization_id = ? AND cycle_starts_at >= ?
"""
_OF_CYCLES = """
SELECT cycle_starts_at, channel, quantity, cost_nano_usd, pending, estimated_nano_usd FROM cycle_counters
WHERE organization_id = ? AND cycle_starts_at BETWEEN ? AND ?
"""
_OF_DAYS = """
SELECT day, channel, quantity, cost_nano_usd, pending, estimated_nano_usd FROM day_counters
WHERE organization_id = ? AND day BETWEEN ? AND ?
"""
_DAY_SUMS = ("quantity", "cost_nano_usd", "pending", "estimated_nano_usd")
_CYCLE_SUMS = (*_DAY_SUMS, "returned_quantity", "returned_nano_usd")

Sums = dict[tuple[int, str], Counter]
"""Counters by period (a cycle's start, or the number of a day) and channel."""


def of_cycle(store: Store, organization_number: int, cycle: Cycle) -> list[Counter]:
    """Read a cycle's counters: at most seven rows, whatever was recorded."""
    rows = store.execute(_OF_CYCLE, (organization_number, microseconds(cycle.start))).fetchall()
    return [Counter(*row) for row in rows]


def from_cycle_on(store: Store, organization_number: int, cycle: Cycle) -> tuple[list[Counter], list[Counter]]:
    """Return a cycle's counters, and those of all later cycles."""
    start = microseconds(cycle.start)
    rows = store.execute(_FROM_CYCLE_ON, (organization_number, start)).fetchall()
    own = [Counter(*row[1:]) for row in rows if row[0] == start]
    return own, [Counter(*row[1:]) for row in rows if row[0] != start]


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
    _upsert(store, "cycle_counters", "cycle_starts_at", _CYCLE_SUMS, organization_number, cycles)
    _upsert(store, "day_counters", "day", _DAY_SUMS, organization_number, days)


def _sum(sums: Sums, period: int, amounts: Counter) -> None:
    key = (period, amounts.channel)
    known = sums.get(key)
    sums[key] = known + amounts if known else amounts


def _upsert(
    store: Store, table: str, period: str, columns: tuple[str, ...], organization_number: int, sums: Sums
) -> None:
    """Add sums to counters, in the order of their keys: writers that lock rows in one order never deadlock."""
    amounts = attrgetter(*columns)
    values = [
        value
        for key, each in sorted(sums.items(), key=lambda item: item[0])
        for value in (organization_number, *key, *amounts(each))
    ]
    try:
        store.execute(_addition(table, period, columns, len(sums)), values)
    except DatabaseError as error:
        if violates_bounds(error):
            raise InvalidRequest(
                "With these events the organization's usage would pass what a counter holds: 9,007,199,254,740,991 "
                "messages, or 9,000,000,000 USD, in one cycle and channel.",
                fix="Look at quantity and cost of the events. Nothing was stored.",
            ) from error
        raise


@lru_cache
def _addition(table: str, period: str, columns: tuple[str, ...], count: int) -> str:
    """Return the statement that adds `count` rows of sums to the counters of a table."""
    rows = ", ".join([f"({', '.join('?' * (3 + len(columns)))})"] * count)
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in columns)
    return (
        f"INSERT INTO {table} (organization_id, {period}, channel, {', '.join(columns)}) "
        f"VALUES {rows} ON CONFLICT (organization_id, {period}, channel) DO UPDATE SET {sums}"
    )
