"""Corrections in the store: the ledger's other entries. A row never changes."""

from collections.abc import Sequence
from typing import Any

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.events import Place
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.domain.ledger import Correction
from sendmeter.domain.usage import Counter
from sendmeter.store.database import Store

_COLUMNS = (
    "source, event_id, number, correction_id, kind, channel, quantity, cost_nano_usd, pending, estimated_nano_usd,"
    " reason, booked_at, late, recorded_at, made_by"
)
_INSERT = f"""
INSERT INTO corrections (organization_id, {_COLUMNS}, cycle_starts_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_BY_KEYS = f"""
SELECT {_COLUMNS.replace("reason", "corrections.reason")}, starts_at, ends_at FROM (VALUES {{keys}}) AS keys
JOIN corrections ON corrections.organization_id = ? AND source = keys.column1 AND event_id = keys.column2
JOIN cycles ON cycles.organization_id = corrections.organization_id AND cycles.starts_at = corrections.cycle_starts_at
ORDER BY number
"""


def insert(store: Store, organization_number: int, key: tuple[str, str], correction: Correction) -> None:
    """Add an entry that corrects an event."""
    amounts, place = correction.amounts, correction.place
    parameters = (
        organization_number,
        *key,
        correction.number,
        correction.correction_id,
        correction.kind,
        amounts.channel,
        amounts.quantity,
        amounts.cost_nano_usd,
        amounts.pending,
        amounts.estimated_nano_usd,
        correction.reason,
        microseconds(place.booked_at),
        place.late,
        microseconds(correction.recorded_at),
        correction.made_by,
        microseconds(place.cycle.start),
    )
    store.execute(_INSERT, parameters)


def by_keys(
    store: Store, organization_number: int, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[Correction]]:
    """Find the corrections of some events, oldest first."""
    found: dict[tuple[str, str], list[Correction]] = {}
    if keys:
        statement = _BY_KEYS.format(keys=", ".join(["(?, ?)"] * len(keys)))
        parameters = [*(part for key in keys for part in key), organization_number]
        for row in store.execute(statement, parameters).fetchall():
            found.setdefault((row[0], row[1]), []).append(_from_row(row))
    return found


def _from_row(row: tuple[Any, ...]) -> Correction:
    (_, _, number, correction_id, kind, channel, quantity, cost, pending, estimated, reason,
     booked_at, late, recorded_at, made_by, cycle_start, cycle_end) = row  # fmt: skip
    cycle = Cycle(instant_of(cycle_start), instant_of(cycle_end))
    return Correction(
        number=number,
        correction_id=correction_id,
        kind=kind,
        amounts=Counter(channel, quantity, cost, pending, estimated),
        reason=reason,
        place=Place(instant_of(booked_at), cycle, late=bool(late)),
        recorded_at=instant_of(recorded_at),
        made_by=made_by,
    )
