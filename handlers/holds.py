"""`holds.…`: asking before a send."""

from datetime import datetime
from typing import Any

from sendmeter.domain.holds import Asked
from sendmeter.domain.instants import Clock
from sendmeter.domain.keys import Key
from sendmeter.services import holds
from sendmeter.store import Store


def place(store: Store, caller: Key, now: datetime, clock: Clock, payload: Any) -> tuple[dict[str, Any], int]:  # noqa: ANN401 - JSON
    """Keep room for what is about to be sent; 201 where the hold is new, 200 where it was placed before."""
    hold, is_new = holds.place(store, caller.organization_number, Asked.from_json(payload), clock)
    return hold.to_json(now), 201 if is_new else 200


def get(store: Store, caller: Key, now: datetime, hold_id: str) -> dict[str, Any]:
    """Return a hold."""
    return holds.get(store, caller.organization_number, hold_id).to_json(now)


def settle(store: Store, caller: Key, now: datetime, clock: Clock, hold_id: str, payload: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Record what was sent under a hold."""
    return holds.settle(store, caller.organization_number, hold_id, payload, clock).to_json(now)


def release(store: Store, caller: Key, now: datetime, clock: Clock, hold_id: str) -> dict[str, Any]:
    """Free a hold."""
    return holds.release(store, caller.organization_number, hold_id, clock).to_json(now)
