"""`limits.…`: caps, and how they stand."""

from datetime import datetime
from typing import Any

from sendmeter.domain.caps import Caps
from sendmeter.domain.keys import Key
from sendmeter.services import limits
from sendmeter.store import Store


def get(store: Store, caller: Key, now: datetime) -> dict[str, Any]:
    """Return the caps of the caller's organization."""
    return limits.get(store, caller.organization_number, now).to_json()


def put(store: Store, caller: Key, now: datetime, payload: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Set all caps of the caller's organization."""
    caps = Caps.from_json(payload)
    return limits.change(store, caller.organization_number, lambda _: caps, now, by=caller.key_id).to_json()
