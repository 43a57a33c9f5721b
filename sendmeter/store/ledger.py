"""The ledger added up: what every counter should be, from the events and their corrections alone."""

from sendmeter.store.database import Store

Sums = dict[tuple[int, str], tuple[int, int, int, int]]
"""Quantity, cost in nano-USD, pending events and their estimates, by period (a cycle's start or a day) and channel."""
Returned = dict[tuple[int, str], tuple[int, int]]
"""Messages and nano-USD that earlier cycles get back, by the start of the cycle that books it, and channel."""

# An event is booked when it occurred or, where its cycle was closed, when it was recorded.
_BOOKED_AT = "(CASE WHEN late THEN recorded_at ELSE occurred_at END)"
_IS_PENDING = "cost_nano_usd IS NULL AND channel IN ('SMS', 'CALL')"
_ENTRIES = f"""
SELECT organization_id, source, event_id, cycle_starts_at, {_BOOKED_AT} AS booked_at, channel, quantity,
COALESCE(cost_nano_usd, 0) AS cost_nano_usd, CASE WHEN {_IS_PENDING} THEN 1 ELSE 0 END AS pending,
CASE WHEN {_IS_PENDING} THEN COALESCE(estimated_cost_nano_usd, 0) ELSE 0 END AS estimated_nano_usd
FROM events WHERE organization_id = ?
UNION ALL
SELECT organization_id, source, event_id, cycle_starts_at, booked_at, channel, quantity,
cost_nano_usd, pending, estimated_nano_usd
FROM corrections WHERE organization_id = ?
"""
_LEDGER = f"""
SELECT {{period}}, channel, SUM(quantity), SUM(cost_nano_usd), SUM(pending), SUM(estimated_nano_usd)
FROM ({_ENTRIES}) AS entries GROUP BY 1, 2
"""
_DAY = "booked_at / 86400000000"
_COUNTERS = """
SELECT {period}, channel, quantity, cost_nano_usd, pending, estimated_nano_usd
FROM {table} WHERE organization_id = ?
"""
# What late corrections give back to earlier cycles: their sum for each event, where it is less than nothing.
_RETURNED_OF_LEDGER = """
SELECT cycle_starts_at, channel, SUM(quantity), SUM(cost_nano_usd) FROM (
    SELECT cycle_starts_at, channel,
    CASE WHEN SUM(quantity) < 0 THEN -SUM(quantity) ELSE 0 END AS quantity,
    CASE WHEN SUM(cost_nano_usd) < 0 THEN -SUM(cost_nano_usd) ELSE 0 END AS cost_nano_usd
    FROM corrections WHERE organization_id = ? AND late GROUP BY source, event_id, cycle_starts_at, channel
) AS by_event GROUP BY cycle_starts_at, channel
"""
_RETURNED_COUNTED = """
SELECT cycle_starts_at, channel, returned_quantity, returned_nano_usd FROM cycle_counters
WHERE organization_id = ? AND (returned_quantity <> 0 OR returned_nano_usd <> 0)
"""
_MISPLACED = f"""
SELECT DISTINCT source, event_id FROM ({_ENTRIES}) AS entries WHERE NOT EXISTS (
    SELECT 1 FROM cycles WHERE cycles.organization_id = entries.organization_id
    AND cycles.starts_at = entries.cycle_starts_at
    AND entries.booked_at BETWEEN cycles.starts_at AND cycles.ends_at - 1
)
ORDER BY source, event_id LIMIT 100
"""
_OVERLAPPING = """
SELECT later.starts_at FROM cycles AS earlier JOIN cycles AS later
ON later.organization_id = earlier.organization_id AND later.starts_at > earlier.starts_at
AND later.starts_at < earlier.ends_at
WHERE earlier.organization_id = ? ORDER BY 1 LIMIT 100
"""
# What still waits for a cost, by the list that providers are asked from and by the ledger: each must have the other.
_PENDING_LISTED = "SELECT source, event_id FROM pending_costs WHERE organization_id = ?"
_PENDING_OF_LEDGER = f"""
SELECT source, event_id FROM events WHERE organization_id = ? AND {_IS_PENDING} AND NOT EXISTS (
    SELECT 1 FROM corrections WHERE corrections.organization_id = events.organization_id
    AND corrections.source = events.source AND corrections.event_id = events.event_id
)
"""


def cycles_of_ledger(store: Store, organization_number: int) -> Sums:
    """Add up an organization's ledger by cycle and channel."""
    return _sums(store, _LEDGER.format(period="cycle_starts_at"), organization_number, 2)


def days_of_ledger(store: Store, organization_number: int) -> Sums:
    """Add up an organization's ledger by UTC day and channel."""
    return _sums(store, _LEDGER.format(period=_DAY), organization_number, 2)


def cycles_counted(store: Store, organization_number: int) -> Sums:
    """Read an organization's cycle counters."""
    return _sums(store, _COUNTERS.format(period="cycle_starts_at", table="cycle_counters"), organization_number)


def days_counted(store: Store, organization_number: int) -> Sums:
    """Read an organization's day counters."""
    return _sums(store, _COUNTERS.format(period="day", table="day_counters"), organization_number)


def returned_of_ledger(store: Store, organization_number: int) -> Returned:
    """Add up by cycle and channel what an organization's late corrections give back to earlier cycles."""
    return _returned(store, _RETURNED_OF_LEDGER, organization_number)


def returned_counted(store: Store, organization_number: int) -> Returned:
    """Return what an organization's cycle counters say that late corrections give back to earlier cycles."""
    return _returned(store, _RETURNED_COUNTED, organization_number)


def misplaced(store: Store, organization_number: int) -> list[tuple[str, str]]:
    """Find events with an entry booked into a cycle that does not contain it: source and id, the first hundred."""
    rows = store.execute(_MISPLACED, (organization_number,) * 2).fetchall()
    return [(row[0], row[1]) for row in rows]


def overlapping(store: Store, organization_number: int) -> list[int]:
    """Find cycles that begin before an earlier one ends: their starts in microseconds, the first hundred."""
    return [row[0] for row in store.execute(_OVERLAPPING, (organization_number,)).fetchall()]


def pending_differences(store: Store, organization_number: int) -> list[tuple[str, str]]:
    """Find events that are listed as pending and are not, or are and are not listed: source and id."""
    listed = set(store.execute(_PENDING_LISTED, (organization_number,)).fetchall())
    return sorted(listed ^ set(store.execute(_PENDING_OF_LEDGER, (organization_number,)).fetchall()))


def _returned(store: Store, statement: str, organization_number: int) -> Returned:
    rows = store.execute(statement, (organization_number,)).fetchall()
    found = {(int(cycle), channel): (int(quantity), int(cost)) for cycle, channel, quantity, cost in rows}
    return {key: amounts for key, amounts in found.items() if any(amounts)}


def _sums(store: Store, statement: str, organization_number: int, times: int = 1) -> Sums:
    rows = store.execute(statement, (organization_number,) * times).fetchall()
    # PostgreSQL adds up BIGINT to NUMERIC, which arrives as Decimal.
    return {
        (int(period), channel): (int(count), int(cost), int(pending), int(estimated))
        for period, channel, count, cost, pending, estimated in rows
    }
