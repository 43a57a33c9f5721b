"""`usage.…`: how much was sent, and what it cost."""

from datetime import date, datetime
from typing import Any

from sendmeter.domain.keys import Key
from sendmeter.domain.periods import refused_range
from sendmeter.errors import Fault, InvalidRequest
from sendmeter.services import usage
from sendmeter.settings import Settings
from sendmeter.store import Store


def get(store: Store, settings: Settings, caller: Key, now: datetime, costs: str) -> dict[str, Any]:
    """Return the usage of the caller's organization in its running cycle."""
    found = usage.get(
        store,
        caller.organization_number,
        now,
        known_costs=costs == "known",
        grace_seconds=settings.provider_grace_seconds,
    )
    return found.to_json()


def history(
    store: Store,
    settings: Settings,
    caller: Key,
    now: datetime,
    start_date: str,
    end_date: str,
    group_by: str,
    costs: str,
) -> dict[str, Any]:
    """Return the usage of the caller's organization by month, billing cycle or day."""
    first, last = date.fromisoformat(start_date), date.fromisoformat(end_date)
    if refused := refused_range(first, last):
        raise InvalidRequest.of([Fault("query:endDate", refused)])
    periods = usage.history(
        store,
        caller.organization_number,
        first,
        last,
        group_by,
        now,
        known_costs=costs == "known",
        grace_seconds=settings.provider_grace_seconds,
    )
    return {"items": [period.to_json() for period in periods]}
