"""`usage.…`: how much was sent, and what it cost."""

from datetime import datetime
from typing import Any

from sendmeter.domain.keys import Key
from sendmeter.services import usage
from sendmeter.settings import Settings
from sendmeter.store import Store


def get(store: Store, settings: Settings, caller: Key, now: datetime, costs: str) -> dict[str, Any]:
    """Answer with the usage of the caller's organization in its running cycle."""
    found = usage.get(
        store,
        caller.organization_number,
        now,
        known_costs=costs == "known",
        grace_seconds=settings.provider_grace_seconds,
    )
    return found.to_json()
